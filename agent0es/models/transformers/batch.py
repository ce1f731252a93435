"""Answering with a model in memory: one token more for every request in each step, and new ones join between two."""

import inspect
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch import Tensor

from agent0es.models import engine_child
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import RequestRefused, WrongWeights
from agent0es.models.engine_child import before_stop, surely_before_stop, tell, without_cut_off
from agent0es.models.engine_messages import Answered, Ask, EngineRequest, FromEngine, Generated, Missing, Refused
from agent0es.models.transformers.adapters import Adapters
from agent0es.models.transformers.cohort import Cohort, is_plain
from agent0es.models.transformers.loading import NO_ROOM, Loaded
from agent0es.models.transformers.prefixes import Prefixes
from agent0es.models.transformers.sampling import choose
from agent0es.models.transformers.schemas import Schemas
from agent0es.models.transformers.settings import Settings

_BEFORE = 4
"""Tokens of the prompt that are decoded with what follows: some tokenizers drop the space before the first word."""


@dataclass(eq=False, slots=True)
class Row:
    """A request that is being written."""

    number: int
    request: EngineRequest
    stream: bool
    prompt: list[int]
    shared: int
    """How many of the prompt's first tokens other requests have too."""
    matcher: Any
    """What keeps it to its JSON schema, or None."""
    chance: Random
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    told: str = ""
    """Text that the parent has been told of."""
    cancelled: bool = False


