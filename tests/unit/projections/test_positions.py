"""Novelty index and training datasets are projections too: rebuilt at a position, they are what they were then."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent0es.configuration import Configuration, TrainingSettings
from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.log import EventLog, Recorded
from agent0es.projections import NoveltyIndex
from agent0es.projections.datasets import build, select
from agent0es.projections.examples import student_examples, teacher_examples
from agent0es.projections.practice import practice
from tests.unit.projections.history import history, interleave

RUN = "r0"
CONFIGURATION = Configuration(seed=1, training=TrainingSettings(examples_per_family=3))
PROBES = ([1.0, 0.0, 0.0, 0.0], [0.1, 0.5, 0.2, 0.9])


def embedding(text: str) -> list[float]:
    """A vector that depends on the text alone, as an embedding does."""
    digest = hashlib.sha256(text.encode()).digest()
    return [byte - 127.5 for byte in digest[:4]]


def proposals(recorded: Sequence[Recorded]) -> list[ev.TaskProposed]:
    return [r.event for r in recorded if isinstance(r.event, ev.TaskProposed)]


def neighbours(index: NoveltyIndex) -> list[object]:
    return [index.size, *(index.nearest(probe, k) for probe in PROBES for k in (1, 2))]


def dataset(recorded: Sequence[Recorded]) -> list[str]:
    practised = practice(recorded)
    both = (
        select(student_examples(practised), practised.doubtful, "student", CONFIGURATION),
        select(teacher_examples(practised), practised.doubtful, "teacher", CONFIGURATION),
    )
    return [build(one, lambda e: Prompt(turns=(Part(role="user", text=e.request),))).sha256 for one in both]


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 150), min_size=2, max_size=4))
def test_rebuilt_at_any_position_they_are_what_they_were_then(
    tmp_path_factory: object, seed: int, cuts: list[int]
) -> None:
    rng = random.Random(seed)
    events = interleave(rng, [history(rng, f"r{n}", tasks=5) for n in range(2)])
    folder: Path = tmp_path_factory.mktemp("positions")  # type: ignore[attr-defined]
    then: dict[int, tuple[list[object], list[str]]] = {}
    growing = NoveltyIndex()
    with EventLog.open(folder / "log.db") as log:
        for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(events)], strict=True):
            new = log.append(events[begin:end], handler="test")
            for proposed in proposals([r for r in new if r.run == RUN]):
                growing.add(proposed.task, embedding(proposed.proposal.description))
            then[log.head()] = neighbours(growing), dataset(list(log.read(run=RUN)))
        for position, expected in then.items():
            past = list(log.read(run=RUN, until=position))
            known = proposals(past)
            rebuilt = NoveltyIndex.rebuild((p.task for p in known), (embedding(p.proposal.description) for p in known))
            assert (neighbours(rebuilt), dataset(past)) == expected
