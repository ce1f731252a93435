"""Tool calls of an attempt: what is refused, what is recorded, and the working directory that follows them."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent0es.agents.student import NO_CALLS_LEFT, UNREADABLE
from agent0es.domain import events as ev
from agent0es.domain.run import RunState, evolve
from agent0es.domain.task import Task
from agent0es.domain.workdir import files_sha256
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog, History, NewEvent
from agent0es.log.mapper import encode_content
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts.retry import Retries
from agent0es.rollouts.rollout import Attempted, Problem, Rollout, Student, roll_out
from agent0es.rollouts.toolbox import Limits, Toolbox
from agent0es.rollouts.verifying import VerifierCalls
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult, WrittenFile
from agent0es.tools.policy import Rates
from tests.support import world

TASK = Task(
    domain="math", family="product", parameters={}, wording=0, description="d", reference="1", reference_action="",
    difficulty=0.0, files={"a.txt": "old", "b.txt": "stays"},
)  # fmt: skip


class Writer:
    """Writes its input to new.txt and removes a.txt; remembers the files that it was given."""

    name, description, allowed = "python", "", ()
    schema: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.given: list[Mapping[str, str]] = []

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        self.given.append(files)
        after = {**{path: held for path, held in files.items() if path != "a.txt"}, "new.txt": text}
        written = (WrittenFile("new.txt", len(text), "0" * 64, text),)
        return ToolResult("ok", text, 0, 1, 0, 0.0, 0.0, 0.0, "memory", files=after, written=written)


def toolbox(tool: Writer) -> Toolbox:
    return Toolbox({"python": tool, "math": tool, "tests": tool}, world.agree, "memory", Rates(lambda: 0.0))


def solve(tool: Writer, calls: list[str], *settings: str) -> tuple[Attempted, list[ev.Event]]:
    """An attempt at the task, and what it recorded."""
    recorded: list[ev.Event] = []

    async def record(events: Sequence[NewEvent]) -> None:
        recorded.extend(one.event for one in events)

    words, domain = iter(calls), world.SmallDomain()
    configuration = world.configured("tools.calls_per_attempt=4", *settings)
    rollout = Rollout(
        stream="attempt/r/1/0",
        problem=Problem("1/0", 1, domain.system, "d", 1, files=TASK.files),
        student=Student(None, configuration.models.student, 0.0),
        limits=Limits.of(domain, configuration.tools),
        questions=configuration.execution.reflection,
    )
    model = ScriptedBackend(lambda request, adapter: next(words))
    done = asyncio.run(roll_out(rollout, model, toolbox(tool), record))
    return done, [*recorded, *(one.event for one in done.pending)]


def started() -> dict[str, Any]:
    fields: dict[str, Any] = {"seed": 1, "configuration": {}, "code_version": "1", "weights": {}}
    return fields | ({"domains": ("math",)} if "domains" in ev.RunStarted.model_fields else {})


def called(events: list[ev.Event]) -> list[ev.ToolCalled]:
    return [event for event in events if isinstance(event, ev.ToolCalled)]


def test_the_working_directory_follows_the_calls() -> None:
    tool = Writer()
    done, events = solve(tool, ["Action: python[one]\n", "Action: python[two]\n", "Answer: 1"])
    assert tool.given == [TASK.files, {"b.txt": "stays", "new.txt": "one"}]
    assert done.files == {"b.txt": "stays", "new.txt": "two"}
    assert [event.deleted for event in called(events)] == [("a.txt",), ()]
    requested = [event for event in events if isinstance(event, ev.ToolRequested)]
    assert [event.files_sha256 for event in requested] == [files_sha256(files) for files in tool.given]
    assert {event.tier for event in requested} == {"memory"}
    assert all(event.policy_sha256 for event in requested)


def test_half_a_character_in_a_models_json_stops_nothing() -> None:
    calls = ['{"tool": "python", "input": "print(\'\\ud83d\')"}', '{"answer": "\\ud83d\\ud83d"}']
    done, events = solve(Writer(), calls)
    assert done.solution.answer == "\ufffd\ufffd"
    assert [event.input for event in events if isinstance(event, ev.ToolRequested)] == ["print('\ufffd')"]
    for event in events:
        encode_content(event)


def test_the_state_folds_to_the_same_files() -> None:
    done, events = solve(Writer(), ["Action: python[one]\n", "Answer: 1"])
    asked = ev.TaskRequested(
        task=1, iteration=1, domain="math", source="families", families={}, novelty_bar=0.0, seed=1
    )
    accepted = ev.TaskProposed(
        task=1, iteration=1, proposal=TASK, novelty=1.0, nearest=None, attempts=1, seed=1, demonstrations=0
    )
    state = RunState()
    for event in (asked, accepted, *events):
        state = evolve(state, event)
    assert state.in_flight[1].attempts["1/0"].files == done.files
    theirs = called(events)[0].model_copy(update={"call": "1/0#v", "deleted": ("b.txt",)})
    assert evolve(state, theirs).in_flight[1].attempts["1/0"].files == done.files, "a verifier's call changes nothing"


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("tools.of={python: {calls_per_attempt: 1}}", "RateError: python may be called 1 times an attempt"),
        ("tools.calls_per_minute=1", "RateError: 1 tool calls a minute are allowed; try again in 60 s"),
        ("tools.of={python: {calls_per_minute: 1}}", "RateError: 1 calls of python a minute are allowed"),
    ],
)
def test_one_call_too_many_is_an_observation_and_an_event(setting: str, line: str) -> None:
    tool = Writer()
    _, events = solve(tool, ["Action: python[1]\n", "Action: python[2]\n", "Answer: 1"], setting)
    first, second = called(events)
    assert (first.status, second.status, second.denied) == ("ok", "denied", ("rate",))
    assert second.output.startswith(line)
    assert len(tool.given) == 1
    prompts = [event.prompt.begun for event in events if isinstance(event, ev.ModelCalled)]
    assert f"Observation: {line}" in prompts[-1]


REFLECTION = "execution.reflection=[confidence, critique]"


def test_a_student_is_asked_about_the_answer_that_it_gave() -> None:
    words = ["Action: python[one]\n", "Answer: 1", "I am 70% sure", "No, it is two"]
    done, events = solve(Writer(), words, REFLECTION)
    kinds = [event.type for event in events]
    assert kinds[kinds.index("ToolCalled") + 1 :] == ["ModelCalled", *["ModelCalled", "Reflected"] * 2]
    _, _, *asked = [event for event in events if isinstance(event, ev.ModelCalled)]
    assert [(event.question, event.temperature) for event in asked] == [("confidence", 0.0), ("critique", 0.0)]
    assert [event.text for event in asked] == ["I am 70% sure", "No,"], "a verdict is one token"
    for event in asked:
        said = [message.content for message in event.prompt.messages]
        assert said[2] == "Action: python[one]\nObservation: one\nAnswer: 1" and "I am 70% sure" not in said
    stated, critique = [event for event in events if isinstance(event, ev.Reflected)]
    assert stated == ev.Reflected(attempt="1/0", task=1, question="confidence", confidence=0.7)
    assert critique.confidence == pytest.approx((1 - math.exp(asked[1].mean_logprob or 0)) / 2, abs=1e-4)
    without, _ = solve(Writer(), words[:2])
    assert done.solution == without.solution, "what it says of the answer is no part of it"


def test_a_student_without_an_answer_is_not_asked() -> None:
    _, events = solve(Writer(), ["I give up"], REFLECTION)
    assert [event.type for event in events] == ["AttemptStarted", "ModelCalled"]


def test_by_default_a_student_is_not_asked() -> None:
    _, events = solve(Writer(), ["Answer: 1"])
    assert [event.type for event in events] == ["AttemptStarted", "ModelCalled"]


def test_a_question_is_put_once() -> None:
    with pytest.raises(ConfigurationError, match=r"execution\.reflection: critique is given twice"):
        world.configured("execution.reflection=[critique, critique]")


def test_a_tool_that_is_not_enabled_is_refused_though_a_verifier_may_call_it() -> None:
    tool = Writer()
    _, events = solve(tool, ["Action: tests[x]\n", "Answer: 1"])
    [refused] = called(events)
    assert (refused.status, refused.output) == ("denied", "Unknown tool 'tests'; there are: python, math")
    assert tool.given == []


def test_a_verifiers_call_gets_its_files_and_says_so() -> None:
    tool, recorded = Writer(), []

    async def record(events: Sequence[NewEvent]) -> None:
        recorded.extend(one.event for one in events)

    limits = Limits.of(world.SmallDomain(), world.configured("tools.of={tests: {calls_per_attempt: 0}}").tools)
    with EventLog.open(":memory:") as log:
        log.append([NewEvent("run/r", ev.RunStarted.model_validate(started()))], handler="cli")
        calls = VerifierCalls("r", History.of(log, "r"), toolbox(tool), Retries(0))
        needed = NeedsCall("tests", "code", {"tests.json": "[]"})
        asyncio.run(calls.of("1/0", limits, record)(needed, "verification"))
    assert tool.given == [{"tests.json": "[]"}]
    asked = recorded[0]
    assert isinstance(asked, ev.ToolRequested)
    assert (asked.call, asked.files_sha256) == ("1/0#v", files_sha256({"tests.json": "[]"}))


TURNS = ("models.student.observations=turns", "models.student.reminders=1", "models.student.temperature=0.5")


def test_in_a_chat_the_model_reads_who_said_what_and_continues_no_turn() -> None:
    done, events = solve(Writer(), ["Action: python[one]", "Hm.", "Answer: 1"], *TURNS)
    asked = [event for event in events if isinstance(event, ev.ModelCalled)]
    assert [event.prompt.begun for event in asked] == ["", "", ""]
    assert [(turn.role, turn.text) for turn in asked[-1].prompt.turns] == [
        ("user", "d"),
        ("assistant", "Action: python[one]"),
        ("user", "Observation: one"),
        ("assistant", "Hm."),
        ("user", UNREADABLE),
    ]
    assert len({event.seed for event in asked}) == 3
    assert done.solution.answer == "1" and done.solution.tool_calls == 1


def test_in_a_chat_the_answer_after_the_last_call_does_not_explore() -> None:
    _, events = solve(Writer(), ["Action: python[one]", "Answer: 1"], *TURNS, "tools.calls_per_attempt=1")
    asked = [event for event in events if isinstance(event, ev.ModelCalled)]
    assert [event.temperature for event in asked] == [0.0, 0.0]
    assert asked[1].prompt.turns[-1].text == f"Observation: one\n{NO_CALLS_LEFT}"


def test_in_a_chat_a_verdict_may_have_words_around_it_and_counts_by_its_own_probability() -> None:
    words = ["Answer: 1", "**Confidence:** I am 80% sure", "No, 3 and 4 are 7."]
    _, events = solve(Writer(), words, *TURNS, REFLECTION)
    _, stated, critique = [event for event in events if isinstance(event, ev.ModelCalled)]
    assert (stated.text, critique.text, stated.prompt.begun) == (*words[1:], "")
    said = [event.confidence for event in events if isinstance(event, ev.Reflected)]
    assert critique.tokens is not None and critique.tokens.logprobs is not None and critique.completion_tokens > 1
    assert said == [0.8, pytest.approx((1 - math.exp(critique.tokens.logprobs[0])) / 2, abs=1e-4)]
