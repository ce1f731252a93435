"""What each table says, given these events."""

import json
import random
from collections.abc import Sequence
from typing import Any

from agent0es.domain import events as ev
from agent0es.log import History
from agent0es.log.records import NewEvent
from agent0es.projections import Projections
from tests.unit.projections import history as make
from tests.unit.projections.fake_log import FakeLog

RUN = "r"


def ask(events: Sequence[NewEvent], sql: str) -> list[tuple[Any, ...]]:
    with Projections.open(FakeLog(events)) as tables:
        tables.catch_up()
        return list(tables.query(sql).rows)


def on(stream: str, *events: ev.Event) -> list[NewEvent]:
    return [NewEvent(stream, event, {"seconds": 0.5}) for event in events]


def requested(task: int, iteration: int = 1) -> list[NewEvent]:
    event = ev.TaskRequested(
        task=task, iteration=iteration, domain="math", source="families", families={"gcd": 0.5}, novelty_bar=0.1, seed=1
    )
    return on(f"task/{RUN}/{task}", event)


def proposed(task: int, attempts: int = 1) -> list[NewEvent]:
    return [*requested(task), *on(f"task/{RUN}/{task}", make.proposed(random.Random(0), task, 1, "gcd", attempts))]


def completed(task: int, attempts: int, solved: int) -> list[NewEvent]:
    event = ev.TaskCompleted(task=task, iteration=1, family="gcd", difficulty=0.5, attempts=attempts, solved=solved)
    return on(f"task/{RUN}/{task}", event)


def tried(name: str, correct: bool, task: int | None = 1) -> list[NewEvent]:
    return make.attempt(random.Random(0), RUN, name, task, correct, None)


def test_a_task_shows_how_far_it_got() -> None:
    last_refusal = ev.ProposalRejected(
        task=3, iteration=1, reason="duplicate", detail="asked before", text="{}", tries_left=0
    )
    failed = ev.HandlerFailed(handler="solve", cause=1, task=4, error="ValueError: no", traceback="…")
    events = [
        *requested(1),
        *proposed(2),
        *requested(3),
        *on(f"task/{RUN}/3", last_refusal),
        *proposed(4),
        *on(f"run/{RUN}", failed),
        *proposed(5),
        *completed(5, attempts=4, solved=1),
    ]
    assert ask(events, "SELECT task, status, rejected, solve_rate FROM tasks ORDER BY task") == [
        (1, "requested", 0, None),
        (2, "proposed", 0, None),
        (3, "given_up", 1, None),
        (4, "given_up", 0, None),
        (5, "completed", 0, 0.25),
    ]


def test_a_tool_call_without_an_end_has_an_unknown_outcome() -> None:
    whole = tried("1/1", correct=True)
    cut_off = tried("1/2", correct=True)[:3]
    calls = ask([*whole, *cut_off], "SELECT call, task, status, exit_code, seconds FROM tool_calls ORDER BY call")
    assert calls == [("1/1#1", 1, "ok", 0, 0.125), ("1/2#1", 1, "unknown", None, None)]


def test_an_attempt_that_a_crash_cut_off_names_the_one_that_took_its_place() -> None:
    gone = on(f"attempt/{RUN}/1/1", ev.AttemptAbandoned(attempt="1/1", task=1, retried_as="1/1.1", reason="killed"))
    events = [*proposed(1), *tried("1/1", correct=True)[:2], *gone, *tried("1/1.1", correct=True)]
    assert ask(events, "SELECT attempt, status, retried_as, correct, family FROM attempts ORDER BY attempt") == [
        ("1/1", "abandoned", "1/1.1", None, "gcd"),
        ("1/1.1", "verified", None, True, "gcd"),
    ]


def test_an_attempt_at_a_held_out_problem_names_arm_and_problem() -> None:
    events = [*tried("eval/base-zero-shot/17", True, None), *tried("eval/student-1/17.2", True, None)]
    assert ask(events, "SELECT arm, problem, task, correct FROM attempts ORDER BY arm") == [
        ("base-zero-shot", 17, None, True),
        ("student-1", 17, None, True),
    ]


