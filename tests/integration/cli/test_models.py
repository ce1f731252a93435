"""`agent0es models`: what there is, and whether a run could start with the models of a configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent0es.cli.model_reports import lines
from agent0es.configuration import ModelSettings
from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.log import EventLog
from agent0es.models.base import Capabilities, Completion, Usage
from agent0es.runs.models import Checked, ConfiguredModel, ModelDoesNotAnswer
from tests.support.commands import answer, invoke, json_answer, json_answers
from tests.support.package import install
from tests.unit.models.test_weights import IN_PARTS, in_parts

__all__ = ["in_parts"]

SCRIPTED = [
    word
    for role in ("student", "teacher")
    for pair in ("backend=scripted", "name=tests.support.scripted:respond")
    for word in ("--set", f"models.{role}.{pair}")
]
SERVED = [word for role in ("student", "teacher") for word in ("--set", f"models.{role}.backend=served")]
SERVER = '''
from collections import Counter

from agent0es.models import Capabilities, Completion, GenerationFailed, RequestRefused, SimpleBackend, Usage
from agent0es.models.base import Health

asked, away, fault, able, longest = Counter(), [], [], {}, []


class Served(SimpleBackend):
    """Talks to a server that is well, or has a fault."""

    @classmethod
    def create(cls, name, *, cache=None, base_url=None, api_key_env=None, **options):
        made = cls()
        made.name, made.place = name, (base_url, api_key_env)
        made.capabilities = Capabilities(**{"logprobs": True, "structured_output": True, **able})
        return made

    async def health(self):
        return Health(ok=not away, detail=away[0] if away else self.name)

    async def complete(self, request):
        asked[self.place] += 1
        if fault:
            raise GenerationFailed(fault[0])
        if longest and sum(len(message.content) for message in request.messages) > longest[0]:
            raise RequestRefused(f"it exceeds the context of {able['context']}")
        return Completion("one, two", "stop", Usage(9, 3), "served:Q8", None, 0.1, logprobs=(-0.1,) * 3)
'''


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package whose backend talks to a server. The module, which counts what it is asked."""
    (tmp_path / "site").mkdir()
    install(monkeypatch, tmp_path / "site", "served_models", SERVER, {"agent0es.models": {"served": "Served"}})
    import served_models  # type: ignore[import-not-found]

    monkeypatch.setattr(served_models, "able", {})
    monkeypatch.setattr(served_models, "fault", [])
    monkeypatch.setattr(served_models, "away", [])
    monkeypatch.setattr(served_models, "longest", [])
    served_models.asked.clear()
    return served_models


def check(store: Path, *settings: str) -> tuple[int, list[Any]]:
    found = invoke(store, "models", "check", *settings, "--json")
    return found.exit_code, [json.loads(line) for line in found.stdout.splitlines()]


def test_embedded_models_are_listed_and_shown(tmp_path: Path) -> None:
    listed = {model["name"]: model for model in json_answers(tmp_path, "models", "list", *SCRIPTED)}
    assert listed["smollm2-135m-instruct"] == {
        "backend": "openvino", "base_url": None, "name": "smollm2-135m-instruct", "size": 98_362_432, "context": None,
        "here": True, "detail": "Q4_1",
    }  # fmt: skip
    assert "98 MB" in answer(tmp_path, "models", "list")
    shown = json_answer(tmp_path, "models", "show", "smollm2-135m-instruct", *SCRIPTED)
    assert (shown["context"], shown["license"]) == (8192, "apache-2.0")
    assert isinstance(invoke(tmp_path, "models", "show", "nothing").exception, ModelNotFound)


