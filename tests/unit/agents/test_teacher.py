"""What a teacher wrote, read: one JSON object, as it is or among words."""

import json

import pytest

from agent0es.agents import teacher
from agent0es.agents.teacher import in_words, object_in, schema
from agent0es.taskdomains.base import Draft, TaskDomain
from agent0es.taskdomains.code import CodeDomain
from agent0es.taskdomains.logic import LogicDomain
from agent0es.taskdomains.math import MathDomain

PROPOSAL = '{"family": "gcd", "a": 12, "b": 18}'


@pytest.mark.parametrize(
    "text",
    [
        PROPOSAL,
        f"```json\n{PROPOSAL}\n```",
        f"Here is one:\n{PROPOSAL}\nIt asks for a divisor.",
        f"{PROPOSAL}\n{PROPOSAL}",
        f"{PROPOSAL} {{",
        f"I chose {{gcd}}: {PROPOSAL}",
    ],
)
def test_an_object_is_found_among_words(text: str) -> None:
    assert json.loads(object_in(text)) == json.loads(PROPOSAL)


@pytest.mark.parametrize(
    "text",
    ["", "I would rather not.", PROPOSAL[:-1], '{"task": "the set {1, 2}', '{"task": "an empty dict, {}, has',
     "{" * 5000, '{"a": ' * 5000, "x{" * 5000],
)  # fmt: skip
def test_what_is_no_object_or_was_cut_off_stays_as_it_is(text: str) -> None:
    assert object_in(text) == text


def test_a_model_that_is_not_kept_to_a_schema_reads_it() -> None:
    wanted = schema(MathDomain(), {"gcd": 0.2})
    assert json.dumps(wanted) in in_words(wanted)


def test_topics_of_its_own_tasks_are_those_that_such_tasks_can_be_about() -> None:
    domain = CodeDomain()
    topics = {teacher.topic_of(domain, seed) for seed in range(40)}
    # Not what a program prints, where there is no function; nor refactoring, where no text shows what f gives.
    assert topics == {"fixing code", "writing code"}
    shown = [json.loads(turn.text) for turn in teacher.freeform_few_shot(domain, 0) if turn.role == "assistant"]
    assert len(shown) == teacher.EXAMPLES
    assert all("\n    " in example["function"] for example in shown), "a teacher that is shown one line writes one"


@pytest.mark.parametrize("domain", [MathDomain(), LogicDomain(), CodeDomain()])
def test_a_teacher_is_shown_no_task_that_would_be_refused(domain: TaskDomain) -> None:
    freeform = domain.freeform
    assert freeform is not None
    turns = [turn for seed in range(20) for turn in teacher.freeform_few_shot(domain, seed)]
    shown = [json.loads(turn.text) for turn in turns if turn.role == "assistant"]
    assert [freeform.draft(example) for example in shown if not isinstance(freeform.draft(example), Draft)] == []
