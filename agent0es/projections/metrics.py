"""Figures of a store for a monitoring system: what each is called, what it says, and the query for its rows.

Names, units and types are as Prometheus wants them: seconds, US dollars, `_total` for what only grows. A row is the
labels in their order and then the value; of a histogram the count, the sum, and the counts up to each of `BUCKETS`. The
tables are folded incrementally, so that a look at them costs what has come since the last one. Series with the label
`run` are of the `MOST_RUNS` that began last.

What is counted begins at 0, as far as its labels are known before (`Metric.ahead`): in a series that is first seen at
40 a monitoring system sees no growth. And it never falls: only what has ended for good is counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from agent0es.domain.events import ProposalRejected, ToolCalled
from agent0es.domain.events.routing import CandidateName, RouteReason
from agent0es.projections.tables import Projections

PREFIX = "agent0es_"
MOST_RUNS = 20
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Upper ends in seconds."""

_RUNS = f"""(
    SELECT run FROM events WHERE type IN ('RunStarted', 'RunForked') GROUP BY run ORDER BY min(position) DESC
    LIMIT {MOST_RUNS}
)"""
_RECENT = f"run IN {_RUNS}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of figures."""

    name: str
    """Without the prefix and without `_total`."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    sql: str
    ahead: str = ""
    """A query for labels of which 0 is said until something is counted."""


def _any_of(label: str, values: Iterable[str]) -> str:
    """A table of what a label may say."""
    return "(VALUES {}) AS of_{}({})".format(", ".join(f"('{value}')" for value in values), label, label)


_ROLES = _any_of("role", ("student", "teacher"))
_VERDICTS = _any_of("verdict", ("right", "wrong", "undecided"))
_CANDIDATES = _any_of("candidate", get_args(CandidateName))
_REFUSALS = _any_of("reason", get_args(ProposalRejected.model_fields["reason"].annotation))
_ENDS = _any_of("status", get_args(ToolCalled.model_fields["status"].annotation))
_DOMAINS = f"(SELECT DISTINCT run, domain FROM tasks WHERE {_RECENT})"
_CALLS = f"(SELECT DISTINCT run, tool, purpose FROM tool_calls WHERE {_RECENT})"
_SCHEDULES = "(SELECT DISTINCT content ->> 'schedule' AS schedule FROM events WHERE type = 'ScheduleAdded')"


def _counted(
    name: str, text: str, labels: tuple[str, ...], table: str, where: str = "true", *, ahead: str = "", **said: str
) -> Metric:
    """How many rows there are, by labels; `said` is an expression for a label that is no column, `ahead` a table with
    the labels of which 0 is said before."""
    chosen = [f"{said[label]} AS {label}" if label in said else label for label in labels]
    of_runs = f"AND {_RECENT}" if "run" in labels else ""
    sql = f"SELECT {', '.join(chosen)}, count(*) FROM {table} WHERE {where} {of_runs} GROUP BY ALL"
    return Metric(name, "counter", text, labels, sql, f"SELECT {', '.join(labels)} FROM {ahead}" if ahead else "")


def _latency(name: str, text: str, label: str, source: str, ahead: str) -> Metric:
    """How long things took; the source gives the label and the seconds, `ahead` the labels of which 0 is said before
    there are any."""
    upto = ", ".join(f"count(*) FILTER (seconds <= {end})" for end in BUCKETS)
    sql = (
        f"SELECT {label}, count(*), sum(seconds), {upto} FROM ({source}) "
        f"WHERE seconds IS NOT NULL AND {label} IS NOT NULL GROUP BY {label}"
    )
    return Metric(name, "histogram", text, (label,), sql, f"SELECT DISTINCT {label} FROM {ahead}")


_VERDICT = "CASE WHEN correct THEN 'right' WHEN correct IS NULL THEN 'undecided' ELSE 'wrong' END"

METRICS: Sequence[Metric] = (
    Metric("log_events", "counter", "Events in the log.", (), "SELECT coalesce(max(position), 0) FROM events"),
    Metric(
        *("log_last_event_timestamp_seconds", "gauge", "When the last event was appended.", ()),
        "SELECT epoch(max(time)) FROM events HAVING max(time) IS NOT NULL",
    ),
    Metric(
        "runs", "gauge", "Runs by how the log leaves them.", ("status",), "SELECT status, count(*) FROM runs GROUP BY 1"
    ),
    Metric(
        *("run_iteration", "gauge", "Iteration that a run is in.", ("run",)),
        f"SELECT run, max(iteration) FROM iterations WHERE {_RECENT} GROUP BY run",
    ),
    _counted(
        *("tasks_proposed", "Tasks that the teacher proposed.", ("run", "domain"), "tasks", "proposed IS NOT NULL"),
        ahead=_DOMAINS,
    ),
    _counted(
        *("tasks_completed", "Tasks whose attempts were rewarded.", ("run", "domain"), "tasks", "status = 'completed'"),
        ahead=_DOMAINS,
    ),
    _counted(
        *("proposals_rejected", "Proposals that could not be used.", ("run", "reason"), "proposals_rejected"),
        ahead=f"{_RUNS}, {_REFUSALS}",
    ),
    _counted(
        *("attempts", "Attempts at tasks that were judged.", ("run", "domain", "verdict")),
        "(SELECT v.run, t.domain, v.correct FROM verifications v JOIN tasks t USING (run, task)) v",
        ahead=f"{_DOMAINS}, {_VERDICTS}",
        verdict=_VERDICT,
    ),
    _counted(
        *("held_out_answers", "Answers to held-out problems that were judged.", ("run", "verdict")),
        *("verifications", "task IS NULL"),
        ahead=f"{_RUNS}, {_VERDICTS}",
        verdict=_VERDICT,
    ),
    _counted(
        *("tool_calls", "Calls in the sandbox that ended.", ("run", "tool", "purpose", "status"), "tool_calls"),
        "ended IS NOT NULL",
        ahead=f"{_CALLS}, {_ENDS}",
    ),
    _counted("model_calls", "Generations.", ("run", "role", "model"), "model_calls"),
    Metric(
        *("model_tokens", "counter", "Tokens that models read and wrote.", ("run", "role", "direction")),
        f"""SELECT run, role, 'read', sum(prompt_tokens) FROM model_calls WHERE {_RECENT} GROUP BY ALL
        UNION ALL
        SELECT run, role, 'written', sum(completion_tokens) FROM model_calls WHERE {_RECENT} GROUP BY ALL""",
        f"SELECT run, role, direction FROM {_RUNS}, {_ROLES}, {_any_of('direction', ('read', 'written'))}",
    ),
    Metric(
        *("model_cost_usd", "counter", "What generations with a known price cost.", ("run", "role")),
        f"SELECT run, role, coalesce(sum(cost_usd), 0) FROM model_calls WHERE {_RECENT} GROUP BY ALL",
        f"SELECT run, role FROM {_RUNS}, {_ROLES}",
    ),
    Metric(
        *("task_cost_usd", "gauge", "Mean cost of a completed task, by known prices.", ("run",)),
        f"""SELECT run, sum(cost_usd) / count(DISTINCT task) FROM model_calls JOIN tasks USING (run, task)
        WHERE status = 'completed' AND {_RECENT} GROUP BY run HAVING sum(cost_usd) IS NOT NULL""",
    ),
    Metric(
        *("reward", "gauge", "Mean reward of the last iteration that has any.", ("run", "role")),
        f"""SELECT run, role, avg(total) FROM rewards JOIN tasks USING (run, task) WHERE {_RECENT}
        GROUP BY run, role, iteration QUALIFY row_number() OVER (PARTITION BY run, role ORDER BY iteration DESC) = 1""",
    ),
    Metric(
        *("task_novelty", "gauge", "Mean novelty of the last iteration's tasks.", ("run",)),
        f"""SELECT run, avg(novelty) FROM tasks WHERE novelty IS NOT NULL AND {_RECENT} GROUP BY run, iteration
        QUALIFY row_number() OVER (PARTITION BY run ORDER BY iteration DESC) = 1""",
    ),
    Metric(
        *("task_difficulty", "gauge", "Mean difficulty of the last iteration's tasks.", ("run", "domain")),
        f"""SELECT run, domain, avg(difficulty) FROM tasks WHERE difficulty IS NOT NULL AND {_RECENT}
        GROUP BY run, domain, iteration
        QUALIFY row_number() OVER (PARTITION BY run, domain ORDER BY iteration DESC) = 1""",
    ),
    *(
        Metric(
            *(f"training_{name}", "gauge", text, ("run", "adapter")),
            f"""SELECT run, adapter, {name} FROM training_steps WHERE {_RECENT}
            QUALIFY row_number() OVER (PARTITION BY run, adapter ORDER BY position DESC) = 1""",
        )
        for name, text in (
            ("loss", "Mean loss of a training's last steps."),
            ("step", "Optimizer steps so far."),
            ("steps", "Optimizer steps that there will be."),
            ("tokens_per_second", "How fast a training reads."),
        )
    ),
    Metric(
        *("adapters", "gauge", "Adapters by what became of them.", ("run", "role", "status")),
        f"SELECT run, role, status, count(*) FROM adapters WHERE {_RECENT} GROUP BY ALL",
    ),
    Metric(
        *(
            "held_out_accuracy",
            "gauge",
            "Share that an adapter or a baseline solved last.",
            ("run", "role", "arm", "split"),
        ),
        f"""SELECT run, role, arm, split, share FROM evaluations WHERE {_RECENT}
        QUALIFY row_number() OVER (PARTITION BY run, role, arm, split ORDER BY position DESC) = 1""",
    ),
    _counted(
        *("failures", "Handlers that failed, trainings without an adapter.", ("run", "kind"), "failures"),
        ahead=f"{_RUNS}, {_any_of('kind', ('handler', 'training'))}",
    ),
    _counted(
        *("routes", "Questions that the router answered, or could not.", ("status", "candidate", "reason"), "routes"),
        "ended IS NOT NULL",
        ahead=f"{_any_of('status', ('answered',))}, {_CANDIDATES}, {_any_of('reason', get_args(RouteReason))}",
    ),
    _counted(
        *("routes_judged", "Routed answers that a verifier judged.", ("candidate", "verdict")),
        *("routes", "verdict IS NOT NULL AND cached IS NULL"),
        ahead=f"{_CANDIDATES}, {_any_of('verdict', ('right', 'wrong'))}",
        verdict="CASE WHEN verdict THEN 'right' ELSE 'wrong' END",
    ),
    Metric(
        *("routes_cost_usd", "counter", "What routed answers with a known cost cost.", ("candidate",)),
        "SELECT candidate, sum(cost_usd) FROM routes WHERE cost_usd IS NOT NULL AND candidate IS NOT NULL GROUP BY 1",
        f"SELECT candidate FROM {_CANDIDATES}",
    ),
    Metric(
        *("route_prediction_error", "gauge", "Mean distance of the predicted from the true verdict.", ("candidate",)),
        """SELECT candidate, avg(abs(confidence - verdict::INTEGER)) FROM routes
        WHERE verdict IS NOT NULL AND confidence IS NOT NULL GROUP BY 1""",
    ),
    _latency("model_call_seconds", "Time of generations.", "role", "SELECT role, seconds FROM model_calls", _ROLES),
    _latency(
        *("tool_call_seconds", "Time of calls in the sandbox.", "tool", "SELECT tool, seconds FROM tool_calls"),
        "tool_calls",
    ),
    _latency(
        *("attempt_seconds", "Time of attempts, from start to submission.", "part"),
        """SELECT CASE WHEN a.task IS NULL THEN 'held_out' ELSE 'practice' END AS part,
            epoch(s.time - a.time) AS seconds
        FROM facts.attempt_started a JOIN facts.solution_submitted s USING (run, attempt)
        WHERE run <> 'routes'""",
        _any_of("part", ("practice", "held_out")),
    ),
    _latency(
        *("task_seconds", "Time of tasks, from request to reward.", "domain"),
        "SELECT domain, epoch(completed - requested) AS seconds FROM tasks",
        "tasks",
    ),
    _latency(
        *("route_seconds", "Time of routed answers.", "candidate", "SELECT candidate, seconds FROM routes"), _CANDIDATES
    ),
    Metric(
        *("alerts_active", "gauge", "Alerts that are not over.", ("rule",)),
        "SELECT rule, count(*) FROM alerts_raised WHERE cleared IS NULL GROUP BY rule",
    ),
    _counted("alerts_raised", "Alerts that were raised.", ("rule",), "alerts_raised"),
    _counted(
        *("jobs", "Jobs of schedules that ended.", ("schedule", "outcome"), "jobs", "outcome IS NOT NULL"),
        ahead=f"{_SCHEDULES}, {_any_of('outcome', ('succeeded', 'failed'))}",
    ),
    Metric(
        *("job_last_success_timestamp_seconds", "gauge", "When a schedule's job last succeeded.", ("schedule",)),
        "SELECT schedule, epoch(max(finished)) FROM jobs WHERE outcome = 'succeeded' GROUP BY schedule",
    ),
)

DUE = Metric(
    *("schedule_due_timestamp_seconds", "gauge", "When a schedule's next job is due; none while one goes on."),
    *(("schedule",), ""),
)
"""Which no query can say: who knows the clock gives its samples."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of a metric."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    """One; of a histogram count, sum, and the counts up to each of `BUCKETS`."""


def collect(tables: Projections) -> Iterator[tuple[Metric, list[Sample]]]:
    """Every metric with its samples. A label without a value is empty."""
    for metric in METRICS:
        width = len(metric.labels)
        counted = [_sample(row, width) for row in tables.query(metric.sql).rows if row[width] is not None]
        known = {sample.labels for sample in counted}
        nothing = (0.0,) * (2 + len(BUCKETS) if metric.kind == "histogram" else 1)
        ahead = [Sample(labels, nothing) for labels in _ahead(tables, metric) if labels not in known]
        yield metric, [*counted, *ahead]


def _ahead(tables: Projections, metric: Metric) -> Iterator[tuple[str, ...]]:
    if metric.ahead:
        yield from (tuple(map(str, row)) for row in tables.query(metric.ahead).rows)


def _sample(row: Sequence[Any], width: int) -> Sample:
    return Sample(
        tuple("" if value is None else str(value) for value in row[:width]), tuple(float(v or 0) for v in row[width:])
    )
