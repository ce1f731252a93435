"""A domain, and a family that joins one, as another package writes them."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.domain.task import Submission, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains import load_family, load_task_domain, load_task_domains
from agent0es.taskdomains.judging import judge_value, value_key
from tests.support.package import install

DOMAIN = """
from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.family import FamilyDomain

def times(name, factor, split="practised", domain="", **changes):
    return Family(
        name=name, group="factors", split=split, domain=domain, parameters={"n": Int((1, 9), (100, 999))},
        wordings=("What is {n} times %d?" % factor,), reference_action="python[{n} * %d]" % factor,
        answer_of=lambda n: str(n * factor), **changes)

class Factors(FamilyDomain):
    name = "factors"
    own = (times("doubled", 2), times("tripled", 3), times("fourfold", 4), times("fivefold", 5, "held_out"))

tenfold = times("tenfold", 10, domain="math")
gcd = times("gcd", 1, domain="math")
homeless = times("homeless", 10)
elsewhere = times("elsewhere", 7, domain="logic")
misnamed = times("another", 7)
unanswered = times("unanswered", 7, domain="math", constraint=lambda n: 1 / 0)
word = "tenfold"
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    families = "tenfold gcd homeless elsewhere misnamed unanswered word".split()
    parts = {
        "agent0es.task_domains": {"factors": "Factors"},
        "agent0es.families": {name: name for name in families},
    }
    install(monkeypatch, tmp_path, "factors", DOMAIN, parts)


def test_a_small_domain_is_its_families() -> None:
    domain = load_task_domain("factors")
    assert [family.name for family in domain.families("practised")] == ["doubled", "tripled", "fourfold"]
    shown = domain.mixed_demonstrations(16)
    assert len(shown) == 3 and shown == load_task_domain("factors").mixed_demonstrations(3)
    task = domain.family("doubled").task({"n": 7}, 0, 0.0)
    assert task.domain == "factors", "which its family need not name"
    for answer, correct in (
        ("14", True),
        ("**14.0**", True),
        ("15", False),
        ("seven", False),
        ("about 14 or so", None),
    ):
        found = domain.judge(Submission(answer), task)
        assert isinstance(found, Verification) and found.correct is correct, answer
        assert domain.conclude("ok", "", Submission(answer), task) == found
    moved = domain.second_instance(task, "7 * 2", random.Random(1))
    assert moved is not None and eval(moved[1]) == int(moved[0].reference) != 14
    assert domain.second_instance(task, "14", random.Random(1)) is None, "luck is not carried over"
    with pytest.raises(ConfigurationError, match=r"no family of the domain factors .*: did you mean 'doubled'"):
        domain.family("double")


def test_a_family_joins_a_domain_after_its_own_and_leaves_others_as_they_are() -> None:
    own = [family.name for family in load_task_domain("math").families("practised")]
    domains = load_task_domains(["math", "factors"], ["tenfold"])
    assert [family.name for family in domains["math"].families("practised")] == [*own, "tenfold"]
    assert domains["math"].mixed_demonstrations(16) == load_task_domain("math").mixed_demonstrations(16)
    task = domains["math"].family("tenfold").task({"n": 12}, 0, 0.0)
    found = domains["math"].judge(Submission("$120$"), task)
    assert isinstance(found, Verification) and found.correct is True
    assert [family.name for family in load_task_domain("math").families("practised")] == own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gcd", "the domain math has a family 'gcd' of its own"),
        ("elsewhere", "the task family elsewhere belongs to the domain logic: add that to curriculum.domains"),
        ("homeless", r"task family 'homeless' \(.*\) names no domain; give it domain=, e.g. domain='math'"),
        ("misnamed", r"task family 'misnamed' \(factors:misnamed of factors 1.2\) calls itself 'another'"),
        ("unanswered", r"task family 'unanswered' \(.*\) can't be used: ZeroDivisionError: division by zero"),
        ("word", r"task family 'word' \(.*\) is not a Family: str"),
        ("tenfol", "no task family is called 'tenfol': did you mean 'tenfold'"),
    ],
)
def test_a_family_that_would_fail_in_a_run_is_refused_before(name: str, message: str) -> None:
    assert load_family("tenfold").domain == "math"
    with pytest.raises(ConfigurationError, match=message) as raised:
        load_task_domains(["math"], [name])
    assert "\n" not in str(raised.value)


def test_a_family_of_an_unknown_split_is_not_made() -> None:
    made = load_family("tenfold")
    message = "family tenfold: there is no split 'practiced'; there are: practised, held_out, validation"
    with pytest.raises(ConfigurationError, match=message):
        replace(made, split="practiced")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "reference", "correct"),
    [
        ("0.5", "1/2", True),
        ("1,234", "1234", True),
        ("0.333333333333", "0.3333333333333333", True),
        ("0.33", "0.3333333333333333", False),
        ("5", "5.1", False),
        ("Yes", "yes", True),
        ("no", "yes", False),
        ("Paris", "Paris", True),
        ("`Paris`.", "Paris", True),
        ("paris", "Paris", None),
        ("Rome", "Paris", False),
        ("It may be Paris", "Paris", None),
        ("12 or 13", "12", None),
        ("", "12", False),
        (None, "12", False),
        ("1" * 3000, "12", None),
    ],
)
def test_single_values_are_judged(answer: str | None, reference: str, correct: bool | None) -> None:
    found = judge_value(answer, reference)
    assert found.correct is correct, found.explanation
    assert found.score == float(correct is True) and (found.confidence == 0.0) == (correct is None)


def test_answers_that_say_the_same_have_one_key() -> None:
    assert {value_key(answer) for answer in ("0.5", "1/2", "**0.50**")} == {"1/2"}
    assert value_key("two  words") == "two words" and value_key(" ") is None