def test_the_curriculum_counts_completed_tasks_by_family() -> None:
    events = [
        *proposed(1, attempts=2),
        *tried("1/1", correct=True),
        *tried("1/2", correct=False),
        *completed(1, attempts=2, solved=1),
        *proposed(2),
        *tried("2/1", correct=True, task=2),
    ]
    sql = "SELECT iteration, family, tasks, attempts, solved, solve_rate, difficulty, tool_calls FROM curriculum"
    assert ask(events, sql) == [(1, "gcd", 1, 2, 1, 0.5, 0.5, 2)]


def test_rewards_keep_their_components() -> None:
    rewarded = ev.RewardAssigned(
        role="teacher", task=1, attempt=None, components={"novelty": 0.25, "correctness": 1.0}, total=0.4
    )
    sql = "SELECT role, attempt, components['novelty'], total FROM rewards"
    assert ask(on(f"task/{RUN}/1", rewarded), sql) == [("teacher", None, 0.25, 0.4)]


def adapter(name: str, *then: str, role: str = "student") -> list[NewEvent]:
    own = {"adapter": name, "role": role, "iteration": int(name[-1])}
    built = {**own, "examples": 2, "sha256": "d", "per_family": {"gcd": 2}, "sources": ("1/1", "2/1")}
    trained = {**own, "path": f"adapters/{RUN}/{name}", "files": {"merged.gguf": "e"}}
    kinds = {
        "fail": ev.TrainingFailed(**own, reason="too few"),
        "train": ev.AdapterTrained(**trained, steps=2, loss=(2.0, 1.0)),
        "evaluate": ev.AdapterEvaluated(**own, **make.scores(name)),
        "promote": ev.AdapterPromoted(**own, score=0.6, reason="better"),
        "reject": ev.AdapterRejected(**own, reason="not better"),
    }
    return on(f"adapter/{RUN}/{name}", ev.DatasetBuilt(**built), *(kinds[step] for step in then))


def test_the_adapter_that_was_promoted_last_serves() -> None:
    events = [
        *adapter("student-1", "train", "evaluate", "promote"),
        *adapter("student-2", "train", "evaluate", "promote"),
        *adapter("student-3", "train", "evaluate", "reject"),
        *adapter("student-4", "fail"),
        *adapter("student-5"),
        *adapter("teacher-1", "train", "evaluate", "promote", role="teacher"),
    ]
    sql = "SELECT adapter, status, serving, share, final_loss, reason FROM adapters ORDER BY position"
    assert ask(events, sql) == [
        ("student-1", "promoted", False, 0.6, 1.0, "better"),
        ("student-2", "promoted", True, 0.6, 1.0, "better"),
        ("student-3", "rejected", False, 0.6, 1.0, "not better"),
        ("student-4", "failed", False, None, None, "too few"),
        ("student-5", "training", False, None, None, None),
        ("teacher-1", "promoted", True, 0.6, 1.0, "better"),
    ]


def test_an_evaluation_has_a_row_per_arm_and_split_and_per_family() -> None:
    events = adapter("student-1", "train", "evaluate")
    rows = ask(events, "SELECT split, arm, correct, problems, share, lead, p_value FROM evaluations ORDER BY ALL")
    assert rows == [
        ("held_out", "base-zero-shot", 1, 10, 0.1, 0.5, 0.02),
        ("held_out", "student-1", 6, 10, 0.6, None, None),
        ("practised", "base-zero-shot", 1, 10, 0.1, 0.5, 0.02),
        ("practised", "student-1", 6, 10, 0.6, None, None),
    ]
    families = ask(
        events,
        "SELECT family, correct, problems FROM evaluation_families WHERE split = 'held_out' AND arm = 'student-1'"
        " ORDER BY family",
    )
    assert families == [("gcd", 6, 6), ("percent", 0, 4)]


def test_a_retraction_names_a_task_or_one_of_its_attempts() -> None:
    events = [ev.Retracted(what=what, reason="no", actor="ada") for what in ("12", "12/3.1")]
    sql = "SELECT what, task, attempt, reason, actor FROM retractions ORDER BY position"
    assert ask(on(f"run/{RUN}", *events), sql) == [("12", 12, None, "no", "ada"), ("12/3.1", 12, "12/3.1", "no", "ada")]


