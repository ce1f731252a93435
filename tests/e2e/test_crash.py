"""kill -9 at named points and at random moments: nothing that was acknowledged is lost, nothing is doubled, the run
finishes, and it decides what a run decides that was never killed.

Training is real and tiny. `tests/support/crashes.py` says what is real besides, and what is checked.
"""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from agent0es import crash_points
from agent0es.agents.student import UNREADABLE
from agent0es.domain import events as ev
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support.crashes import RUN, Killed, check, check_complete, decided, handled, tables

ROOT = Path(__file__).parents[2]
CONFIG = str(Path(__file__).with_name("killed.yaml"))
SCRIPT, CHAT_SCRIPT = "tests.support.crashes:respond", "tests.support.crashes:converse"
TASKS, ITERATIONS = 5, 2
RESUME = ("run", "--resume", "latest")

POINTS_OF_A_RUN = (
    ("append.before", 4),
    ("append.transaction", 9),
    ("append.committed", 7),
    ("tool.ran", 2),
    ("handler.unmarked", 2),
    ("append.transaction", 5),
    ("dataset.written", 1),
    ("training.step", 2),
    ("training.checkpoint", 1),
    ("adapter.written", 1),
    ("merge.tensor", 12),
    ("adapter.trained", 1),
    ("evaluation.answered", 1),
    ("append.committed", 1),
    ("append.before", 1),
)
"""Each with the passing at which the process dies, in the order in which one run comes by."""

MOMENTS = [10, pytest.param(25, marks=pytest.mark.slow)]
"""At how many random moments a run is killed."""

POINTS_OF_A_COMMAND = {
    "projection.batch": ("sql", "SELECT count(*) FROM events"),
    "checkpoint.draft": ("log", "checkpoint", "--sign", "-o", "STORE/checkpoint.txt"),
}
"""Points that another command passes than `run`. Killed there and run again, it must succeed."""
OF_THE_ROUTER = {"budget.reserved", "route.attempted"}
"""Killed at in tests/integration/run/test_router_budget.py."""


CHAT = (
    "models.student.observations=turns",
    "models.student.reminders=1",
    "models.student.max_tokens=200",
    "models.student.stop=[]",
    "tools.calls_per_attempt=3",
    "training.learn_from=correct",
    "execution.deterministic=true",
)
"""A student that chats, reminded and with several calls an attempt, one request at a time."""


def settings(backend: str, name: str, weights: Path) -> list[str]:
    """Arguments of a new run with this model for both roles."""
    each = {"backend": backend, "name": name, "options": f"{{weights: {weights}}}"}
    return ["run", "--config", CONFIG] + [
        part
        for role in ("student", "teacher")
        for key, value in each.items()
        for part in ("--set", f"models.{role}.{key}={value}")
    ]


def in_a_chat(backend: str, name: str, weights: Path) -> list[str]:
    """The same for a student that chats."""
    return [*settings(backend, name, weights), *(word for setting in CHAT for word in ("--set", setting))]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Killed:
    """A run that nobody killed, of a student that chats."""
    whole = Killed(tmp_path_factory.mktemp("whole") / "store")
    assert whole.run(*in_a_chat("scripted", CHAT_SCRIPT, weights)) == 0, whole.output()
    recorded = check_complete(whole, TASKS, ITERATIONS)
    kinds = [type(r.event) for r in recorded]
    assert kinds.count(ev.AdapterTrained) == ITERATIONS and ev.AdapterPromoted in kinds, "there is something to lose"
    turns = [
        r.event.prompt.turns for r in recorded if isinstance(r.event, ev.ModelCalled) and r.event.role == "student"
    ]
    assert any(turn.text == UNREADABLE for said in turns for turn in said), "some are reminded"
    calls = Counter(
        r.event.attempt for r in recorded if isinstance(r.event, ev.ToolRequested) and r.event.purpose == "solution"
    )
    assert max(calls.values()) > 1, "some mend what failed"
    return whole


@pytest.fixture
def again(whole: Killed, weights: Path) -> list[str]:
    """Arguments of a run on the recording of that one, which must come to the same."""
    return in_a_chat("recorded", f"{whole.store}:{RUN}", weights)


def test_every_named_point_is_in_the_code_and_is_killed_at() -> None:
    code = "".join(file.read_text() for file in (ROOT / "agent0es").rglob("*.py"))
    reached = set(re.findall(r'\breach\("([^"]+)"', code))
    killed_at = {point for point, _ in POINTS_OF_A_RUN} | POINTS_OF_A_COMMAND.keys() | OF_THE_ROUTER
    assert reached == set(crash_points.POINTS) == killed_at


