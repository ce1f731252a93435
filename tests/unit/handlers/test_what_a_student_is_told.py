"""`models.student.prompt`: whether the student is told of its tools, in every prompt that it sees or learns from."""

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from agent0es.agents.student_prompt import opening, with_tools
from agent0es.bootstrap import domains_to_practise, open_ports, practised_domains
from agent0es.configuration import Configuration, load_configuration, parse_configuration
from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.log.mapper import decode_content
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from agent0es.runs.starting import NO_PARTS, start_run
from agent0es.tools.math import MathTool
from agent0es.tools.plan import PlanTool
from agent0es.tools.python import PythonTool
from tests.support import world
from tests.unit.tools.sandboxes import needs_sandbox

GOLDEN = Path(__file__).parents[1] / "log" / "golden"
PLAIN = "Solve the task. Use a tool, then give the answer."
TOLD = (
    "Solve the task. Use a tool, then give the answer.\n"
    "Tools:\n"
    "- python: runs Python code and shows what it prints, or the value of its last expression."
    " Input: an expression or a program\n"
    "To call a tool, write a line `Action: tool[input]` and stop; its result follows as `Observation: …`."
    " End with a line `Answer: …`."
)


def test_the_system_turn_says_what_tools_do_and_how_they_are_called() -> None:
    system = "Solve the task. Use a tool, then give the answer."
    assert with_tools(system, [PythonTool]) == TOLD
    both = with_tools(system, [MathTool, PythonTool]).splitlines()
    assert both[2].startswith(f"- math: {MathTool.description}. Input: an expression, an equation or LaTeX")
    assert both[3] == TOLD.splitlines()[2]


def test_a_schema_without_words_is_shown_as_it_is() -> None:
    line = with_tools("", [PlanTool]).splitlines()[2]
    assert json.loads(line.partition(" Input: JSON, ")[2]) == PlanTool.schema


def test_the_prompt_of_the_default_configuration_is_as_ever() -> None:
    every = load_configuration(overrides=["curriculum.domains=[math, logic, code, long_horizon]"], environment={})
    assert {name: domain.system for name, domain in practised_domains(every).items()} == {
        "math": "Solve the task. Use a tool, then give the answer.",
        "logic": "Solve the task. Use a tool, then give the answer.",
        "code": "Solve the task. Use a tool, then give the answer: a function in one line, or what a program prints.",
        "long_horizon": "Do the stages one after the other, a tool call for each, in the working directory."
        " Then give the answer.",
    }
    math = practised_domains(Configuration())["math"]
    assert opening(math.system, (), "Multiply 2 by 3.").messages == (("system", PLAIN), ("user", "Multiply 2 by 3."))


def test_the_tools_are_those_that_are_enabled_else_the_domains() -> None:
    def systems(*settings: str) -> list[str]:
        configuration = load_configuration(overrides=["models.student.prompt=tools", *settings], environment={})
        return [domain.system for domain in practised_domains(configuration).values()]

    assert systems("tools.enabled=[python]") == [TOLD]
    [math, code] = systems("curriculum.domains=[math, code]")
    assert [line.split(":")[0] for line in math.splitlines()[2:-1]] == ["- python", "- math"]
    assert [line.split(":")[0] for line in code.splitlines()[2:-1]] == ["- tests", "- python"]
    with pytest.raises(ConfigurationError, match="did you mean 'python'"):
        systems("tools.enabled=[pythn]")


GUIDED = ("models.student.prompt=guide", "curriculum.domains=[math, code]")


@pytest.mark.parametrize(
    ("enabled", "said"),
    [
        ("null", None),
        ("[python, tests, shell]", None),
        ("[python, math]", "the guide of code calls tests"),
        ("[math, tests]", "the guide of math calls python"),
    ],
)
def test_a_guide_that_calls_what_there_is_not_is_refused_before_a_run(enabled: str, said: str | None) -> None:
    def opened(*settings: str) -> list[str]:
        overrides = [*settings, f"tools.enabled={enabled}"]
        return list(domains_to_practise(load_configuration(overrides=overrides, environment={})))

    if said is None:
        assert opened(*GUIDED) == ["math", "code"]
        return
    with pytest.raises(ConfigurationError, match=f"{said}, which tools.enabled leaves out; .* set .* to tools"):
        opened(*GUIDED)
    assert opened("models.student.prompt=tools", GUIDED[1]) == ["math", "code"]
    with pytest.raises(ConfigurationError, match=rf"models\.student\.trained_prompt: {said}"):
        opened("models.student={prompt: tools, trained_prompt: guide}", GUIDED[1])


