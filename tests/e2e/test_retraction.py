"""What is retracted between two iterations of a run is in the first one's dataset and not in the second one's."""

from pathlib import Path

import pytest

from agent0es.domain import events as ev
from tests.support.commands import answer, json_answer
from tests.support.crashes import RUN, Killed, SmallDomain, check

CONFIG = str(Path(__file__).with_name("killed.yaml"))
SETTINGS = (
    *(f"models.{role}.backend=scripted" for role in ("student", "teacher")),
    *(f"models.{role}.name=tests.support.studious:respond" for role in ("student", "teacher")),
    "training.minimum_examples=1000",  # datasets are built and nothing is trained
    "training.roles=[student,teacher]",
    "execution.tasks_per_iteration=12",
)


def datasets(killed: Killed) -> dict[str, tuple[str, ...]]:
    return {r.event.adapter: r.event.sources for r in killed.events() if isinstance(r.event, ev.DatasetBuilt)}


def test_a_run_that_goes_on_learns_no_more_from_what_was_retracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = Killed(tmp_path / "store")
    begun: list[int] = []

    def in_the_second_iteration(position: int, kind: str) -> bool:
        begun.extend([position] if kind == "IterationStarted" else [])
        return len(begun) == 2

    arguments = ("run", "--config", CONFIG, *(part for setting in SETTINGS for part in ("--set", setting)))
    assert killed.run(*arguments, kill_when=in_the_second_iteration) == -9, killed.output()
    first = datasets(killed)["student-1"]
    assert len(first) > 1
    attempt, task = first[0], first[1].split("/")[0]

    answer(killed.store, "retract", attempt, "--reason", "lucky")
    answer(killed.store, "retract", task, "--reason", "the text is ambiguous")
    assert killed.run("run", "--resume", "latest") == 0, killed.output()
    assert isinstance(check(killed)[-1].event, ev.RunCompleted)

    second = datasets(killed)
    assert second["student-1"] == first, "what was built stays as it was"
    assert set(first) - set(second["student-2"]) >= {first[0], first[1]}
    assert not [source for source in second["student-2"] if source == attempt or source.startswith(f"{task}/")]
    assert set(second["student-2"]) > set(first[2:]), "and it learns from the rest and from what came later"
    assert task in second["teacher-1"] and task not in second["teacher-2"]

    monkeypatch.setattr("agent0es.taskdomains.load_task_domains", lambda names, families: {"math": SmallDomain()})
    answer(killed.store, "replay", RUN, "--verify")  # would end with 1 at the first difference
    found = json_answer(killed.store, "whatif", RUN, "--set", "training.minimum_examples=1")
    assert [dataset["examples"][0] for dataset in found["datasets"]] == [
        len(second[f"{dataset['role']}-{dataset['iteration']}"]) for dataset in found["datasets"]
    ]
