"""What every backend keeps to. A subclass gives the fixture `backend` and the fixture `deployment`."""

import asyncio
import json

import pytest

from agent0es.domain.prompt import Message
from agent0es.errors import ModelNotFound
from agent0es.models.base import Deployment, GenerationRequest, ModelBackend

QUESTION = "Count from one to twenty in words, separated by commas."
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["n"],
    "additionalProperties": False,
}


def ask(question: str = QUESTION, max_tokens: int = 24, **options: object) -> GenerationRequest:
    """A question as one user turn."""
    return GenerationRequest((Message("user", question),), max_tokens, **options)  # type: ignore[arg-type]


class BackendContract:
    """One test per promise of the protocol."""

    async def test_answers_come_in_the_order_of_the_requests(self, backend: ModelBackend) -> None:
        requests = [ask(f"Say {n}.", 8, temperature=0.8, seed=n) for n in range(40)]
        together = await backend.generate(requests)
        assert len(together) == 40
        for request, completion in zip(requests, together, strict=True):
            assert completion.usage.written <= request.max_tokens
            for tokens in (completion.token_ids, completion.logprobs):
                assert tokens is None or len(tokens) == completion.usage.written
            assert all(logprob <= 0 for logprob in completion.logprobs or ())
            assert (completion.logprobs is not None) == backend.capabilities.logprobs
            assert completion.finish_reason in ("stop", "length")
            assert completion.usage.prompt > 0 and completion.seconds > 0
            assert (completion.model, completion.adapter) == (backend.name, None)

    async def test_many_tasks_may_ask_at_once(self, backend: ModelBackend) -> None:
        asked = [backend.generate([ask(f"Say {n}.", 6, seed=n)]) for n in range(40)]
        assert [len(answers) for answers in await asyncio.gather(*asked)] == [1] * 40

    async def test_nothing_asked_nothing_answered(self, backend: ModelBackend) -> None:
        assert await backend.generate([]) == []

    async def test_the_bound_on_tokens_holds(self, backend: ModelBackend) -> None:
        [completion] = await backend.generate([ask(max_tokens=3)])
        assert completion.usage.written == 3 and completion.finish_reason == "length"

    async def test_the_text_ends_before_a_stop_string(self, backend: ModelBackend) -> None:
        [free] = await backend.generate([ask()])
        stop = free.text.split()[2]
        [cut] = await backend.generate([ask(stop=(stop, "never written"))])
        assert cut.finish_reason == "stop"
        assert stop not in cut.text
        assert free.text.split(stop)[0].startswith(cut.text)
        assert cut.usage.written < free.usage.written

    async def test_a_stop_string_at_the_very_start_leaves_nothing(self, backend: ModelBackend) -> None:
        [free] = await backend.generate([ask()])
        [cut] = await backend.generate([ask(stop=(free.text[:1],))])
        assert (cut.text, cut.usage.written, cut.finish_reason) == ("", 0, "stop")

    async def test_a_seed_alone_decides(self, backend: ModelBackend) -> None:
        async def text(seed: int) -> str:
            [completion] = await backend.generate([ask(temperature=1.0, seed=seed)])
            return completion.text

        assert await text(2**63 + 5) == await text(2**63 + 5)
        assert len({await text(seed) for seed in range(4)}) > 1

    async def test_text_follows_a_json_schema(self, backend: ModelBackend) -> None:
        request = ask("Give a number as JSON.", 60, json_schema=SCHEMA)
        [completion] = await backend.generate([request])
        assert completion.finish_reason == "stop"
        assert json.loads(completion.text).keys() == {"n"}

    async def test_a_stream_gives_the_text_in_pieces(self, backend: ModelBackend) -> None:
        [completion] = await backend.generate([ask()])
        pieces = [piece async for piece in backend.stream(ask())]
        assert "".join(pieces) == completion.text
        assert len(pieces) > 3

    async def test_a_cancelled_task_leaves_the_backend_well(self, backend: ModelBackend) -> None:
        task = asyncio.create_task(backend.generate([ask(max_tokens=4000)] * 8))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [completion] = await backend.generate([ask(max_tokens=4)])
        assert completion.text
        assert (await backend.health()).ok

    async def test_an_adapter_answers_beside_the_base(self, backend: ModelBackend, deployment: Deployment) -> None:
        with pytest.raises(ModelNotFound, match=f"adapter {deployment.name} is not deployed"):
            await backend.generate([ask()], deployment.name)
        await backend.deploy(deployment)
        await backend.deploy(deployment)
        base, adapted = await asyncio.gather(backend.generate([ask()]), backend.generate([ask()], deployment.name))
        assert base[0].text and adapted[0].text
        assert (base[0].adapter, adapted[0].adapter) == (None, deployment.name)
        await backend.retire(deployment.name)
        await backend.retire("never deployed")
        with pytest.raises(ModelNotFound):
            await backend.generate([ask()], deployment.name)

    async def test_a_turn_that_has_begun_is_continued(self, backend: ModelBackend) -> None:
        [begun] = await backend.generate([ask(prefill="One, two, three, four,")])
        assert begun.text and not begun.text.startswith("One, two")
