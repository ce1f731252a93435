"""A task that the teacher wrote itself is practised only if its reference runs, twice alike, and can be verified."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agent0es.decisions.freeform import read_freeform
from agent0es.domain import events as ev
from agent0es.domain.task import Submission, Task, Verification
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.freeform import expression_freeform, mutants
from agent0es.taskdomains.math import MathDomain, WordProblemsDomain
from agent0es.tools.base import ToolResult
from tests.support import world

REQUESTED = ev.TaskRequested(
    task=1, iteration=1, domain="math", source="freeform", families={"math_freeform": 0.4}, novelty_bar=0.0, seed=1
)


def read(text: str, *outputs: str, status: str = "ok", domain: MathDomain | None = None) -> Task | tuple[str, str]:
    """What comes of a proposal whose reference prints `outputs`, one a run."""
    printed = list(outputs)

    async def call(needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
        assert purpose in ("reference", "repetition")
        output = printed.pop(0) if len(printed) > 1 else printed[0]
        return ToolResult(status, output, 0, 0, 0, 0.0, 0.0, 0.0, "test")  # type: ignore[arg-type]

    return asyncio.run(read_freeform(domain or MathDomain(), REQUESTED, text, call))


def proposal(task: str, expression: str) -> str:
    return json.dumps({"task": task, "expression": expression})


def test_a_task_whose_reference_runs_is_taken_with_what_it_printed() -> None:
    task = read(proposal("What is 17 times  25?", "17 * 25"), "425")
    assert isinstance(task, Task)
    assert (task.description, task.reference, task.family) == ("What is 17 times 25?", "425", "math_freeform")
    assert (task.reference_action, task.difficulty, task.parameters) == ("python[17 * 25]", 0.4, {})


@pytest.mark.parametrize(
    ("text", "outputs", "status", "reason"),
    [
        ("no JSON at all", ["1"], "ok", "unreadable"),
        ("[" * 100_000, ["1"], "ok", "unreadable"),
        (json.dumps({"task": "What is 3 times 4?"}), ["12"], "ok", "unreadable"),
        (json.dumps({"task": 3, "expression": "4"}), ["4"], "ok", "unreadable"),
        (proposal("What is 3 times 5?", "3 * 4"), ["12"], "ok", "inconsistent"),
        (proposal("Hm?", "3 * 4"), ["12"], "ok", "inconsistent"),
        ('{"task": "What is \\frac{3}{4} of 8?", "expression": "3 / 4 * 8"}', ["6.0"], "ok", "inconsistent"),
        (proposal("What is the area of a circle of radius 3?", "3.14159 * 3**2"), ["28.27431"], "ok", "inconsistent"),
        (proposal("What is 3 times 4?", "3 * 4"), ["NameError: no"], "error", "reference_failed"),
        (proposal("What is 3 times 4?", "3 * 4"), ["stopped"], "timeout", "reference_failed"),
        (proposal("A number up to 40?", "random.randint(1, 40)"), ["7", "31"], "ok", "not_deterministic"),
        (proposal("What is 3 times 4?", "print(3, 4)"), ["(no output)"], "ok", "inconsistent"),
        (proposal("Write the number 12 down.", "12"), ["12"], "ok", "inconsistent"),
        (proposal("Print 12 and no more.", "print(12)"), ["None"], "ok", "inconsistent"),
        (proposal("List the numbers up to 400.", "range(400)"), ["7, " * 99], "ok", "inconsistent"),
    ],
)
def test_what_is_wrong_with_a_proposal_is_said(text: str, outputs: Sequence[str], status: str, reason: str) -> None:
    refusal = read(text, *outputs, status=status)
    assert isinstance(refusal, tuple)
    assert refusal[0] == reason
    assert refusal[1]


def test_the_end_of_a_range_is_one_more_than_the_text_says() -> None:
    made = read(proposal("Find the sum of the squares of 1 to 10.", "sum(i**2 for i in range(1, 11))"), "385")
    assert isinstance(made, Task)
    one_more = read(proposal("Find the sum of the squares of 1 to 10.", "sum(i**2 for i in range(1, 11 + 1))"), "506")
    assert isinstance(one_more, tuple) and one_more[:2] == ("inconsistent", "the expression leaves out 10")


def test_a_price_may_stand_in_the_expression_without_its_last_zero() -> None:
    made = read(proposal("What do 3 pens at 2.50 euros each cost?", "3 * 2.5"), "7.5")
    assert isinstance(made, Task)


@pytest.mark.parametrize(
    ("text", "expression", "used"),
    [
        ("What is 1,000 minus 250?", "1000 - 250", True),
        ("What is 1,250,000 divided by 4?", "1_250_000 / 4", True),
        ("What is 1,000.50 minus 0.5?", "1000.5 - 0.5", True),
        ("What is 1,000 minus 250?", "100 - 250", False),
        ("What is the sum of 100,200,300?", "sum([100, 200, 300])", True),
        ("What is the sum of 100,200,300?", "sum([100, 200])", False),
        ("What is 15% of 80?", "80 * 0.15", True),
        ("What is 15 percent of 80?", "80 * 15 / 100", True),
        ("What is left of 80 euros after 15% off?", "80 * 0.85", True),
        ("What are 80 euros with 15% more?", "80 * 1.15", True),
        ("What is 15% of 80?", "80 * 15.5", False),
        ("What is 15 percent of 80?", "80 / 100", False),
    ],
)
def test_a_number_of_the_text_is_used_in_whatever_form_it_has_one_meaning(
    text: str, expression: str, used: bool
) -> None:
    made = read(proposal(text, expression), "7")
    assert isinstance(made, Task) if used else "leaves out" in made[1]


class Lax(MathDomain):
    """A domain whose verifier takes whatever it is given."""

    def judge(self, submission: object, task: Task) -> Verification:
        return Verification(correct=True, score=1.0, confidence=1.0, method="exact", explanation="fine")


class Blind(MathDomain):
    """A domain whose verifier takes nothing."""

    def judge(self, submission: object, task: Task) -> Verification:
        return Verification(correct=None, score=0.0, confidence=0.0, method="exact", explanation="who knows")


@pytest.mark.parametrize(("domain", "reason"), [(Lax(), "verifier_too_lax"), (Blind(), "inconsistent")])
def test_a_task_is_refused_when_its_verifier_takes_wrong_answers_or_not_the_right_one(
    domain: MathDomain, reason: str
) -> None:
    refusal = read(proposal("What is 3 times 4?", "3 * 4"), "12", domain=domain)
    assert isinstance(refusal, tuple) and refusal[0] == reason


@pytest.mark.parametrize(
    "answer",
    [
        "0",
        "12",
        "-3",
        "3.5",
        "0.25",
        "True",
        "False",
        "[1, 2]",
        "[]",
        "level",
        "x",
        "Ä",
        "(2, 1)",
        "{1, 2}",
        "{7, 8}",
        "{7: 1, 8: 2}",
        "5.",
        "$1,000.",
        "5. km",
    ],
)
def test_mutants_differ_from_the_answer(answer: str) -> None:
    assert mutants(answer)
    assert answer not in mutants(answer)


def test_a_mutant_is_of_the_answers_kind_and_far_enough_from_it_to_be_found_wrong() -> None:
    assert mutants("[4, 5]") == ("[4, 5, 7]", "[5, 4]")
    assert mutants("0.6666666666666666")[0] == "0.683333"
    assert mutants("[[1, 2], [1, 2]]") == ("[[1, 2], [1, 2], 7]",)


@pytest.mark.parametrize(
    ("answer", "same", "another", "unclear"),
    [
        ("1,000", "1000", "1", None),
        ("1,234,567", "1234567.0", "1234568", "1.234.567"),
        ("1,000.50", "1000.5", "1000", None),
        ("-1_200", "-1,200", "1200", None),
        ("50%", "0.5", "5", "50"),
        ("12.5 %", "12.5%", "0.25", "12.5"),
        ("50 percent", "50%", "49", "50"),
        ("$1,000", "1000", "$1001", None),
        ("€20", "20 euros", "19", None),
        ("12 cm", "0.12 m", "13 cm", "12"),
        ("2 hours 30 minutes", "150 minutes", "2 hours", None),
        ("90°", "90 degrees", "91", None),
        ("12 apples", "12", "13", "12 pears"),
        ("2024-02-29", "2024-02-29", "2024-03-01", None),
        ("10:30", "10:30", "11:30", None),
    ],
)
def test_a_number_with_commas_or_a_unit_is_an_answer_and_what_it_leaves_open_is_undecided(
    answer: str, same: str, another: str, unclear: str | None
) -> None:
    made = read(proposal("What is left of 3 and 4?", "left(3, 4)"), answer)
    assert isinstance(made, Task) and made.reference == answer
    for given, correct in ((same, True), (another, False), (unclear, None)):
        if given is not None:
            found = MathDomain().judge(Submission(given), made)
            assert isinstance(found, Verification) and found.correct is correct, (given, found)


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        ("1.234,5", "inconsistent", "can be read as a number or as a list"),
        ("1,23,456", "inconsistent", "can be read as a number or as a list"),
        ("5th", "verifier_too_lax", "'6th' is not found wrong"),
    ],
)
def test_an_answer_without_one_clear_meaning_is_refused(answer: str, reason: str, said: str) -> None:
    refusal = read(proposal("What is left of 3 and 4?", "left(3, 4)"), answer)
    assert isinstance(refusal, tuple) and refusal[0] == reason and said in refusal[1]


@pytest.mark.parametrize("answer", ["-250", "0", "0.0", "True"])
def test_a_story_whose_answer_is_not_above_zero_means_nothing(answer: str) -> None:
    bought = proposal("She has 100 dollars and buys 50 books of 7 dollars. What change is left?", "100 - 50 * 7")
    refusal = read(bought, answer, domain=WordProblemsDomain())
    assert isinstance(refusal, tuple) and refusal[0] == "inconsistent" and "above zero" in refusal[1]
    assert isinstance(read(bought, answer), Task), "in arithmetic any number may be the answer"
    assert isinstance(read(bought, "2.50", domain=WordProblemsDomain()), Task)


@pytest.mark.parametrize("answer", ["-1.0", "Bob", "Anna", "{7}"])
def test_no_mutant_is_the_answer_in_other_words(answer: str) -> None:
    made = read(proposal("What is left of 3 and 4?", "left(3, 4)"), answer)
    assert isinstance(made, Task) and made.reference == answer


def test_examples_for_the_prompt_are_drafts_themselves() -> None:
    domain = MathDomain()
    freeform = expression_freeform("math", "")
    shown: list[Mapping[str, str]] = []
    for family in domain.families("practised")[:40]:
        example = freeform.example(family.task(family.sample(random.Random(1), 0.3), 0, 0.3))
        shown += [example] if example is not None else []
    assert len(shown) > 20
    assert all(set(example) == {"task", "expression"} for example in shown)


def test_a_run_of_both_sources_verifies_to_its_last_decision(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", "curriculum.freeform_share=0.6", "execution.tasks_per_iteration=12")
        world.complete(log, "run", tmp_path)
        events = [recorded.event for recorded in log.read(run="run")]
        report = asyncio.run(verify_decisions(log, "run", world.rules(log, "run")))
    assert report.difference is None
    sources = {event.source for event in events if isinstance(event, ev.TaskRequested)}
    assert sources == {"families", "freeform"}
    families = {event.proposal.family for event in events if isinstance(event, ev.TaskProposed)}
    assert "math_freeform" in families and len(families) > 1
    reasons = {event.reason for event in events if isinstance(event, ev.ProposalRejected)}
    assert "reference_failed" in reasons
    purposes = {event.purpose for event in events if isinstance(event, ev.ToolRequested)}
    assert {"solution", "reference", "repetition"} <= purposes
