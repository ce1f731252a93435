"""What a server is, and what it can do with a model: asked once, unless the user has said it."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import Field

from agent0es.domain.text import one_line
from agent0es.errors import ConfigurationError, ModelNotFound, nearest
from agent0es.models.artifacts import Form
from agent0es.models.base import Capabilities, GenerationFailed, ModelUnavailable, RequestRefused, Weights
from agent0es.models.gguf_file import GgufFile
from agent0es.models.http import HttpClient, ServerRefused
from agent0es.models.http.faults import is_not_loaded
from agent0es.models.openai_compatible.options import Kind, OpenAiOptions
from agent0es.models.openai_compatible.router import load
from agent0es.models.openai_compatible.same_model import ServedModel, served_from, why_other_folder, why_other_model
from agent0es.models.openai_compatible.wire import Wire, checked

OWNERS: dict[str, Kind] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama-server",
    "organization_owner": "lm-studio",
}
"""What servers write as the owner of their models."""
KNOWN: tuple[Kind, ...] = ("vllm", "llama-server")
"""Servers of which it is known what they can do; others are tried."""
BEGUN = "One,\n two,\n"
"""A turn that has begun, to see whether the model is to continue it to the letter."""


class Meta(ServedModel):
    """What llama-server says of a model that is loaded."""

    n_ctx: int | None = None
    ftype: str | None = None


class Card(Wire):
    """A model of `/v1/models`, with what some servers say more."""

    id: str
    owned_by: str | None = None
    root: str | None = None
    """The folder or name that vLLM was started with."""
    aliases: tuple[str, ...] = ()
    max_model_len: int | None = None
    context_length: int | None = None
    meta: Meta | None = None

    def is_called(self, name: str) -> bool:
        """Whether a user who says this name means this model: a file by its name, too."""
        path = PurePosixPath(self.id)
        return name in (self.id, *self.aliases, path.name, path.stem)


class Cards(Wire):
    data: tuple[Card, ...] = ()


class LmStudioCard(Wire):
    id: str
    loaded_context_length: int | None = None
    quantization: str | None = None


class LmStudioCards(Wire):
    data: tuple[LmStudioCard, ...] = ()


class Slot(Wire):
    n_ctx: int | None = None


class Properties(Wire):
    """llama-server's `/props`."""

    default_generation_settings: Slot = Slot()
    role: str | None = None
    """`router` of one that starts a server for each model."""
    model_ftype: str | None = None


class Rendered(Wire):
    prompt: str = Field(max_length=1_000_000)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a server and its model."""

    kind: Kind
    model: str
    """As requests name it."""
    label: str
    """As the log names it: with its quantization, where that is known."""
    capabilities: Capabilities


async def list_cards(client: HttpClient, api: str) -> tuple[Card, ...] | None:
    """The models of a server; None where it has no list. Raises ModelUnavailable, after one try; a server that is
    loading its model is waited for."""
    try:
        return checked(client.where, Cards, await client.get(f"{api}/models", tries=1)).data
    except ServerRefused as refused:
        if refused.fault.status in (404, 405):
            return None
        raise
    except GenerationFailed as failed:  # whoever looks does not wait for a server that is not there
        raise ModelUnavailable(str(failed)) from None


async def look(
    client: HttpClient, api: str, base_url: str, name: str, options: OpenAiOptions, weights: Weights | None = None
) -> Facts:
    """All that must be known before the first question. `weights` are those that training starts from.

    Raises ModelNotFound for a model that is not there, ConfigurationError for weights of another one, and as
    `HttpClient.ask` does, after one try.
    """
    cards = await list_cards(client, api)
    card = _of_name(cards, name)
    if cards and card is None:
        there = nearest(name, [one_line(one.id, 100) for one in cards])
        raise ModelNotFound(f"{client.where}: it has no model {name!r}; {there}; mend models.<role>.name")
    kind = options.server or _kind(card, base_url)
    model, label, context = card.id if card else name, name, context_of(card)
    if kind == "llama-server":
        found = await _properties(client, model)
        if card is not None and card.meta is None:  # a router knows more once the model is loaded
            card = _of_name(await list_cards(client, api), name)
            context = context_of(card)
        context = context or found.default_generation_settings.n_ctx
        label = _labelled(name, found.model_ftype or (card.meta.ftype if card and card.meta else None))
    elif kind == "lm-studio":
        shown = await _lm_studio(client, model)
        context, label = shown.loaded_context_length or context, _labelled(name, shown.quantization)
    if weights is not None and card is not None:
        served = card.meta or (served_from(card.root) if kind == "vllm" and card.root else ServedModel())
        if weights.path.is_dir():
            why = why_other_folder(served, weights.path)
        else:
            why = why_other_model(served, GgufFile.open(weights.path))
        if why:
            raise ConfigurationError(
                f"{client.where}: models.<role>.options.weights: {weights.path} is not the model {label}: {why}"
            )
    logprobs, sampling = await _tried(client, api, model, kind, options)
    local = kind != "openai" and kind != "other"
    capabilities = Capabilities(
        logprobs=_said(options.logprobs, logprobs),
        token_ids=kind in ("vllm", "llama-server"),
        structured_output=_said(options.structured_output, local or kind == "openai"),
        adapters=await _adapters(client, kind, options),
        prefill=options.prefill if options.prefill is not None else await _continues(client, kind, model),
        sampling=_said(options.sampling, sampling),
        seeds=_said(options.seeds, kind in ("vllm", "llama-server", "lm-studio")),
        context=min((one for one in (context, options.context) if one), default=None),
        embeddings=options.embeddings if options.embeddings is not None else await _embeds(client, api, model, kind),
        priced=local,
    )
    return Facts(kind, model, label, capabilities)


def _of_name(cards: tuple[Card, ...] | None, name: str) -> Card | None:
    return next((one for one in cards or () if one.is_called(name)), None)


async def _properties(client: HttpClient, model: str) -> Properties:
    """A llama-server's. A router that loads nothing by itself is told to load the model."""
    path = f"/props?model={quote(model, safe='')}"
    try:
        said = await client.get(path, tries=1)
    except ServerRefused as refused:
        if not is_not_loaded(refused.fault):
            raise
        await load(client, model)
        said = await client.get(path, tries=1)
    return checked(client.where, Properties, said)


