"""kill -9 while the student is asked about its answers: the attempt is made again and says the same."""

from pathlib import Path

from agent0es import crash_points
from agent0es.domain import events as ev
from tests.support.crashes import RUN, Killed, check, decided

CONFIG = str(Path(__file__).with_name("killed.yaml"))
SETTINGS = (
    "execution.reflection=[confidence, critique]",
    "execution.deterministic=true",
    "execution.iterations=1",
    "execution.tasks_per_iteration=3",
    "training.minimum_examples=10000",
)


def arguments(backend: str, name: str) -> list[str]:
    models = [f"models.{role}.{key}" for role in ("student", "teacher") for key in ("backend", "name")]
    settings = [f"{key}={value}" for key, value in zip(models, (backend, name) * 2, strict=True)]
    return ["run", "--config", CONFIG, *(part for one in (*settings, *SETTINGS) for part in ("--set", one))]


def test_a_run_killed_between_questions_decides_the_same(tmp_path: Path) -> None:
    whole = Killed(tmp_path / "whole")
    assert whole.run(*arguments("scripted", "tests.support.crashes:respond")) == 0, whole.output()
    killed = Killed(tmp_path / "killed")
    again = arguments("recorded", f"{whole.store}:{RUN}")
    for appends in (10, 6):  # up to the reply to an attempt's first question; then to that of the one in its place
        environment = {crash_points.VARIABLE: f"append.committed:{appends}"}
        assert killed.run(*again, environment=environment) == -9, killed.output()
        last = check(killed)[-1].event
        assert isinstance(last, ev.Reflected) and last.question == "confidence"
        again = ["run", "--resume", "latest"]
    assert killed.run(*again) == 0, killed.output()
    assert sum(isinstance(r.event, ev.AttemptAbandoned) for r in killed.events()) == 2
    assert decided(check(killed)) == decided(whole.events())
    assert killed.run("replay", "latest", "--verify") == 0, killed.output()
    assert "reflections" in killed.output()
