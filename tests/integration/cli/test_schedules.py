"""`agent0es schedule` and `agent0es store`: what is scheduled, what is refused, how a job ends."""

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent0es.cli.main import cli
from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError, RunInUse, UnknownName
from agent0es.log import EventLog, NewEvent
from agent0es.runs import scheduling
from agent0es.runs.clock import Clock
from agent0es.runs.jobs import JOBS
from tests.support.commands import answer, json_answer, json_answers
from tests.unit.history.test_log_lines import made, verified


def events(store: Path, kind: type[ev.Event]) -> list[ev.Event]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        return [one.event for one in log.read(run="schedules", types=[kind.__name__])]


def add(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["schedule", "add", "--store", str(store), *arguments])


def test_what_is_added_is_listed_until_it_is_removed(tmp_path: Path) -> None:
    add(tmp_path, "nightly", "--cron", "0 2 * * *", "--", "run", "--tasks", "20")
    add(tmp_path, "sign", "--every", "6h", "--", "log", "checkpoint", "--sign")
    nightly, sign = json_answers(tmp_path, "schedule", "list")
    assert nightly["command"] == ["run", "--tasks", "20"] and nightly["next"].endswith("T02:00:00Z")
    assert (sign["when"], sign["last_job"], sign["status"]) == ("every 21600 seconds", None, None)
    assert "ScheduleAdded" in answer(tmp_path, "events", "schedules")
    answer(tmp_path, "schedule", "remove", "sign")
    assert [row["schedule"] for row in json_answers(tmp_path, "schedule", "list")] == ["nightly"]
    with EventLog.open(tmp_path / "log.db", read_only=True) as log:
        assert log.runs() == [], "a schedule is no run"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s", "--every", "1h", "--", "rum"], "has no command 'rum'"),
        (["s", "--every", "1h", "--", "log", "sign"], "agent0es log has no command 'sign'"),
        (["s", "--every", "1h", "--", "log"], "agent0es log needs one of verify"),
        (["s", "--every", "1h", "--", "run", "--task", "3"], "No such option '--task'"),
        (["s", "--every", "1h", "--", "run", "--tasks", "many"], "Invalid value for '--tasks'"),
        (["s", "--every", "1h", "--", "serve"], "serve can't be scheduled"),
        (["s", "--every", "1h", "--", "schedule", "run", "s"], "schedule can't be scheduled"),
        (["s", "--every", "1h", "--", "runs", "--store", "x"], "leave out --store"),
        (["s", "--every", "1h", "--", "--log-level", "info", "runs"], "leave out what comes before its name"),
        (["s", "--", "runs"], "say when: one of --cron, --every and --when-new"),
        (["s", "--every", "1h", "--cron", "0 2 * * *", "--", "runs"], "say when: one of"),
        (["s", "--every", "soon", "--", "runs"], "write a number and a unit"),
        (["s", "--cron", "0 2 * *", "--", "runs"], "write five fields"),
        (["../s", "--every", "1h", "--", "runs"], "the name of a schedule"),
        (["x" * 41, "--every", "1h", "--", "runs"], "the name of a schedule"),
    ],
)
def test_what_could_not_work_is_refused_at_once(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = add(tmp_path, *arguments)
    assert result.exit_code != 0
    assert said in (str(result.exception) + result.output)
    assert not (tmp_path / "log.db").exists() or events(tmp_path, ev.ScheduleAdded) == []


def test_a_secret_is_not_written_into_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery-staple")
    with EventLog.open(tmp_path / "log.db") as log:
        with pytest.raises(ConfigurationError, match="holds a secret"):
            scheduling.add(
                log,
                scheduling.new_schedule(log, "s", ["run", "--set", "x=correct-horse-battery-staple"], every_seconds=60),
            )
        assert log.head() == 0


def test_a_name_that_is_taken_and_one_that_is_not_there(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        scheduling.add(log, scheduling.new_schedule(log, "nightly", ["runs"], every_seconds=60))
        with pytest.raises(ConfigurationError, match="there is a schedule 'nightly'"):
            scheduling.add(log, scheduling.new_schedule(log, "nightly", ["runs"], every_seconds=60))
        with pytest.raises(UnknownName, match="the nearest is nightly"):
            scheduling.remove(log, "nightli")


def test_a_job_says_how_it_ended(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([NewEvent("run/r", made("RunStarted"))], handler="cli")
        scheduling.add(
            log,
            scheduling.new_schedule(
                log, "sign", ["log", "checkpoint", "-o", "{exports}/c-{time}.txt"], every_seconds=60
            ),
        )
        scheduling.add(log, scheduling.new_schedule(log, "wrong", ["show", "nobody"], every_seconds=60))
        done = scheduling.run_job(tmp_path, log, "sign")
        assert done is not None and (done.outcome, done.exit_code) == ("succeeded", 0)
        assert "Checkpoint of" in done.message
        [file] = (tmp_path / "exports").iterdir()
        assert file.name.startswith("c-20") and "agent0es" in file.read_text()
        done = scheduling.run_job(tmp_path, log, "wrong")
        assert done is not None and (done.outcome, done.exit_code) == ("failed", 2)
        assert "there is no run 'nobody'" in done.message
        sign, wrong = scheduling.listed(log)
        assert (sign["status"], wrong["status"]) == ("succeeded", "failed")
        assert log.drivers() == {}
    [row] = json_answers(tmp_path, "sql", "FROM jobs WHERE schedule = 'wrong'")
    assert (row["outcome"], row["exit_code"], row["starts"]) == ("failed", 2, 1)


def cut_off(log: EventLog, job: str = "s-1") -> None:
    """A job whose process was killed."""
    scheduling.add(log, scheduling.new_schedule(log, "s", ["runs"], every_seconds=1))
    started = ev.JobStarted(schedule="s", job=job, command=("runs",), due=None, start=1)
    log.append([NewEvent("service/schedules/s", started)], handler="schedule")


def test_a_job_that_was_cut_off_goes_on_under_its_name_and_one_that_goes_on_is_left(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        cut_off(log)
        assert scheduling.listed(log)[0]["status"] == "interrupted"
        with EventLog.open(tmp_path / "log.db") as other, other.lease("job-s-1"):
            assert scheduling.listed(log)[0]["status"] == "running"
            with pytest.raises(RunInUse):
                scheduling.run_job(tmp_path, log, "s")
        done = scheduling.run_job(tmp_path, log, "s")
        assert done is not None and done.job == "s-1"
        assert [event.start for event in events(tmp_path, ev.JobStarted)] == [1, 2]  # type: ignore[union-attr]


def test_a_job_that_can_not_be_started_is_told_of_and_the_clock_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / JOBS).write_text("no folder")
    monkeypatch.setattr("agent0es.runs.clock.AGAIN_SECONDS", 0.0)
    with EventLog.open(tmp_path / "log.db") as log:
        for name in ("one", "two"):
            scheduling.add(log, scheduling.new_schedule(log, name, ("runs",), every_seconds=1))
        time.sleep(1.1)
        clock = Clock(tmp_path, log)
        clock.look()
        clock.look()
    assert [record.args[0] for record in caplog.records if record.args] == ["one", "two", "one", "two"]
    assert all("File exists" in record.message for record in caplog.records)


class Quiet(Clock):
    """A clock that says what it would start."""

    def _start(self, name: str, job: object) -> None:
        self._started[name] = (time.monotonic(), job)  # type: ignore[assignment]
        self.begun.append(name)  # type: ignore[attr-defined]


def starts(store: Path, log: EventLog) -> list[str]:
    """What a new clock starts when it looks twice."""
    clock = Quiet.__new__(Quiet)
    Clock.__init__(clock, store, log)
    clock.begun = []  # type: ignore[attr-defined]
    clock.look()
    clock.look()
    return clock.begun  # type: ignore[attr-defined,no-any-return]


def test_the_clock_starts_what_is_due_once(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        scheduling.add(log, scheduling.new_schedule(log, "soon", ["runs"], every_seconds=1))
        scheduling.add(log, scheduling.new_schedule(log, "later", ["runs"], every_seconds=3600))
        assert starts(tmp_path, log) == []
        time.sleep(1.1)
        assert starts(tmp_path, log) == ["soon"]
        scheduling.remove(log, "soon")
        assert starts(tmp_path, log) == []


def test_the_clock_resumes_what_was_cut_off_and_leaves_what_goes_on(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        cut_off(log)
        with EventLog.open(tmp_path / "log.db") as other, other.lease("job-s-1"):
            assert starts(tmp_path, log) == []
        assert starts(tmp_path, log) == ["s"]


def test_the_clock_starts_a_training_when_enough_was_learnt(tmp_path: Path) -> None:
    right = [verified(True).model_copy(update={"attempt": f"{n}/0", "task": n}) for n in range(1, 4)]
    with EventLog.open(tmp_path / "log.db") as log:
        scheduling.add(log, scheduling.new_schedule(log, "learn", ["train", "{run}"], trajectories=3))
        log.append([NewEvent("run/r", made("RunStarted"))], handler="cli")
        log.append([NewEvent(f"attempt/r/{n}/0", one) for n, one in enumerate(right, 1)], handler="verify")
        assert scheduling.new_trajectories(log) == ("", 0), "the run goes on"
        log.append([NewEvent("run/r", made("RunCompleted"))], handler="schedule")
        assert scheduling.new_trajectories(log) == ("r", 3)
        assert starts(tmp_path, log) == ["learn"]
        log.append([NewEvent("adapter/r/student-1", made("DatasetBuilt"))], handler="train")
        assert scheduling.new_trajectories(log) == ("r", 0)
        assert starts(tmp_path, log) == []


def test_old_files_of_schedules_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db"):
        pass
    outside = tmp_path / "adapters" / "a"
    old, new, link = (tmp_path / "exports" / name for name in ("old", "new", "link"))
    for file in (old, new, outside):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    link.symlink_to(outside)
    for file in (old, outside):
        os.utime(file, (0, 0))
    assert json_answer(tmp_path, "store", "prune", "--days", "1") == {"deleted": [str(old)]}
    assert new.exists() and outside.exists() and link.is_symlink()


def test_tables_are_made_again(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([NewEvent("run/r", made("RunStarted"))], handler="cli")
    done = json_answer(tmp_path, "store", "compact")
    assert done["events"] == 1 and done["after"] > 0
