"""What a run asks of its models is asked before it begins."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.models.base import Capabilities, ModelBackend, Weights
from agent0es.models.requirements import Models, changed_weights, weakened, why_not
from agent0es.models.scripted import ScriptedBackend
from tests.support import world

ABLE = ScriptedBackend.capabilities


def models(role: str = "", **lacks: object) -> Models:
    """A teacher and a student, of which one lacks something."""

    def model(name: str) -> ModelBackend:
        made = ScriptedBackend(lambda request, adapter: "", name=name, weights=Weights("base", Path("base.gguf"), "b"))
        made.capabilities = replace(ABLE, **lacks) if name == role else ABLE  # type: ignore[arg-type]
        return made

    return {"teacher": model("teacher"), "student": model("student")}


@pytest.mark.parametrize(
    ("role", "lacks", "settings", "why"),
    [
        ("student", {"context": 64}, (), "models.student: student reads and writes 64 tokens in all, and "
         "models.student.max_tokens is 64; set it lower"),
        ("teacher", {"seeds": False}, ("execution.deterministic=true",), "models.teacher: teacher takes no seed, so a "
         "run can't be made again; set execution.deterministic to false"),
        ("student", {"adapters": frozenset()}, ("training.roles=[teacher,student]",), "models.student: student can't "
         "answer with a trained adapter; set training.roles to [teacher]"),
        ("student", {"adapters": frozenset()}, (), "set training.roles to []"),
        ("student", {"prefill": False}, (), "models.student: student can't continue a turn that has begun, "
         "which a student does after each tool call; set models.student.observations to turns"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_refused_in_one_line(
    role: str, lacks: dict[str, object], settings: tuple[str, ...], why: str
) -> None:
    reason = why_not(world.configured("training.roles=[student]", *settings), models(role, **lacks))
    assert reason is not None and why in reason and "\n" not in reason
    assert why_not(world.configured(*settings), models()) is None


@pytest.mark.parametrize(
    ("role", "lacks", "settings"),
    [
        ("teacher", {"adapters": frozenset()}, ("training.roles=[student]",)),
        ("student", {"adapters": frozenset()}, ("training.roles=[]",)),
        ("student", {"seeds": False}, ()),
        ("student", {"structured_output": False}, ()),
        ("teacher", {"structured_output": False}, ()),
        ("teacher", {"prefill": False}, ()),
        ("student", {"prefill": False}, ("models.student.observations=turns",)),
        ("student", {"context": 65}, ()),
    ],
)
def test_what_a_run_does_not_need_may_lack(role: str, lacks: dict[str, object], settings: tuple[str, ...]) -> None:
    assert why_not(world.configured("models.student.max_tokens=64", *settings), models(role, **lacks)) is None


def test_what_only_weakens_a_signal_is_a_warning() -> None:
    assert weakened(world.configured(), models()) == []
    [line] = weakened(world.configured(), models("student", logprobs=False))
    assert line.startswith("student gives no log-probabilities")
    assert weakened(world.configured(), models("teacher", logprobs=False)) == []
    assert weakened(world.configured(), models("student", structured_output=False)) == []
    [line] = weakened(world.configured(), models("teacher", structured_output=False))
    assert line.startswith("teacher can't be kept to a JSON schema")
    [line] = weakened(world.configured(), models("teacher", priced=False))
    assert line.startswith("teacher has a price that nobody here knows")
    greedy = world.configured("models.student.temperature=0")
    assert weakened(greedy, models("student", sampling=False)) == []
    [line] = weakened(world.configured(), models("student", sampling=False))
    assert line.startswith("student takes no temperature")


def test_a_model_without_weights_is_named_before_the_practice_that_it_can_not_learn_from() -> None:
    unable = models()
    for model in unable.values():
        model.weights = None  # type: ignore[misc]
    [line] = weakened(world.configured("training.roles=[student]"), unable)
    assert line == "student has no weights to train from, so the student's training will fail"
    assert weakened(world.configured("training.roles=[]"), unable) == []


def test_a_run_goes_on_with_the_weights_that_it_was_begun_with() -> None:
    assert changed_weights({"base": "b"}, models()) is None
    assert changed_weights({}, models()) is None, "the log does not say"
    why = changed_weights({"base": "a"}, models())
    assert why == (
        "base.gguf: its sha256 is b, but the run was begun with base of a; put that file back, or start another run"
    )


def test_every_capability_is_asked_for() -> None:
    asked = {
        "logprobs",
        "token_ids",
        "structured_output",
        "adapters",
        "prefill",
        "sampling",
        "seeds",
        "context",
        "priced",
    }
    beside_a_run = {"embeddings"}
    assert set(Capabilities.__slots__) == asked | beside_a_run  # type: ignore[attr-defined]
