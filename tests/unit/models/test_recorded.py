"""The backend that replays a run: the same contents, and a clear word for what it has not."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.domain.prompt import Message, Part, Prompt, Tokens
from agent0es.domain.task import Solution
from agent0es.domain.uncertainty import confidence
from agent0es.errors import ConfigurationError, ModelNotFound, NotRecorded, RunNotFound, StoreError
from agent0es.log import EventLog, NewEvent
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import Deployment, GenerationRequest, Usage
from agent0es.models.factory import create_backend
from agent0es.models.recorded import RecordedBackend, read_recording

PROMPT = Prompt(turns=(Part(role="user", text="What is 2 + 2?"),), prefill=(Part(text="Well, "),))
TOKENS = Tokens(ids=(4, 5, 6), logprobs=(-0.1, -0.1234, -0.1468))


def called(text: str = "Answer: 4", attempt: str | None = "1/0", **changes: object) -> ev.ModelCalled:
    values = {
        "role": "student",
        "task": 1,
        "attempt": attempt,
        "model": "m",
        "adapter": None,
        "prompt": PROMPT,
        "text": text,
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "finish_reason": "stop",
        "temperature": 0.6,
        "seed": 5,
        "mean_logprob": -0.1234,
        "tokens": TOKENS,
    }
    return ev.ModelCalled.model_validate({**values, **changes})


def submitted(value: float, attempt: str = "1/0") -> ev.SolutionSubmitted:
    solution = Solution(answer="4", confidence=value, tool_calls=0, tool_errors=0, observed=False)
    return ev.SolutionSubmitted(attempt=attempt, task=1, solution=solution)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with EventLog.open(tmp_path / "log.db") as log:
        for event in (called(), called("Answer: 5", adapter="student-1", attempt="2/0")):
            log.append([NewEvent(f"attempt/r/{event.attempt}", event)], handler="solve")
    return tmp_path


REQUEST = GenerationRequest(PROMPT.messages, 8, "Well, ", temperature=0.6, stop=("\n",), seed=5)


async def test_a_request_is_answered_as_it_was(store: Path) -> None:
    backend = create_backend("recorded", f"{store}:r")
    assert isinstance(backend, RecordedBackend) and backend.name == "m"
    await backend.deploy(Deployment("student-1", Artifacts(store, {})))
    [base], [adapted] = await backend.generate([REQUEST]), await backend.generate([REQUEST], "student-1")
    assert (base.text, adapted.text) == ("Answer: 4", "Answer: 5")
    assert (base.usage, base.finish_reason) == (Usage(7, 3), "stop")
    assert (base.token_ids, base.logprobs) == (TOKENS.ids, TOKENS.logprobs)
    assert (base.adapter, adapted.adapter) == (None, "student-1")


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"seed": 6}, "has no answer to: seed 6, temperature 0.6, adapter none, 1 messages that end with"),
        ({"temperature": 0.0}, "no answer to: seed 5, temperature 0.0"),
        ({"messages": (Message("user", "\x1b[2Jwhat?"),)}, r"end with '\x1b[2Jwhat?Well, '"),
        ({"prefill": "Well"}, "end with 'What is 2 + 2?Well'"),
        ({"max_tokens": 2}, "has an answer, but not within 2 tokens"),
        ({"stop": ("4",)}, "not within 8 tokens and before '4'"),
    ],
)
async def test_what_was_not_recorded_is_named(store: Path, changes: dict[str, object], missing: str) -> None:
    backend = RecordedBackend(str(store), "r")
    with pytest.raises(NotRecorded, match=re.escape(missing)) as refused:
        await backend.generate([replace(REQUEST, **changes)])  # type: ignore[arg-type]
    assert f"run r in {store}" in str(refused.value) and str(refused.value).isprintable()


async def test_only_adapters_that_answered_can_be_deployed(store: Path) -> None:
    backend = RecordedBackend(f"sqlite:///{store}/log.db", "r")
    with pytest.raises(ModelNotFound, match=r"adapter student-2 answered nothing in run r .*there are: student-1"):
        await backend.deploy(Deployment("student-2", Artifacts(store, {})))


def test_a_recording_that_is_not_there_is_refused_at_once(store: Path, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match=r"there is no run q in .*the latest are: r"):
        create_backend("recorded", f"{store}:q")
    with pytest.raises(StoreError, match="there is no log"):
        create_backend("recorded", f"{tmp_path / 'nowhere'}:r")
    with pytest.raises(ConfigurationError, match="must be STORE:RUN"):
        create_backend("recorded", "latest")
    with pytest.raises(ModelNotFound, match="no such model"):
        create_backend("recorded", f"{store}:r", weights="no.gguf")


async def test_of_a_recording_without_tokens_the_mean_is_known(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([NewEvent("attempt/r/1/0", called(tokens=None))], handler="solve")
    [completion] = await RecordedBackend(str(tmp_path), "r").generate([REQUEST])
    assert (completion.token_ids, completion.logprobs, completion.mean_logprob) == (None, None, -0.1234)


def test_means_and_confidence_come_out_as_they_were() -> None:
    """Without tokens, log-probabilities are known as rounded means, and the confidence is made of them unrounded."""
    rng = random.Random(1)
    for _ in range(500):
        scale = rng.choice([1e-4, 0.01, 0.5, 4.0])
        turns = [[-rng.random() * scale for _ in range(rng.randint(1, 30))] for _ in range(rng.randint(1, 3))]
        original = [
            called(seed=n, tokens=None, completion_tokens=len(turn), mean_logprob=round(sum(turn) / len(turn), 4))
            for n, turn in enumerate(turns)
        ]
        wanted = round(confidence([logprob for turn in turns for logprob in turn]), 4)
        answers = [answer for [answer] in read_recording([*original, submitted(wanted)]).answers.values()]
        assert [round(answer.mean_logprob or 0.0, 4) for answer in answers] == [one.mean_logprob for one in original]
        replayed = [[answer.mean_logprob or 0.0] * answer.called.completion_tokens for answer in answers]
        assert round(confidence([logprob for turn in replayed for logprob in turn]), 4) == wanted


def test_an_attempt_that_came_to_its_end_goes_before_one_that_was_cut_off() -> None:
    events = [
        called("first"),
        ev.AttemptAbandoned(attempt="1/0", task=1, retried_as="1/0.1", reason="killed"),
        called("second", attempt="1/0.1"),
        submitted(0.9, "1/0.1"),
    ]
    [answers] = read_recording(events).answers.values()
    assert [answer.called.text for answer in answers] == ["second", "first"]