def test_a_run_sums_up_what_it_came_to() -> None:
    started = ev.RunStarted(seed=2**70, configuration={"a": {"b": 1}}, code_version="0.1", weights={"m": "w"})
    events = [
        *on("run/a", started),
        *on(f"run/{RUN}", started, ev.IterationStarted(iteration=1)),
        *proposed(1, attempts=2),
        *completed(1, attempts=2, solved=1),
        *adapter("student-1", "train", "evaluate", "promote"),
        *on(f"run/{RUN}", ev.RunCompleted(iterations=1, serving={"student": "student-1", "teacher": None})),
    ]
    sql = "SELECT run, status, iteration, tasks, solve_rate, serving_student, events, seed FROM runs ORDER BY position"
    assert ask(events, sql) == [
        ("a", "not started", 0, 0, None, None, 1, 2**70),
        (RUN, "completed", 1, 1, 0.5, "student-1", 10, 2**70),
    ]


def test_a_run_that_is_not_completed_has_not_started_has_failed_or_is_unfinished() -> None:
    started = ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})
    begun = ev.IterationStarted(iteration=1)
    stopped = ev.HandlerFailed(handler="solve", cause=2, task=None, error="E: no", traceback="")
    gave_up_a_task = stopped.model_copy(update={"task": 1})
    retracted = ev.Retracted(what="1", reason="no", actor="ada")
    cases: dict[str, tuple[ev.Event, ...]] = {
        "not started": (started, retracted),
        "failed": (started, begun, stopped, retracted),
        "unfinished": (started, begun),
        "unfinished, a task given up": (started, begun, gave_up_a_task),
        "unfinished, taken up again after a failure": (started, stopped, *[begun] * 12),
        "failed, what was under way came after it": (started, begun, stopped, begun),
    }
    events = [new for name, of_run in cases.items() for new in on(f"run/{name}", *of_run)]
    found = dict(ask(events, "SELECT run, status FROM runs"))
    assert found == {name: name.split(",")[0] for name in cases}


def test_an_adapter_in_use_is_tainted_by_what_it_learnt_from_and_was_retracted_since() -> None:
    def retracted(*what: str) -> list[NewEvent]:
        return on(f"run/{RUN}", *(ev.Retracted(what=one, reason="bad", actor="ada") for one in what))

    def after(*events: NewEvent) -> tuple[Any, ...]:
        started = ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})
        all_events = [*on(f"run/{RUN}", started), *events]
        [(tainted,)] = ask(all_events, "SELECT tainted FROM runs")
        alerts = ask(all_events, "SELECT subject FROM alerts WHERE kind = 'tainted_adapter' ORDER BY ALL")
        assert [(name,) for name in tainted] == alerts
        return (tainted, dict(ask(all_events, "SELECT adapter, tainted_by FROM adapters")))

    one = adapter("student-1", "train", "evaluate", "promote")  # learnt from 1/1 and 2/1
    two = adapter("student-2", "train", "evaluate", "promote")
    teacher = adapter("teacher-1", "train", "evaluate", "promote", role="teacher")
    assert after(*one) == ([], {"student-1": []})
    assert after(*one, *retracted("3", "1/2", "1/1.1", "11")) == ([], {"student-1": []})
    assert after(*one, *retracted("1")) == (["student-1"], {"student-1": ["1"]})
    assert after(*one, *retracted("1/1", "1")) == (["student-1"], {"student-1": ["1", "1/1"]})
    assert after(*retracted("1"), *one) == ([], {"student-1": []}), "its dataset left that out"
    assert after(*one, *retracted("1"), *two) == ([], {"student-1": ["1"], "student-2": []}), "no longer in use"
    assert after(*one, *teacher, *retracted("1"))[0] == ["student-1", "teacher-1"]
    going_on = [
        NewEvent(new.stream, new.event.model_copy(update={"start": "student-1", "sources": ("7/1",), "method": "grpo"}))
        if isinstance(new.event, ev.DatasetBuilt)
        else new
        for new in two
    ]
    assert after(*one, *going_on, *retracted("1")) == (["student-2"], {"student-1": ["1"], "student-2": ["1"]})
    assert after(*one, *going_on, *retracted("7")) == (["student-2"], {"student-1": [], "student-2": ["7"]})


