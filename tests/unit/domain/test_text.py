"""Text from a model is made storable where it enters: half a pair of surrogates, as in the JSON text `"\\ud83d"`."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.agents.teacher import Proposal, read_proposal
from agent0es.decisions.freeform import read_draft
from agent0es.domain import events as ev
from agent0es.domain.text import LEFT_OUT, counted, left_out, storable
from agent0es.models.base import Completion
from agent0es.taskdomains.base import Draft
from agent0es.taskdomains.math import MathDomain
from agent0es.tools.plan import parse

HALF = "\ud83d"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (HALF, "\ufffd"),
        ("a\udc00b", "a\ufffdb"),
        ("a\0b", "a\ufffdb"),
        ("\U0001f600 é\n", "\U0001f600 é\n"),
        ("", ""),
    ],
)
def test_only_what_can_not_be_stored_is_replaced(text: str, stored: str) -> None:
    assert storable(text) == stored


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_whatever_comes_out_has_a_utf8_form_and_stays_as_it_is(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert "\0" not in stored and storable(stored) == stored and len(stored) == len(text)


def test_a_completion_a_proposal_a_draft_and_a_plan_are_storable() -> None:
    said = Completion(f"a{HALF}", (1,), (-0.1,), "stop", 5, 0.1)
    assert said.text == "a\ufffd"

    proposal = read_proposal(json.dumps({"family": f"f{HALF}", f"k{HALF}": f"v{HALF}", "n": 3}))
    assert proposal == Proposal("f\ufffd", {"k\ufffd": "v\ufffd", "n": 3})

    freeform = MathDomain().freeform
    assert freeform is not None
    draft = read_draft(freeform, json.dumps({"task": f"What is 3 times 4 {HALF}?", "expression": "3 * 4"}))
    assert isinstance(draft, Draft) and draft.description == "What is 3 times 4 \ufffd?"

    plan = parse(json.dumps([{"tool": "python", "input": f"print('{HALF}')"}]))
    assert plan.steps[0].input == "print('\ufffd')"


@pytest.mark.parametrize(("count", "words"), [(0, "0 tries"), (1, "1 try"), (2, "2 tries")])
def test_one_is_counted_in_the_singular(count: int, words: str) -> None:
    assert counted(count, "try", "tries") == words
    assert counted(count, "task") == ("1 task" if count == 1 else f"{count} tasks")


def test_every_reason_for_which_a_dataset_leaves_examples_out_is_said_in_words() -> None:
    reasons = ev.DatasetBuilt.model_fields["left_out"].description
    assert reasons is not None and set(re.findall(r"`(\w+)`", reasons)) == LEFT_OUT.keys()
    assert left_out({"alone": 44, "lucky": 1}) == "44 with no other to make a pair with, 1 right by luck"