def test_a_run_killed_at_every_named_point_decides_the_same(tmp_path: Path, whole: Killed, again: list[str]) -> None:
    killed = Killed(tmp_path / "store")
    adapter = killed.store / "adapters" / RUN / "student-1"
    arguments: tuple[str, ...] = tuple(again)
    for point, passing in POINTS_OF_A_RUN:
        environment = {crash_points.VARIABLE: f"{point}:{passing}"}
        assert killed.run(*arguments, environment=environment) == -9, f"{point} was not passed: {killed.output()}"
        check(killed)
        arguments = RESUME
        match point:
            case "merge.tensor":
                assert list(adapter.glob(".merged.gguf-*")) and not (adapter / "merged.gguf").exists()
            case "adapter.trained":
                assert (adapter / "merged.gguf").exists()
                assert not any(isinstance(r.event, ev.AdapterTrained) for r in killed.events())
    commands = {
        point: [part.replace("STORE", str(killed.store)) for part in command]
        for point, command in POINTS_OF_A_COMMAND.items()
    }
    for point, command in commands.items():
        assert killed.run(*command, environment={crash_points.VARIABLE: point}) == -9, point
        assert killed.run(*command) == 0, killed.output()
    assert killed.run(*RESUME) == 0, killed.output()

    assert decided(check_complete(killed, TASKS, ITERATIONS)) == decided(whole.events())
    assert handled(killed) == handled(whole), "every cause is handled, and once"
    left = sorted(path.name for path in adapter.iterdir())
    assert left == ["adapter", "lora.gguf", "merged.gguf"], "nothing half-written is left"
    for point, command in commands.items():
        assert killed.run(*command, environment={crash_points.VARIABLE: point}) == -9, point
    assert tables(killed.store, killed.store / "projections.duckdb") == tables(killed.store, None)


@pytest.mark.parametrize("moments", MOMENTS)
def test_a_run_killed_at_random_moments_decides_the_same(
    tmp_path: Path, whole: Killed, again: list[str], moments: int
) -> None:
    """Two of them while an adapter is being trained, the others anywhere in the log."""
    rng = random.Random(25)
    killed = Killed(tmp_path / "store")
    places = sorted(rng.sample(range(2, whole.head), moments - 2))
    in_training = [r.position for r in whole.events() if isinstance(r.event, ev.TrainingStarted)]
    arguments: tuple[str, ...] = tuple(again)
    for place in sorted([*places, *in_training]):
        trains = place in in_training
        next_position = max(place, killed.head + 1)
        code = killed.run(
            *arguments,
            kill_when=lambda position, kind, trains=trains, at=next_position: (
                kind == "TrainingStarted" if trains else position >= at
            ),
            delay=rng.uniform(0, 2.0 if trains else 0.01),
        )
        assert code == -9, killed.output()
        check(killed)
        arguments = RESUME
    assert killed.run(*RESUME) == 0, killed.output()
    assert decided(check_complete(killed, TASKS, ITERATIONS)) == decided(whole.events())
    assert handled(killed) == handled(whole), "every cause is handled, and once"


@pytest.mark.parametrize("moments", MOMENTS)
def test_a_run_with_much_in_flight_killed_at_random_moments_loses_and_doubles_nothing(
    tmp_path: Path, weights: Path, moments: int
) -> None:
    """Some of them on the way through a catch-up of the tables."""
    rng = random.Random(50)
    killed = Killed(tmp_path / "store")
    arguments = (*settings("scripted", SCRIPT, weights), "--tasks", "10", "--set", "execution.tasks_in_flight=4")
    for moment in range(moments):
        at = killed.head + rng.randint(1, 600 // moments)
        code = killed.run(
            *arguments, kill_when=lambda position, _kind, at=at: position >= at, delay=rng.uniform(0, 0.02)
        )
        assert code == -9, killed.output()
        check(killed)
        arguments = RESUME
        if moment % 5 == 0:
            environment = {crash_points.VARIABLE: "projection.batch"} if moment % 2 else {}
            assert killed.run("sql", "SELECT count(*) FROM events", environment=environment) == (
                -9 if environment else 0
            )
    assert killed.run(*RESUME) == 0, killed.output()
    check_complete(killed, 10, ITERATIONS)
    assert tables(killed.store, killed.store / "projections.duckdb") == tables(killed.store, None)