class Batch(engine_child.Batch):
    """A model and the requests that it works on."""

    def __init__(self, loaded: Loaded, settings: Settings) -> None:
        self.step_seconds = settings.step_seconds
        self._settings, self._loaded = settings, loaded
        self._adapters = Adapters(loaded.model)
        self._takes = inspect.signature(loaded.model.forward).parameters
        vocabulary = loaded.model.config.get_text_config().vocab_size
        self._schemas = Schemas(loaded.tokenizer, vocabulary, loaded.ends)
        self._prefixes = Prefixes()
        # Between a beginning and the rest there is what fills up shorter rows, and a window would count it.
        self._shares = settings.prefix_cache and is_plain(self._new_cache())
        self._waiting: deque[Ask] = deque()
        self._cohorts: list[Cohort] = []

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._cohorts)

    def add(self, ask: Ask) -> None:
        self._waiting.append(ask)

    def cancel(self, number: int) -> None:
        self._waiting = deque(ask for ask in self._waiting if ask.number != number)
        for row in self._rows():
            row.cancelled |= row.number == number

    def deploy(self, name: str, artifacts: Artifacts) -> None:
        self._adapters.deploy(name, artifacts)

    def retire(self, name: str) -> list[FromEngine]:
        """Those whom it was answering are told so."""
        asked = [ask.number for ask in self._waiting if ask.request.adapter == name]
        asked += [row.number for row in self._rows() if row.request.adapter == name]
        for number in asked:
            self.cancel(number)
        self._drop_cancelled()
        self._prefixes.forget(name)
        self._adapters.retire(name)
        return [Missing(number, f"adapter {name} was retired while it answered", wrong=False) for number in asked]

    def step(self) -> list[FromEngine]:
        try:
            return self._step()
        except torch.OutOfMemoryError as error:
            asked = len(self._rows()) + len(self._waiting)
            raise MemoryError(f"the GPU's memory is too small for {asked} requests; {NO_ROOM}") from error

    @torch.inference_mode()
    def _step(self) -> list[FromEngine]:
        told: list[FromEngine] = []
        self._drop_cancelled()
        for cohort in self._cohorts:
            self._write(cohort, self._forward(cohort, cohort.tokens, cohort.positions), told)
        if rows := self._admit(told):
            new = self._read(rows, told)
            self._cohorts = self._joined(new)
        self._cohorts = [cohort for cohort in self._cohorts if cohort.rows]
        return told

    def _rows(self) -> list[Row]:
        return [row for cohort in self._cohorts for row in cohort.rows]

    def _drop_cancelled(self) -> None:
        for cohort in self._cohorts:
            cohort.keep([place for place, row in enumerate(cohort.rows) if not row.cancelled])
        self._cohorts = [cohort for cohort in self._cohorts if cohort.rows]

    def _joined(self, new: Cohort) -> list[Cohort]:
        """All cohorts, the new one with the first that it can join."""
        if not new.rows:
            return self._cohorts
        for place, cohort in enumerate(self._cohorts):
            if cohort.rows and (joined := cohort.joined(new)) is not None:
                return [*self._cohorts[:place], joined, *self._cohorts[place + 1 :]]
        return [*self._cohorts, new]

    def _admit(self, told: list[FromEngine]) -> list[Row]:
        """Requests to be read in one step: those that share a beginning, as many as there is room for."""
        room = self._settings.max_batch - len(self._rows())
        admitted: list[Row] = []
        longest = 0
        while self._waiting and len(admitted) < room:
            ask = self._waiting[0]
            try:
                row = self._row(ask)
            except RequestRefused as error:
                told.append(Refused(ask.number, str(error)))
                self._waiting.popleft()
                continue
            if missing := self._adapters.why_not(ask.request.adapter):
                told.append(Missing(ask.number, str(missing), isinstance(missing, WrongWeights)))
                self._waiting.popleft()
                continue
            longest = max(longest, len(row.prompt) - row.shared)
            if admitted and (
                longest * (len(admitted) + 1) > self._settings.max_batched_tokens
                or self._begins(row) != self._begins(admitted[0])
            ):
                break
            admitted.append(row)
            self._waiting.popleft()
        return admitted

    def _begins(self, row: Row) -> tuple[str | None, tuple[int, ...]]:
        """Rows that begin alike are read together."""
        return (row.request.adapter if row.shared else None, tuple(row.prompt[: row.shared]))

    def _row(self, ask: Ask) -> Row:
        """Raises RequestRefused."""
        request = ask.request
        prompt = self._encoded(request.prompt)
        if not prompt:
            raise RequestRefused("the prompt is empty")
        if len(prompt) + request.max_tokens > self._settings.context:
            raise RequestRefused(
                f"a prompt of {len(prompt)} tokens and max_tokens {request.max_tokens} "
                f"exceed the context of {self._settings.context}"
            )
        shared = self._encoded(request.shared) if request.shared and self._shares else []
        fits = len(shared) < len(prompt) and prompt[: len(shared)] == shared
        matcher = self._schemas.matcher(request.json_schema) if request.json_schema is not None else None
        return Row(ask.number, request, ask.stream, prompt, len(shared) if fits else 0, matcher, Random(request.seed))

    def _read(self, rows: list[Row], told: list[FromEngine]) -> Cohort:
        """Read the prompts of rows that begin alike, and write their first tokens."""
        device, shared = self._loaded.device, rows[0].shared
        if not shared:
            cache = self._new_cache()
        else:
            cache = self._prefixes.of(self._begins(rows[0]), len(rows), lambda: self._read_prefix(rows[0]))
        rests = [row.prompt[shared:] for row in rows]
        width = max(map(len, rests))
        ids = torch.tensor([[0] * (width - len(rest)) + rest for rest in rests], device=device)
        read = [[1] * shared + [0] * (width - len(rest)) + [1] * len(rest) for rest in rests]
        mask = torch.tensor(read, device=device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
        cohort = Cohort(list(rows), cache, mask, positions[:, -1:], ids[:, -1:])
        self._write(cohort, self._forward(cohort, ids, positions, written=False), told)
        return cohort

    def _read_prefix(self, row: Row) -> Any:
        """A cache of one row that has read what this one shares with others."""
        ids = torch.tensor([row.prompt[: row.shared]], device=self._loaded.device)
        positions = torch.arange(row.shared, device=self._loaded.device)[None]
        cohort = Cohort([row], self._new_cache(), torch.ones_like(ids), positions, ids)
        self._forward(cohort, ids, positions, written=False)
        return cohort.cache

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._loaded.model.config.get_text_config())

    def _forward(self, cohort: Cohort, ids: Tensor, positions: Tensor, *, written: bool = True) -> Tensor:
        """Logits (rows, vocabulary) of the tokens that follow. `written`: the ids are those of the last step."""
        if written:
            cohort.mask = torch.cat([cohort.mask, cohort.mask.new_ones(len(ids), 1)], 1)
        some = {"position_ids": positions, "logits_to_keep": 1}  # which a few models do without
        output = self._adapters.model(
            input_ids=ids,
            attention_mask=cohort.mask,
            past_key_values=cohort.cache,
            use_cache=True,
            **{name: value for name, value in some.items() if name in self._takes},
            **self._adapters.keywords([row.request.adapter for row in cohort.rows]),
        )
        logits: torch.Tensor = output.logits
        return logits[:, -1].float()

    def _write(self, cohort: Cohort, logits: Tensor, told: list[FromEngine]) -> None:
        """Choose a token for each row, and let go of the rows that are finished."""
        rows: list[Row] = cohort.rows
        logprobs = logits.log_softmax(-1)
        for place, row in enumerate(rows):
            if row.matcher is not None:
                logits[place] = self._schemas.masked(row.matcher, logits[place])
        ids = choose(
            logits,
            logits.new_tensor([row.request.temperature for row in rows]),
            logits.new_tensor([row.request.top_p for row in rows]),
            logits.new_tensor([row.chance.random() for row in rows]),
        )
        chosen = logprobs.gather(1, ids[:, None])[:, 0].tolist()
        going_on = []
        for place, (row, token, logprob) in enumerate(zip(rows, ids.tolist(), chosen, strict=True)):
            row.token_ids.append(token)
            row.logprobs.append(logprob)
            if (answer := self._taken(row, told)) is None:
                going_on.append(place)
            else:
                told.append(Answered(row.number, answer))
        cohort.tokens, cohort.positions = ids[:, None], cohort.positions + 1
        cohort.keep(going_on)

    def _taken(self, row: Row, told: list[FromEngine]) -> Generated | None:
        """What a row's last token makes of it: an answer, or None where it goes on."""
        request, token = row.request, row.token_ids[-1]
        stop = tuple(filter(None, request.stop))
        over = token in self._loaded.ends or (row.matcher is not None and self._schemas.ends(row.matcher, token))
        text = self._text(row) if stop or row.stream or over or len(row.token_ids) >= request.max_tokens else ""
        if any(one in text for one in stop):
            over, text = True, before_stop(text, stop)
            without_cut_off(row.token_ids, row.logprobs, len(text), lambda ids: self._decoded(row, ids))
        elif not over and len(row.token_ids) < request.max_tokens:
            if row.stream:
                sure = surely_before_stop(text, stop)
                if not sure.endswith("\ufffd"):  # a character may still lack bytes: they come with a later token
                    tell(row, sure, told)
            return None
        if row.stream:
            tell(row, text, told)
        return Generated(
            text=text,
            token_ids=tuple(row.token_ids),
            logprobs=tuple(row.logprobs),
            finish_reason="stop" if over else "length",
            prompt_tokens=len(row.prompt),
            seconds=0.0,
        )

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = self._loaded.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _text(self, row: Row) -> str:
        return self._decoded(row, row.token_ids)

    def _decoded(self, row: Row, ids: list[int]) -> str:
        before = row.prompt[-_BEFORE:]
        ids = [one for one in ids if one not in self._loaded.ends]
        whole, known = (self._decode([*before, *more]) for more in (ids, []))
        return whole[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self._loaded.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