@needs_sandbox
def test_a_run_that_was_begun_with_such_a_guide_goes_on(tmp_path: Path) -> None:
    scripted = "{backend: scripted, name: 'tests.support.world:respond'}"
    models = [f"models.teacher={scripted}", f"models.student={scripted}", "training.roles=[]"]
    overrides = [*models, *GUIDED, "tools.enabled=[math, tests]"]
    configuration = load_configuration(overrides=overrides, environment={})

    async def opened(log: EventLog, run: str) -> list[str]:
        async with open_ports(tmp_path, log, run, configuration, lambda progress: None) as ports:
            return list(ports.domains)

    with EventLog.open(tmp_path / "log.db") as log:
        start_run(log, "begun", configuration, NO_PARTS)
        assert asyncio.run(opened(log, "begun")) == ["math", "code"]
        with pytest.raises(ConfigurationError, match="the guide of math calls python"):
            asyncio.run(opened(log, "new"))


@pytest.mark.parametrize(
    ("tools", "student", "prompt"),
    [
        ({"describe": False}, {}, "short"),
        ({"describe": True}, {}, "tools"),
        ({"describe": True}, {"prompt": "short"}, "tools"),
        ({"describe": True}, {"prompt": "guide"}, "guide"),
        ({}, {"prompt": "guide"}, "guide"),
    ],
)
@pytest.mark.parametrize("kind", ["RunStarted", "RunForked"])
def test_a_log_that_says_it_in_two_settings_is_read(
    kind: str, tools: dict[str, object], student: dict[str, object], prompt: str
) -> None:
    golden = json.loads((GOLDEN / f"{kind}@4.json").read_text())["content"]
    configuration = {"tools": {"timeout_seconds": 7.0, **tools}, "models": {"student": student}}
    event = decode_content(json.dumps({**golden, "configuration": configuration}).encode(), {})
    assert isinstance(event, ev.RunStarted | ev.RunForked)
    read = parse_configuration(event.configuration, "an old run")
    assert (read.models.student.prompt, read.tools.timeout_seconds) == (prompt, 7.0)


@pytest.mark.parametrize(
    ("prompt", "trained", "before", "after"),
    [("short", None, PLAIN, PLAIN), ("tools", None, TOLD, TOLD), ("tools", "short", TOLD, PLAIN)],
)
def test_who_has_an_adapter_is_told_what_its_rows_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: str, trained: str | None, before: str, after: str
) -> None:
    monkeypatch.setattr("agent0es.taskdomains.load_task_domains", lambda names, families: {"math": world.SmallDomain()})
    told = f"models.student={{prompt: {prompt}, trained_prompt: {trained or 'null'}}}"
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", told, "tools.enabled=[python]", "execution.iterations=2")
        configuration = configuration_of(log, "run")
        domains = practised_domains(configuration)
        ports = dataclasses.replace(world.ports(tmp_path, log, "run", configuration), domains=domains)
        asyncio.run(drive(ports, []))
        called = [recorded.event for recorded in log.read(run="run", types=["ModelCalled"])]
        rules = dataclasses.replace(world.rules(log, "run"), domains=domains)
        assert asyncio.run(verify_decisions(log, "run", rules)).difference is None

    student = [event for event in called if isinstance(event, ev.ModelCalled) and event.role == "student"]
    asked = {(event.attempt or "").startswith("eval"): set[bool]() for event in student}
    for event in student:
        asked[(event.attempt or "").startswith("eval")].add(event.adapter is not None)
        assert event.prompt.messages[0] == ("system", before if event.adapter is None else after)
    assert asked == {False: {False, True}, True: {False, True}}, "in practice and in evaluations, with and without"
    rows = [line for file in tmp_path.glob("datasets/**/*.jsonl") for line in file.read_text().splitlines()]
    assert rows and all(json.loads(row)["messages"][0] == {"role": "system", "content": after} for row in rows)
    teacher = [event for event in called if isinstance(event, ev.ModelCalled) and event.role == "teacher"]
    assert teacher and not any("Tools:" in event.prompt.plain() for event in teacher)
