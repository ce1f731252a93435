"""What a retraction does to the state of a run."""

from functools import reduce

from agent0es.domain import events as ev
from agent0es.domain.retraction import covers
from agent0es.domain.run import RunState, evolve


def built(name: str, *sources: str) -> ev.DatasetBuilt:
    role, iteration = name.split("-")[:2]
    return ev.DatasetBuilt.model_validate(
        {
            "adapter": name,
            "role": role,
            "iteration": int(iteration),
            "examples": len(sources),
            "sha256": "d",
            "per_family": {},
            "sources": sources,
        }
    )


def trained(name: str) -> ev.AdapterTrained:
    own = {"adapter": name, "role": "student", "iteration": 1, "path": "p", "steps": 1, "loss": (1.0,)}
    return ev.AdapterTrained.model_validate({**own, "files": {"merged.gguf": "m"}})


def promoted(name: str) -> ev.AdapterPromoted:
    return ev.AdapterPromoted(adapter=name, role="student", iteration=1, score=1.0, reason="better")


def retracted(what: str) -> ev.Retracted:
    return ev.Retracted(what=what, reason="bad", actor="ada")


def after(*events: ev.Event) -> RunState:
    return reduce(evolve, events, RunState(status="running"))


def test_a_task_stands_for_its_attempts_and_an_attempt_for_itself() -> None:
    assert covers("12", "12") and covers("12", "12/3") and covers("12", "12/3.1")
    assert covers("12/3", "12/3")
    assert not covers("12/3", "12") and not covers("12/3", "12/3.1") and not covers("1", "12/3")


def test_an_adapter_is_tainted_by_what_is_retracted_after_its_dataset_was_built() -> None:
    state = after(
        built("student-1", "1/0", "2/1"),
        retracted("1/0"),
        built("student-2", "2/1", "3/0"),
        trained("student-2"),
        retracted("1"),
    )
    assert {name: adapter.tainted for name, adapter in state.adapters.items()} == {
        "student-1": True,
        "student-2": False,
    }
    assert after(built("student-1", "1/0"), retracted("1"), trained("student-1")).adapters["student-1"].tainted


def test_the_rival_of_a_new_adapter_is_what_serves_unless_it_is_tainted() -> None:
    one = [built("student-1", "1/0"), trained("student-1"), promoted("student-1")]
    two = [built("student-2", "1/0", "2/0"), trained("student-2"), promoted("student-2")]
    assert after().rival("student") is None
    assert after(*one, *two).rival("student") == "student-2"
    assert after(*one, *two, retracted("2")).rival("student") == "student-1"
    assert after(*one, *two, retracted("1")).rival("student") is None, "both learnt from it: the base model counts"
    assert after(*one, *two, retracted("2")).serving["student"] == "student-2", "it serves until something better does"


def test_an_adapter_that_is_rebuilt_leaves_a_completed_run_completed() -> None:
    done = ev.RunCompleted(iterations=1, serving={})
    state = after(built("student-1", "1/0"), done, built("student-1-clean"), trained("student-1-clean"))
    assert (state.status, state.phase) == ("completed", "done")
