"""The models of the four providers, by the list that comes with pydantic-ai: nobody is asked, and no key is needed."""

from collections.abc import Sequence

from genai_prices import calc_price
from pydantic_ai.models import infer_model_profile, known_model_names
from pydantic_ai.usage import RequestUsage

from agent0es.errors import ModelNotFound, UserError
from agent0es.models.cloud.providers import PROVIDERS
from agent0es.models.library import ListedModel, OnProgress, ShownModel

TOKENS = 1_000
"""For which the price is asked: of prompts that are much longer some providers ask more for each token."""


class CloudLibrary:
    """Providers have more models than are listed; any of theirs can be asked by its name."""

    async def list(self) -> Sequence[ListedModel]:
        return [_listed(name) for name in known_model_names() if name.partition(":")[0] in PROVIDERS]

    async def show(self, name: str) -> ShownModel:
        """Raises ModelNotFound for a provider that there is not."""
        provider, _, model = name.partition(":")
        if provider not in PROVIDERS or not model:
            raise ModelNotFound(f"cloud: a model is called PROVIDER:MODEL, with one of {', '.join(PROVIDERS)}")
        profile = infer_model_profile(name)
        able = PROVIDERS[provider].abilities(model, profile, None)
        return ShownModel(
            _listed(name),
            {
                "provider": provider,
                "key": " or ".join(PROVIDERS[provider].variables),
                "json_schema": bool(profile.get("supports_json_schema_output")),
                "sampling": able.sampling,
                "logprobs": able.logprobs,
                "thinking": bool(profile.get("supports_thinking")),
            },
        )

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Raises UserError: there is nothing to fetch."""
        raise UserError(f"{name}: a provider's model stays where it is; nothing is to be fetched")

    async def remove(self, name: str) -> None:
        await self.removable(name)

    async def removable(self, name: str) -> None:
        """Raises UserError: there is nothing to delete."""
        raise UserError(f"{name}: a provider's model stays where it is; nothing is to be deleted")


def _listed(name: str) -> ListedModel:
    provider, _, model = name.partition(":")
    return ListedModel(name, context=infer_model_profile(name).get("context_window"), detail=_prices(provider, model))


def price_of(provider: str, model: str) -> tuple[float, float] | None:
    """US dollars for a million tokens read, and written, in prompts of usual length; None where nobody knows."""
    try:
        read = calc_price(RequestUsage(input_tokens=TOKENS), model, provider_id=provider).total_price
        written = calc_price(RequestUsage(output_tokens=TOKENS), model, provider_id=provider).total_price
    except LookupError:
        return None
    each = 1_000_000 // TOKENS
    return float(read * each), float(written * each)


def _prices(provider: str, model: str) -> str:
    """The same in words; empty where nobody knows."""
    known = price_of(provider, model)
    return "" if known is None else f"${known[0]:g} read, ${known[1]:g} written, a million tokens each"