def _said(option: bool | None, found: bool) -> bool:
    return found if option is None else option


def _kind(card: Card | None, base_url: str) -> Kind:
    if urlsplit(base_url).hostname == "api.openai.com":
        return "openai"
    return OWNERS.get((card.owned_by or "") if card else "", "other")


def context_of(card: Card | None) -> int | None:
    """Most tokens that the model reads and writes together, where its card says it."""
    if card is None:
        return None
    return card.max_model_len or (card.meta.n_ctx if card.meta else None) or card.context_length


def _labelled(name: str, quantization: str | None) -> str:
    """`qwen2.5-7b:Q4_K_M`, unless the name says it."""
    stem = PurePosixPath(name).stem if name.endswith(".gguf") else name
    return stem if not quantization or quantization.lower() in stem.lower() else f"{stem}:{one_line(quantization, 20)}"


async def _lm_studio(client: HttpClient, model: str) -> LmStudioCard:
    cards = checked(client.where, LmStudioCards, await client.get("/api/v0/models", tries=1)).data
    return next((one for one in cards if one.id == model), LmStudioCard(id=model))


async def _tried(client: HttpClient, api: str, model: str, kind: Kind, options: OpenAiOptions) -> tuple[bool, bool]:
    """(whether it gives log-probabilities, whether it takes a temperature), by asking for a word. What the user has
    said is not asked for."""
    if kind in KNOWN or None not in (options.logprobs, options.sampling):
        return True, True
    longest = "max_completion_tokens" if kind == "openai" else "max_tokens"
    body = {
        **options.extra_body,
        "model": model,
        "messages": [{"role": "user", "content": "Say yes."}],
        longest: 16,
    }
    warmth: dict[str, Any] = {} if options.sampling is False else {"temperature": 0.5}
    sure: dict[str, Any] = {"logprobs": True, "top_logprobs": 1}
    for more in ({**sure, **warmth}, warmth) if options.logprobs is None else (warmth,):
        try:
            answer = await client.post(f"{api}/chat/completions", {**body, **more}, tries=1)
        except RequestRefused:
            continue
        except ServerRefused as refused:
            if refused.fault.status == 403 and "logprobs" in more and "logprobs" in refused.fault.words:
                continue  # so OpenAI says it of some models
            raise
        return "logprobs" in more and _has_logprobs(answer), "temperature" in more
    return False, False


def _has_logprobs(answer: Any) -> bool:
    try:
        return bool(answer["choices"][0]["logprobs"]["content"])
    except (KeyError, IndexError, TypeError):
        return False


async def _adapters(client: HttpClient, kind: Kind, options: OpenAiOptions) -> frozenset[Form]:
    """Which adapters it loads while it runs. vLLM does where it was started so; its route is there then. llama-server
    does in router mode, by a file that both of us see."""
    if kind == "llama-server" and options.presets is not None:
        if checked(client.where, Properties, await client.get("/props", tries=1)).role == "router":
            return frozenset({"lora-gguf", "merged"})
        raise ModelUnavailable(
            f"{client.where}: models.<role>.options.presets is set, but this llama-server serves one model; start it "
            f"as llama-server --models-preset {options.presets}, without --model"
        )
    if kind != "vllm":
        return frozenset()
    try:
        await client.get("/v1/load_lora_adapter", tries=1)
    except ServerRefused as refused:
        return frozenset({"peft"}) if refused.fault.status == 405 else frozenset()
    return frozenset()


async def _continues(client: HttpClient, kind: Kind, model: str) -> bool:
    """Whether a turn that has begun is continued to the letter. llama-server shows the prompt that it would read."""
    if kind != "llama-server":
        return kind in ("vllm", "sglang")
    turns = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": BEGUN}]
    try:
        shown = await client.post("/apply-template", {"model": model, "messages": turns}, tries=1)
        return checked(client.where, Rendered, shown).prompt.endswith(BEGUN)
    except (RequestRefused, ServerRefused):
        return False


async def _embeds(client: HttpClient, api: str, model: str, kind: Kind) -> bool:
    """Whether it makes vectors, where asking is free."""
    if kind not in KNOWN:
        return False
    try:
        await client.post(f"{api}/embeddings", {"model": model, "input": ["a"]}, tries=1)
    except (RequestRefused, ServerRefused):
        return False
    return True
