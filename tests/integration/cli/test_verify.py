"""`agent0es verify`: what it says, in which order, and how it ends. Uses the real sandbox."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent0es.cli.main import cli, main
from agent0es.sandbox import probe
from agent0es.taskdomains.math import MathDomain
from tests.support.math_answers import labelled

needs_sandbox = pytest.mark.skipif(probe().tier is None, reason=probe().detail)


def verify(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(cli, ["verify", *arguments], input=given)


def complaint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Exit code and what the user reads, as from the command line."""
    monkeypatch.setattr(sys, "argv", ["agent0es", "verify", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code)), capsys.readouterr().err


def batch(path: Path, *lines: Any) -> str:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("reference", "answer", "code", "said"),
    [
        ("3/4", "0.75", 0, "correct: 0.75 equals 3/4"),
        ("3/4", "0.7", 1, "wrong: 0.7 is not 3/4"),
        ("12 cm", "12", 3, "undecided: 12 could not be compared with 12 cm"),
    ],
)
def test_the_exit_code_says_correct_wrong_or_undecided(reference: str, answer: str, code: int, said: str) -> None:
    done = verify("math", "--reference", reference, "--answer", answer)
    assert done.exit_code == code
    assert done.stdout.startswith(said)
    assert "score" in done.stdout and "confidence" in done.stdout


@needs_sandbox
def test_a_derivation_is_shown_step_by_step() -> None:
    done = verify("math", "--reference", "x = 2", "--answer", "2x + 3 = 7\n2x = 10\nx = 5")
    assert done.exit_code == 1
    first, _, *steps = done.stdout.splitlines()
    assert first == "wrong: step 2 is wrong: '2x = 10' does not follow from '2x + 3 = 7'"
    assert steps == ["  step 1: 1", "  step 2: 0", "  step 3: 1"]


def test_json_has_every_part_of_the_judgement() -> None:
    done = verify("math", "--reference", "12", "--answer", "13", "--json")
    assert json.loads(done.stdout) == {
        "correct": False,
        "score": 0.0,
        "confidence": 1.0,
        "method": "numeric",
        "explanation": "13 is not 12",
        "breakdown": {},
    }


def test_a_task_file_is_judged_with_all_that_the_task_says(tmp_path: Path) -> None:
    family = MathDomain().family("fraction_simplification")
    file = tmp_path / "task.json"
    file.write_text(family.task({"a": 6, "b": 8}, 0, 0.0).model_dump_json(), encoding="utf-8")
    assert verify("math", "--task", str(file), "--answer", "3/4").exit_code == 0
    unreduced = verify("math", "--task", str(file), "--answer", "6/8")
    assert (unreduced.exit_code, "lowest terms" in unreduced.stdout) == (1, True)


@needs_sandbox
def test_a_batch_comes_out_in_order(tmp_path: Path) -> None:
    cases = labelled()[::11]
    lines = [{"domain": "math", "task": case.task.model_dump(), "answer": case.answer} for case in cases]
    done = verify("--batch", batch(tmp_path / "batch.jsonl", *lines))
    assert [json.loads(line)["correct"] for line in done.stdout.splitlines()] == [case.label for case in cases]
    assert done.exit_code == 1


def test_a_batch_may_come_from_standard_input_and_name_its_domain_once() -> None:
    given = '{"reference": "5", "answer": "5"}\n\n{"reference": "12 cm", "answer": "12"}\n'
    done = verify("math", "--batch", "-", given=given)
    assert [json.loads(line)["correct"] for line in done.stdout.splitlines()] == [True, None]
    assert done.exit_code == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: "),
        ("[]", "line 2: an object is expected"),
        ('{"domain": "math", "answer": "1"}', "line 2: either reference or task is expected"),
        ('{"domain": "math", "reference": "1"}', "line 2: answer is expected, a text or null"),
        ('{"domain": "math", "reference": "1", "answer": 1}', "line 2: answer is expected, a text or null"),
        ('{"domain": "math", "reference": "1", "answer": "1", "anwser": 1}', "line 2: unknown field 'anwser'"),
        ('{"reference": "1", "answer": "1"}', "line 2: domain is expected, e.g. math"),
        ('{"domain": "maths", "reference": "1", "answer": "1"}', "did you mean 'math'"),
        ('{"domain": "math", "task": {}, "answer": "1"}', "line 2: task: family: Field required"),
        ('{"domain": "math", "task": 3, "answer": "1"}', "line 2: task: "),
        ('{"domain": "math", "reference": 1, "answer": "1"}', "line 2: task: reference: "),
        ('{"domain": "math", "reference": "1", "answer": "1", "files": [1]}', "line 2: files is an object"),
        ("[" * 100_000, "line 2: "),
    ],
)
def test_a_wrong_line_of_a_batch_is_named_before_anything_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text(f'{{"domain": "math", "reference": "1", "answer": "1"}}\n{line}\n', encoding="utf-8")
    code, text = complaint(capsys, monkeypatch, "--batch", str(file))
    assert code == 2
    assert said in text and text.startswith("agent0es: ") and text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reference", "1", "--answer", "1"], "name the DOMAIN"),
        (["math", "--answer", "1"], "either --reference TEXT or --task FILE"),
        (["math", "--reference", "1"], "give --answer TEXT"),
        (["math", "--batch", "b.jsonl", "--answer", "1"], "--batch takes no"),
        (["math", "--task", "nowhere.json", "--answer", "1"], "agent0es: nowhere.json: No such file or directory"),
        (["nothing", "--reference", "1", "--answer", "1"], "no task domain is called 'nothing'"),
        (["math", "--batch", "nowhere.jsonl"], "agent0es: nowhere.jsonl: No such file or directory"),
    ],
)
def test_a_mistake_ends_with_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    code, text = complaint(capsys, monkeypatch, *arguments)
    assert code == 2 and said in text


def test_hostile_answers_reach_the_terminal_as_escapes() -> None:
    done = verify("math", "--reference", "12", "--answer", "\x1b[2J\u202e13")
    assert done.exit_code == 3 and "\x1b" not in done.stdout and "\u202e" not in done.stdout
