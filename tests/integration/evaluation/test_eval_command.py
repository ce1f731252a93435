"""`agent0es eval` on a scripted model, with the real sandbox: scores, what is behind them, and going on."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent0es.agents import one_turn
from agent0es.bootstrap import open_store
from agent0es.configuration import load_configuration
from agent0es.domain import events as ev
from agent0es.domain.task import Task
from agent0es.errors import ConfigurationError, UserError
from agent0es.log import EventLog, NewEvent
from agent0es.sandbox import probe
from tests.support.commands import answer, invoke, json_answer, json_answers
from tests.support.openai_server import OpenAiServer

pytestmark = pytest.mark.skipif(probe().tier is None, reason=probe().detail)

ROOT = Path(__file__).parents[3]
PROBLEMS = [
    {"question": "What is 6 times 7?", "answer": "42"},
    {"question": "A hard one: what is 5 times 9?", "answer": "45"},
    {"question": "A vague one: what is 3 times 4?", "answer": "12"},
    {
        "prompt": 'def twice(n):\n    """Twice n.\n    >>> twice(2)\n    4\n    """\n',
        "entry_point": "twice",
        "test": "def check(candidate):\n    assert candidate(3) == 6\n",
    },
]
MODEL = ("--set", "models.student.backend=scripted", "--set", "models.student.name=tests.support.answering:respond")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("problems") / "own.jsonl"
    path.write_text("".join(f"{json.dumps(problem)}\n" for problem in PROBLEMS))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[Path]:
    """A store in which the same problems were answered in two formats, the second one in two steps."""
    store = tmp_path_factory.mktemp("evaluated")
    answer(store, "eval", "--file", str(file), *MODEL, "--format", "cot")
    answer(store, "eval", "--file", str(file), *MODEL, "--format", "program", "--limit", "2")
    answer(store, "eval", "--file", str(file), *MODEL, "--format", "program")
    yield store


def test_an_answer_counts_strictly_in_its_format_and_leniently_in_any(store: Path) -> None:
    scores = json_answer(store, "show", "eval-latest")["scores"]
    assert scores["pass_at"] == {"1": 0.5}  # the plain one, and the function
    assert scores["lenient"] == 0.75  # and the vague one
    assert scores["unanswered"] == 0.25
    assert scores["with_tool"] == 0.5  # a program is run for the two numbers, none for the function
    assert scores["by_family"]["humaneval"] == {"solved": 1.0, "problems": 1}


def test_the_same_command_goes_on_and_asks_nothing_twice(store: Path) -> None:
    with open_store(store) as log:
        names = log.evaluations()
        started = [e.event.attempt for e in log.read(run=names[-1]) if isinstance(e.event, ev.AttemptStarted)]
        results = [e.event.problems for e in log.read(run=names[-1]) if isinstance(e.event, ev.EvaluationCompleted)]
    assert len(names) == 2
    assert Counter(started) == Counter(f"eval/program/{number}" for number in range(4))
    assert results == [2, 4]


def test_with_a_lower_limit_what_was_answered_still_counts(store: Path, file: Path) -> None:
    text = answer(store, "eval", "--file", str(file), *MODEL, "--format", "program", "--limit", "1")
    assert "4 problems of it had been answered; the scores are of all of them." in text
    with open_store(store) as log:
        results = [e.event.problems for e in log.read(types=["EvaluationCompleted"], run=log.evaluations()[-1])]
    assert results == [2, 4], "no score of one problem stands for the four"


def test_other_instructions_make_another_evaluation(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("eval", "--file", str(file), *MODEL, "--format", "cot", "--limit", "1")
    answer(tmp_path, *words)
    monkeypatch.setitem(one_turn.SYSTEM, ("cot", False), "Think first.")
    answer(tmp_path, *words)
    answer(tmp_path, *words)
    assert len(json_answers(tmp_path, "runs", "--evaluations")) == 2


def test_a_score_opens_down_to_the_sandbox_call(store: Path) -> None:
    attempt = json_answer(store, "show", "eval/program/1", "--run", "eval-latest")
    assert attempt["problem"]["reference"] == "45"  # from the log
    assert attempt["verdict"] == "wrong" and attempt["answer"] == "46"
    vague = json_answer(store, "show", "eval/program/2", "--run", "eval-latest")
    assert (vague["answer"], vague["lenient"]) == (None, {"answer": "12", "verdict": "right"})
    [call, hidden] = [c for c in json_answers(store, "audit", "eval-latest") if c["attempt"] != "eval/program/0"]
    assert (call["attempt"], call["purpose"], call["output"].strip()) == ("eval/program/1", "solution", "46")
    assert (hidden["tool"], hidden["purpose"], hidden["output"].strip()) == ("tests", "verification", "1 of 1 passed")


def test_it_is_compared_with_the_others_and_is_no_run(store: Path) -> None:
    text = answer(store, "show", "eval-latest")
    assert "base, cot" in text and "McNemar" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("agent0es")) <= 80
    [other] = json_answer(store, "show", "eval-latest")["comparisons"]
    assert (other["problems"], other["better"], other["worse"], other["p_value"]) == (4, 0, 0, 1.0)
    assert json_answers(store, "runs") == []
    assert [row["label"] for row in json_answers(store, "runs", "--evaluations")] == ["base, cot", "base, program"]
    refused = invoke(store, "report", "eval-latest").exception
    assert isinstance(refused, UserError) and "is an evaluation and no run" in str(refused)


def test_others_of_which_the_same_would_be_said_are_told_apart_by_their_names(tmp_path: Path, file: Path) -> None:
    words = ("eval", "--file", str(file), *MODEL, "--format", "cot", "--limit", "1", "--set")
    for tokens in (200, 300, 400):
        text = answer(tmp_path, *words, f"models.student.max_tokens={tokens}")
    first, second, _ = [row["evaluation"] for row in json_answers(tmp_path, "runs", "--evaluations")]
    comparisons = text[text.index("Against others") :]
    assert first in comparisons and second in comparisons and "base, cot" not in comparisons


def test_every_decision_of_it_is_recomputed_from_the_log(store: Path) -> None:
    report = json_answer(store, "replay", "--verify", "eval-latest")
    assert report["difference"] is None
    assert report["checked"] == {"solutions": 4, "lenient readings": 1, "verifications": 4, "results": 2}


def test_with_tools_a_student_works_as_in_a_run(tmp_path: Path, file: Path) -> None:
    arguments = ("eval", "--file", str(file), *MODEL, "--k", "2", "--limit", "2", "--shots", "2")
    result = json_answer(tmp_path, *arguments)
    assert result["scores"]["pass_at"] == {"1": 0.5, "2": 0.5}
    assert result["scores"]["majority"] == 0.5
    assert [one["attempt"] for one in result["attempts"][:2]] == ["eval/tools/0", "eval/tools@2/0"]
    assert json_answer(tmp_path, "replay", "--verify", "eval-latest")["difference"] is None


def trained_run(log: EventLog) -> None:
    """A run whose adapter learnt from one task, which is also a problem of the file."""
    configuration = load_configuration(None, [word for word in MODEL if word != "--set"], {})
    begun = ev.RunStarted(
        seed=0, configuration=configuration.model_dump(mode="json"), code_version="0", weights={}, plugins={}
    )
    learnt = Task(
        domain="math",
        family="product",
        parameters={},
        wording=0,
        description=PROBLEMS[0]["question"],
        reference="42",
        reference_action="",
        difficulty=0.0,
    )
    proposed = ev.TaskProposed(
        task=1, iteration=1, proposal=learnt, novelty=1.0, nearest=None, attempts=1, seed=0, demonstrations=0
    )
    of = {"adapter": "student-1", "role": "student", "iteration": 1}
    built = {"examples": 1, "sha256": "0", "per_family": {}, "sources": ("1/0",)}
    made = {"path": "adapters/r/student-1", "files": {}, "steps": 1, "loss": (0.5,)}
    adapter = [ev.DatasetBuilt.model_validate(of | built), ev.AdapterTrained.model_validate(of | made)]
    log.append([NewEvent("run/r", begun), NewEvent("task/r/1", proposed)], handler="test")
    log.append([NewEvent("adapter/r/student-1", event) for event in adapter], handler="test")


def test_an_adapter_answers_with_the_settings_of_its_run_and_its_leaks_are_named(store: Path, file: Path) -> None:
    with open_store(store, create=True) as log:
        trained_run(log)
    result = json_answer(store, "eval", "--adapter", "r/student-1", "--file", str(file), "--format", "cot")
    assert result["label"] == "student-1, cot"
    assert result["scores"]["pass_at"] == {"1": 0.75}  # nothing is hard now
    pairs = {other["label"]: (other["better"], other["worse"]) for other in result["comparisons"]}
    assert pairs == {"base, cot": (1, 0), "base, program": (1, 0)}
    [leak] = result["contamination"]["leaks"]
    assert (leak["problem"], leak["seen_in"], leak["run"], leak["same"]) == (0, "1/0", "r", True)
    text = answer(store, "show", "eval-latest")
    assert "LEAK: 1 problem seen before" in text
    assert "problem 0 (own.jsonl, line 1) is the same as in 1/0 of run r" in text


def test_who_is_told_something_else_than_it_learnt_is_named(tmp_path: Path, file: Path) -> None:
    with open_store(tmp_path, create=True) as log:
        trained_run(log)  # its dataset has another hash than any that is built now
    words = ("eval", "--adapter", "r/student-1", "--file", str(file), "--limit", "1", "--format")
    assert "student-1 learnt from other rows than its log gives now" in invoke(tmp_path, *words, "tools").stderr
    assert "learnt from other rows" not in invoke(tmp_path, *words, "cot").stderr  # which it learnt nothing of


def test_a_file_without_a_dot_in_its_name_is_told_from_a_suite(tmp_path: Path, file: Path) -> None:
    (tmp_path / "questions").write_text(file.read_text())
    words = ("--file", str(tmp_path / "questions"), *MODEL, "--format", "cot", "--limit", "1")
    assert json_answer(tmp_path, "eval", *words)["suite"] == "./questions"


def test_mistakes_are_told_in_one_line(tmp_path: Path, file: Path) -> None:
    refused: dict[str, Any] = {
        "own.jsonl.gone: No such file": ("--file", f"{file}.gone"),
        "no suite, task domain or family 'mth'": ("--suite", "mth"),
        "--shots 9: of worked examples for these problems there are 8": (
            *("--suite", "math", "--format", "cot", "--shots", "9"),
        ),
        "there is no run in this store": ("--adapter", "student-1", "--store", str(tmp_path)),
    }
    (tmp_path / "empty").mkdir()
    open_store(tmp_path, create=True).close()
    for said, arguments in refused.items():
        error = invoke(tmp_path, "eval", *MODEL, *arguments).exception
        assert isinstance(error, UserError) and said in str(error), error


def test_a_server_that_takes_no_adapters_is_refused_before_anything_is_asked(tmp_path: Path, file: Path) -> None:
    with open_store(tmp_path, create=True) as log:
        trained_run(log)
    with OpenAiServer(lambda request, adapter: "42", "tiny", runtime_lora=False) as server:
        student = {"backend": "openai-compatible", "base_url": server.url, "name": "tiny"}
        settings = [word for key, value in student.items() for word in ("--set", f"models.student.{key}={value}")]
        refused = invoke(tmp_path, "eval", "--adapter", "r/student-1", "--file", str(file), *settings)
    assert isinstance(refused.exception, ConfigurationError)
    assert str(refused.exception).startswith(
        "models.student: tiny can't answer with a trained adapter; leave --adapter"
    )
    with open_store(tmp_path) as log:
        assert log.evaluations() == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["tool.ran", "append.committed:6", "evaluation.answered"])
def test_what_was_killed_goes_on(tmp_path: Path, file: Path, point: str) -> None:
    words = [sys.executable, "-m", "agent0es", "eval", "--file", str(file), *MODEL, "--format", "program"]
    words += ["--store", str(tmp_path), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run(words, env={**environment, "AGENT0ES_CRASH_AT": point}, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["scores"]["pass_at"] == {"1": 0.5}
    with open_store(tmp_path) as log:
        assert len(log.evaluations()) == 1
        judged = Counter(
            e.event.attempt.split(".")[0] for e in log.read(types=["Verified"]) if isinstance(e.event, ev.Verified)
        )
        assert log.verify().ok
    assert set(judged.values()) == {1} and len(judged) == 4