def test_a_model_in_parts_is_pulled_once_and_removed(in_parts: Path, tmp_path: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "store" / "base" / IN_PARTS.file

    def here() -> bool:
        return next(model["here"] for model in json_answers(store, "models", "list") if model["name"] == "in-parts")

    assert not here()
    assert answer(store, "models", "pull", "in-parts") == "in-parts is there (openvino)\n"
    assert here() and file.is_file()
    other = ["--set", "models.student.backend=scripted", "--set", "models.student.name=in-parts"]
    assert answer(store, "models", "pull", "in-parts", *other) == "in-parts is there (openvino)\n"
    assert json_answer(store, "models", "pull", "in-parts") == {"name": "in-parts", "backend": "openvino"}
    assert isinstance(invoke(store, "models", "pull", "nothing").exception, ModelNotFound)
    assert isinstance(invoke(store, "models", "rm", "smollm2-135m-instruct").exception, ConfigurationError)
    file.write_bytes(b"")  # one that was broken can be removed, too
    assert invoke(store, "models", "rm", "in-parts").exit_code == 1 and file.exists()
    assert answer(store, "models", "rm", "in-parts", "--yes") == "in-parts is deleted (openvino)\n"
    assert not file.exists() and not here()
    assert isinstance(invoke(store, "models", "rm", "in-parts").exception, ModelNotFound)


def test_of_the_configured_models_those_are_pulled_that_can_be(in_parts: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.gguf"
    there.touch()
    scripted = ["--set", "models.teacher.backend=scripted", "--set", "models.teacher.name=a:b"]
    for teacher, failed in ((scripted, ConfigurationError), (["--set", f"models.teacher.name={there}"], type(None))):
        found = invoke(tmp_path, "models", "pull", *teacher, "--set", "models.student.name=in-parts")
        assert "in-parts is there (openvino)\n" in found.stdout and isinstance(found.exception, failed)


def test_backends_that_can_not_tell_say_so(tmp_path: Path) -> None:
    said = invoke(tmp_path, "models", "pull", "x", "--backend", "scripted").exception
    assert str(said) == "scripted: this backend can't tell which models there are"
    found = invoke(tmp_path, "models", "list", "--backend", "scripted")
    assert (found.exit_code, found.stderr) == (2, "scripted: this backend can't tell which models there are\n")
    said = invoke(tmp_path, "models", "list", "--base-url", "http://host").exception
    assert isinstance(said, ConfigurationError) and "--base-url needs --backend" in str(said)


def test_a_model_that_answers_is_told_with_all_it_can(tmp_path: Path) -> None:
    code, [found] = check(tmp_path, *SCRIPTED)
    assert code == 0 and found["roles"] == ["teacher", "student"] and found["answers"]
    assert found["prompt_tokens"] > 100, "a scripted model's tokens are words"
    assert found["model"] == "scripted:tests.support.scripted:respond"
    assert found["capabilities"]["logprobs"] and found["tokens_per_second"] > 0 and found["problems"] == []
    [warning] = found["warnings"]
    assert warning.endswith("so the student's training will fail")
    said = answer(tmp_path, "models", "check", *SCRIPTED)
    assert "A run can start." in said and "can     log-probabilities, JSON schema" in said


def test_each_of_two_models_is_asked_where_it_is(tmp_path: Path, server: Any) -> None:
    place = ["--set", "models.student.base_url=http://one:1", "--set", "models.student.api_key_env=ONE"]
    code, found = check(tmp_path, *SERVED, *place, "--set", "training.roles=[]")
    assert code == 0 and [one["roles"] for one in found] == [["teacher"], ["student"]]
    assert server.asked == {(None, None): 3, ("http://one:1", "ONE"): 3}


def test_a_context_in_which_the_runs_prompts_have_no_room_is_a_problem(tmp_path: Path, server: Any) -> None:
    server.able["context"] = 70
    code, [found] = check(tmp_path, *SERVED, "--set", "training.roles=[]", "--set", "models.teacher.max_tokens=64")
    assert code == 2 and found["problems"] == [
        f"models.{role}: its longest prompt has 9 tokens, which with max_tokens 64 is more than its context of 70; set "
        f"{keys} lower, or its context higher"
        for role, keys in (
            ("teacher", "max_tokens or curriculum.candidates"),
            ("student", "max_tokens, curriculum.demonstrations or evaluation.demonstrations"),
        )
    ]
    run = invoke(tmp_path, "run", *SERVED, "--set", "training.roles=[]", "--set", "models.teacher.max_tokens=64")
    assert isinstance(run.exception, ConfigurationError) and str(run.exception) == found["problems"][0]
    with EventLog.open(tmp_path / "log.db") as log:
        assert log.runs() == []


def test_each_role_needs_room_for_what_it_may_write_itself(tmp_path: Path, server: Any) -> None:
    server.able["context"] = 1000
    settings = ["--set", "training.roles=[]", "--set", "models.student.max_tokens=64"]
    code, [found] = check(tmp_path, *SERVED, *settings, "--set", "models.teacher.max_tokens=992")
    assert code == 2 and found["problems"][0].startswith(
        "models.teacher: its longest prompt has 9 tokens, which with max_tokens 992 is more than its context of 1000"
    )


def test_a_prompt_that_is_refused_is_told_with_what_to_set_before_a_run(tmp_path: Path, server: Any) -> None:
    server.able["context"] = 500
    server.longest.append(600)
    code, [found] = check(tmp_path, *SERVED, "--set", "training.roles=[]")
    assert code == 2
    why = "its longest prompt is refused: it exceeds the context of 500; set max_tokens, curriculum.demonstrations"
    assert any(problem.startswith(f"models.student: {why}") for problem in found["problems"])
    run = invoke(tmp_path, "run", *SERVED, "--set", "training.roles=[]")
    assert isinstance(run.exception, ConfigurationError) and str(run.exception) == found["problems"][0]


@pytest.mark.parametrize("what", ["away", "fault"])
def test_what_stops_a_run_is_told_by_check_and_by_run_and_nothing_is_written(
    tmp_path: Path, server: Any, what: str
) -> None:
    getattr(server, what).append("nobody answers at http://localhost:1: start the server")
    code, [found] = check(tmp_path, *SERVED, "--set", "training.roles=[]")
    why = "models.teacher: nobody answers at http://localhost:1: start the server"
    assert (code, found["answers"], found["problems"]) == (2, False, [why])
    run = invoke(tmp_path, "run", *SERVED, "--set", "training.roles=[]")
    assert isinstance(run.exception, ModelDoesNotAnswer) and str(run.exception) == why
    with EventLog.open(tmp_path / "log.db") as log:
        assert log.runs() == []
    getattr(server, what).clear()
    code, [found] = check(tmp_path, *SERVED)
    assert code == 2 and "set training.roles to []" in found["problems"][0]
    server.able["adapters"] = frozenset({"merged"})
    code, [found] = check(tmp_path, *SERVED)
    assert code == 2 and "set models.student.options.weights to a GGUF file of the same model" in found["problems"][0]
    assert isinstance(invoke(tmp_path, "run", *SERVED).exception, ConfigurationError)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("models.student.backend=nothing", None),
        ("models.student.name=no:where", "must be module:function"),
        ("models.student.base_url=http://host", "models.student: scripted: this backend takes no base_url"),
        ("models.student.options={x: 1}", "models.student: scripted: unknown option x; there are: delay_seconds"),
        ("models.student.options={name: x}", "models.student.options.name: set models.student.name instead"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_a_problem_of_that_model(
    tmp_path: Path, setting: str, problem: str | None
) -> None:
    found = invoke(tmp_path, "models", "check", *SCRIPTED, "--set", setting, "--json")
    if problem is None:
        assert isinstance(found.exception, ConfigurationError)
        return
    [teacher, student] = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.exit_code == 2 and teacher["problems"] == [] and problem in student["problems"][0]


def test_speed_is_measured_in_rounds(tmp_path: Path) -> None:
    rows = json_answers(tmp_path, "models", "bench", *SCRIPTED, "--at-once", "1,4", "--tokens", "3")
    assert [row["at_once"] for row in rows] == [1, 4] and rows[1]["tokens"] == 4 * rows[0]["tokens"] > 0
    for wrong in ("0", "a", "1,,2", "9999999"):
        assert isinstance(invoke(tmp_path, "models", "bench", "--at-once", wrong).exception, ConfigurationError)


@pytest.mark.parametrize("width", [80, 120])
def test_a_check_fits_the_terminal(width: int) -> None:
    settings = ModelSettings(backend="openai-compatible", name="qwen", base_url="http://localhost:8000/v1")
    able = Capabilities(adapters=frozenset({"peft", "merged"}), prefill=False, context=4096)
    said = "one two three " * 20
    checked = Checked(
        ConfiguredModel(("student",), settings), Completion("one", "stop", Usage(9, 3), "qwen\x1b[2J", None, 1.0),
        1.5, able, 40.0, 611, (said,), (said,),
    )  # fmt: skip
    shown = list(lines(checked, width))
    assert max(map(len, shown)) <= width and all(line.isprintable() for line in shown)
    assert shown[0] == "student: openai-compatible, qwen at http://localhost:8000/v1"
    assert shown[1].startswith("  answers qwen\\x1b[2J: 1.5 s to the first answer, then 40 tokens/s")