def test_a_fork_uses_and_is_warned_of_what_its_past_trained() -> None:
    started = ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})
    retracted = ev.Retracted(what="1", reason="bad", actor="ada")
    parent = [*on(f"run/{RUN}", started), *adapter("student-1", "train", "evaluate", "promote")]

    def forked(at: int) -> ev.RunForked:
        return ev.RunForked(parent=RUN, position=at, seed=1, configuration={}, code_version="1", weights={})

    end = len(parent)
    events = [*parent, *on(f"run/{RUN}", retracted), *on("run/late", forked(end + 1)), *on("run/early", forked(end))]
    events += on("run/first", forked(1))
    assert ask(events, "SELECT run, serving_student, tainted FROM runs ORDER BY position") == [
        (RUN, "student-1", ["student-1"]),
        ("late", "student-1", ["student-1"]),
        ("early", "student-1", []),
        ("first", None, []),
    ]


def test_long_texts_are_shown_in_full_but_prompts_stay_references() -> None:
    call = make.called("student", 1, "1/1", None, make.LONG, prompt=make.PROMPT)
    [(text, prompt)] = ask(on(f"attempt/{RUN}/1/1", call), "SELECT text, prompt FROM model_calls")
    assert text == make.LONG
    assert json.loads(prompt)["opening"][0].keys() == {"$text"}
    assert json.loads(prompt)["turns"] == [["short", "user"]]


def test_a_text_that_looks_like_a_reference_stays_what_it_is() -> None:
    secret = make.called("student", 1, "1/1", None, make.LONG)
    log = FakeLog(on(f"attempt/{RUN}/1/1", secret))
    [sha256] = [name for name, text in log._texts.items() if text == make.LONG]
    forged = f'{{"$text":"{sha256}"}}'
    log.append(on(f"attempt/{RUN}/1/2", make.called("student", 1, "1/2", None, forged)))
    with Projections.open(log) as tables:
        tables.catch_up()
        assert list(tables.query("SELECT text FROM model_calls WHERE attempt = '1/2'").rows) == [(forged,)]


def test_hostile_characters_come_through_unchanged() -> None:
    text = "nul \0, escape \x1b[2J, quote ' \" $text, astral \U0001f600, bidi \u202e, [bold]"
    call = make.called("student", 1, "1/1", None, text)
    assert ask(on(f"attempt/{RUN}/1/1", call), "SELECT text FROM model_calls") == [(text,)]


def test_after_a_rollback_the_adapter_before_is_in_use_and_the_alerts_say_why() -> None:
    stages = ("train", "evaluate", "promote")
    alarm = ev.AlarmRaised(iteration=2, kind="answers", role="student", value=0.0, reference=0.001, message="all alike")
    back = ev.AdapterRolledBack(adapter="student-2", role="student", iteration=2, to="student-1", reason="all alike")
    base = ev.AdapterRolledBack(adapter="student-1", role="student", iteration=3, to=None, reason="so is this one")
    events = [
        *on(f"run/{RUN}", ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})),
        *adapter("student-1", *stages),
        *adapter("student-2", *stages),
        *on(f"run/{RUN}", alarm, back),
    ]
    sql = "SELECT adapter, status, serving, reason FROM adapters ORDER BY adapter"
    assert ask(events, sql) == [
        ("student-1", "promoted", True, "better"),
        ("student-2", "rolled_back", False, "all alike"),
    ]
    assert ask(events, "SELECT serving_student FROM runs") == [("student-1",)]
    assert ask([*events, *on(f"run/{RUN}", base)], "SELECT serving_student FROM runs") == [(None,)]
    assert ask(events, "SELECT kind, message FROM alerts ORDER BY position") == [
        ("answers", "all alike"),
        ("rolled_back", "student-2 was rolled back, student-1 is in use again: all alike"),
    ]


def test_every_event_of_a_history_has_its_row() -> None:
    events = [event for n in range(6) for event in make.history(random.Random(n), f"run-{n}", iterations=2)]
    kinds = {event.event.type for event in events}
    assert len(kinds) == 32, f"the history should have one of each: {kinds}"
    counts = dict(ask(events, "SELECT type, count(*) FROM events GROUP BY type"))
    tables = {
        "TaskRequested": "tasks",
        "ProposalRejected": "proposals_rejected",
        "AttemptStarted": "attempts",
        "ModelCalled": "model_calls",
        "ToolRequested": "tool_calls",
        "Verified": "verifications",
        "RewardAssigned": "rewards",
        "IterationStarted": "iterations",
        "DatasetBuilt": "adapters",
        "TrainingProgressed": "training_steps",
        "RunStarted": "runs",
        "Retracted": "retractions",
    }
    assert counts.keys() == kinds
    union = " UNION ALL ".join(f"FROM {table} SELECT '{kind}', count(*)" for kind, table in tables.items())
    assert dict(ask(events, union)) == {kind: counts[kind] for kind in tables}


def test_every_column_that_a_user_sees_says_what_it_is() -> None:
    sql = (
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE schema_name = 'main' AND NOT internal AND comment IS NULL"
    )
    assert ask([], sql) == []


def rewarded(task: int, total: float) -> list[NewEvent]:
    event = ev.RewardAssigned(role="student", task=task, attempt=f"{task}/1", components={}, total=total)
    return on(f"task/{RUN}/{task}", event)


def test_alerts_say_what_somebody_should_look_at() -> None:
    timeout = tried("1/1", correct=False)
    ended = timeout[3].event
    assert isinstance(ended, ev.ToolCalled)
    timeout[3] = NewEvent(timeout[3].stream, ended.model_copy(update={"status": "timeout"}), {"wall_seconds": 5.1})
    failed = ev.HandlerFailed(handler="solve", cause=1, task=1, error="ValueError: no", traceback="…")
    events = [
        *on(f"run/{RUN}", ev.IterationStarted(iteration=1)),
        *requested(1),
        *timeout,
        *rewarded(1, 0.5),
        *on(f"run/{RUN}", ev.IterationStarted(iteration=2)),
        *requested(2, iteration=2),
        *rewarded(2, 0.4),
        *on(f"run/{RUN}", failed),
        *adapter("student-2", "fail"),
    ]
    assert ask(events, "SELECT kind, subject, value FROM alerts ORDER BY kind") == [
        ("handler_failure", "solve", None),
        ("reward_decrease", "iteration 2", 0.4),
        ("timeout", "1/1#1", 5.1),
        ("training_failure", "student-2", None),
    ]


def test_a_failure_rate_over_one_half_in_fifty_attempts_is_an_alert() -> None:
    def attempts(first: int, right: int) -> list[NewEvent]:
        return [e for n in range(50) for e in tried(f"{first + n}/1", correct=n < right, task=first + n)]

    sql = "SELECT subject, value, message FROM alerts"
    assert ask([*attempts(1, 25), *attempts(101, 24)[:-1]], sql) == []
    assert ask([*attempts(1, 25), *attempts(101, 24)], sql) == [
        ("attempts", 0.52, "52% of 50 attempts in a row failed")
    ]


def begun(run: str, parent: str | None = None, position: int = 0) -> NewEvent:
    own = {"seed": 1, "configuration": {}, "code_version": "0.1.0", "weights": {}}
    if parent is None:
        return NewEvent(f"run/{run}", ev.RunStarted.model_validate(own))
    return NewEvent(f"run/{run}", ev.RunForked.model_validate({**own, "parent": parent, "position": position}))


def test_the_histories_of_forks_are_those_that_the_log_reads() -> None:
    went_on = [NewEvent(f"run/{run}", ev.IterationStarted(iteration=n)) for n in (1, 2) for run in ("a", "b", "c")]
    log = FakeLog([begun("a"), went_on[0], begun("b", "a", 2), went_on[1], *went_on[3:5]])
    log.append([begun("c", "b", 4), *went_on[2:3], begun("early", "b", 2), begun("alone")])
    with Projections.open(log) as tables:
        tables.catch_up()
        found = list(tables.query("FROM histories ORDER BY run, until").rows)
        events = "SELECT position FROM events e JOIN histories h ON e.run = h.ancestor AND e.position <= h.until"
        positions = {
            run: [row[0] for row in tables.query(f"{events} WHERE h.run = ? ORDER BY position", [run]).rows]
            for run in ("a", "b", "c", "early", "alone")
        }

    assert [row for row in found if row[0] in ("c", "early")] == [
        ("c", "a", 2),
        ("c", "b", 4),
        ("c", "c", log.head()),
        ("early", "a", 2),
        ("early", "early", log.head()),
    ]
    for run, of_table in positions.items():
        assert of_table == [recorded.position for recorded in History.of(log, run).read()], run
