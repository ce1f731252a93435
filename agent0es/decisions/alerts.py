"""Which alerts are raised and which are over: a function of what happened, what was looked up, and the rules.

The log's events are folded into what the rules look at (`Seen`). From that and from what the log does not hold (the
time, the disk, whether the chain holds: `Observed`) follows a value for each rule and subject (`values`); an alert is
raised where a value is above `above`, and over where it is at most `clear` (`decide`). What lies between changes
nothing, so a value that trembles raises one alert and not ten. An alert about a run is over when the run is.

The guard (`decisions/guard.py`) decides what a run does about itself, and its alarms are the run's own events. What it
says is passed on by the rule `guard`. The SQL table `alerts` is what can be found in a log afterwards, every timeout of
a call among it; these alerts are what somebody was told, and when.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent0es.configuration.alerts import AlertRule, AlertRules
from agent0es.domain import events as ev
from agent0es.domain.names import NO_RUNS, is_evaluation, read_call
from agent0es.domain.text import counted, one_line
from agent0es.models.base import ModelOutOfMemory

OF_RUNS = (
    *("RunStarted", "RunForked", "RunCompleted", "HandlerFailed", "Verified", "ToolCalled", "RewardAssigned"),
    *("IterationCompleted", "MicroBatchHalved", "Retried", "AttemptAbandoned", "PracticeMeasured", "AlarmRaised"),
    *("ProposalRejected", "TrainingProgressed", "AdapterTrained", "AdapterEvaluated"),
)
"""Types of events of runs that are folded. The last line is of what shows that a run goes on."""
OF_THE_STORE = ("CostReserved", "CostSettled", "JobFinished")
"""Those of the rest; who watches knows the alerts, for nobody else writes them."""

Key = tuple[str, str | None, str]
"""Rule, run and subject of an alert."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """What the rules look at of a run that is not completed."""

    last: float
    """Time of its last event, in seconds since 1970."""
    attempts: tuple[bool, ...] = ()
    """Whether its last attempts at tasks were right."""
    calls: tuple[str, ...] = ()
    """How its last tool calls ended."""
    out_of_memory: tuple[float, ...] = ()
    """When memory ran out in a training."""
    models_out_of_memory: tuple[float, ...] = ()
    """When it ran out for a model that was asked."""
    rewards: tuple[float, int] = (0.0, 0)
    """Sum and number of the rewards of this iteration's attempts."""
    reward: float | None = None
    """Their mean in the last iteration that was completed."""
    best: float | None = None
    """The best mean of those before."""
    fallen: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    """Kind of alarm to by how much it fell, and what the guard said, in the last iteration."""
    failed: str | None = None
    """The error that stopped it; None where it goes on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules look at."""

    runs: Mapping[str, RunSeen] = field(default_factory=dict)
    """Those that are not completed."""
    spent: Mapping[str, float] = field(default_factory=dict)
    """Day (UTC) to dollars, with what is reserved."""
    reserved: Mapping[str, float] = field(default_factory=dict)
    """Reservation that is open to dollars."""
    jobs: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Schedule to how many jobs in a row failed, and what the last one said."""
    raised: Mapping[Key, ev.AlertRaised] = field(default_factory=dict)
    """The alerts that are not over."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the log does not hold."""

    time: float
    """Seconds since 1970."""
    driven: frozenset[str] = frozenset()
    """Runs that a live process drives."""
    since: float = 0.0
    """From when on somebody watches: nobody waits for an event from before."""
    disk_used: float | None = None
    """Share of the store's disk that is used; None where nobody looked."""
    altered: str | None = None
    """What is wrong with the log; empty where it was verified, None where nobody looked."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a rule is about, now."""

    rule: str
    run: str | None
    subject: str
    value: float
    message: str


def evolve(seen: Seen, event: ev.Event, run: str, time: float, rules: AlertRules) -> Seen:
    """What is known after an event of a run, or of what stands where a run does. Pure."""
    match event:
        case ev.AlertRaised():
            return replace(seen, raised={**seen.raised, key_of(event): event})
        case ev.AlertCleared():
            return replace(seen, raised={key: one for key, one in seen.raised.items() if key != key_of(event)})
        case ev.JobFinished():
            before = seen.jobs.get(event.schedule, (0, ""))[0]
            failures = before + 1 if event.outcome == "failed" else 0
            return replace(seen, jobs={**seen.jobs, event.schedule: (failures, event.message)})
        case ev.CostReserved() if not event.budget.startswith("run-"):
            spent = {
                event.budget: seen.spent.get(event.budget, 0.0) + event.most_usd
            }  # of earlier days nothing is kept
            return replace(seen, spent=spent, reserved={**seen.reserved, event.reservation: event.most_usd})
        case ev.CostSettled() if event.budget in seen.spent and event.reservation in seen.reserved:
            left = {name: most for name, most in seen.reserved.items() if name != event.reservation}
            back = 0.0 if event.cost_usd is None else seen.reserved[event.reservation] - event.cost_usd
            return replace(seen, spent={event.budget: seen.spent[event.budget] - back}, reserved=left)
        case ev.RunCompleted():
            return replace(seen, runs={name: one for name, one in seen.runs.items() if name != run})
    if run in NO_RUNS or is_evaluation(run):
        return seen
    known = seen.runs.get(run, RunSeen(time))
    known = _of_run(replace(known, last=time, failed=None), event, time, rules)
    return replace(seen, runs={**seen.runs, run: known})


def _of_run(run: RunSeen, event: ev.Event, time: float, rules: AlertRules) -> RunSeen:
    if _lacked_memory(event):
        run = replace(run, models_out_of_memory=(*run.models_out_of_memory, time))
    match event:
        case ev.Verified(task=int()):
            right = event.verification.correct is True
            return replace(run, attempts=(*run.attempts, right)[-rules.failure_rate.last :])
        case ev.ToolCalled() if (called := read_call(event.call)) is not None and called.purpose == "solution":
            most = max(rules.failure_rate.last, rules.timeouts.last)
            return replace(run, calls=(*run.calls, event.status)[-most:])
        case ev.MicroBatchHalved():
            return replace(run, out_of_memory=(*run.out_of_memory, time))
        case ev.RewardAssigned(attempt=str()):
            return replace(run, rewards=(run.rewards[0] + event.total, run.rewards[1] + 1))
        case ev.IterationCompleted() if run.rewards[1]:
            best = max((known for known in (run.best, run.reward) if known is not None), default=None)
            return replace(run, best=best, reward=run.rewards[0] / run.rewards[1], rewards=(0.0, 0))
        case ev.PracticeMeasured():
            return replace(run, fallen=dict.fromkeys(run.fallen, (0.0, "")))
        case ev.AlarmRaised():
            fell = abs(event.reference - event.value)
            return replace(run, fallen={**run.fallen, event.kind: (fell, event.message)})
        case ev.HandlerFailed(task=None):
            return replace(run, failed=event.error)
        case _:
            return run


def _lacked_memory(event: ev.Event) -> bool:
    """Whether a model's engine ended for want of memory: an error is told by its type and its message."""
    match event:
        case ev.Retried(error=error) | ev.HandlerFailed(error=error) | ev.AttemptAbandoned(reason=error):
            return error.startswith(f"{ModelOutOfMemory.__name__}:")
        case _:
            return False


def values(seen: Seen, observed: Observed, rules: AlertRules) -> Iterator[Value]:
    """The value of each rule where there is one. Pure."""
    for name, run in seen.runs.items():
        yield from _shares(name, run, rules)
        yield from _changes(name, run, observed, rules)
    today = f"{datetime.fromtimestamp(observed.time, UTC):%Y-%m-%d}"
    spent = seen.spent.get(today, 0.0)
    yield Value("cost", None, "router", spent, f"the router spent ${spent:.2f} on {today}")
    for schedule, (failures, said) in seen.jobs.items():
        message = f"{counted(failures, 'job')} of {schedule} in a row failed: {one_line(said)}"
        yield Value("job_failed", None, schedule, failures, message)
    if observed.altered is not None:
        message = one_line(observed.altered) or "the log is as it was written"
        yield Value("chain_broken", None, "log", float(bool(observed.altered)), message)
    if observed.disk_used is not None:
        yield Value("disk_full", None, "disk", observed.disk_used, f"{observed.disk_used:.0%} of the disk is used")


def _shares(name: str, run: RunSeen, rules: AlertRules) -> Iterator[Value]:
    """Of the last cases of a run."""
    calls = run.calls[-rules.failure_rate.last :]
    failures = {"attempts": [not right for right in run.attempts], "tool calls": [status != "ok" for status in calls]}
    for subject, failed in failures.items():
        if len(failed) == rules.failure_rate.last:
            share = sum(failed) / len(failed)
            yield Value("failure_rate", name, subject, share, f"{share:.0%} of the last {len(failed)} {subject} failed")
    late = [status in ("timeout", "limit") for status in run.calls[-rules.timeouts.last :]]
    if len(late) == rules.timeouts.last:
        share = sum(late) / len(late)
        message = f"{share:.0%} of the last {len(late)} tool calls ran out of time or memory"
        yield Value("timeouts", name, "tool calls", share, message)


def _changes(name: str, run: RunSeen, observed: Observed, rules: AlertRules) -> Iterator[Value]:
    """What became of a run."""
    for subject, times in (("training", run.out_of_memory), ("models", run.models_out_of_memory)):
        if times:
            seconds = rules.out_of_memory.seconds
            late = sum(observed.time - time <= seconds for time in times)
            where = "in training" if subject == "training" else "for a model that answers"
            message = f"memory ran out {counted(late, 'time')} {where}, in the last {seconds:.0f} s"
            yield Value("out_of_memory", name, subject, late, message)
    if run.best and run.reward is not None:
        fell = max(0.0, 1.0 - run.reward / run.best)
        message = f"the mean reward of an attempt is {run.reward:.3f}, and was {run.best:.3f}"
        yield Value("reward_decline", name, "attempts", fell, message)
    for kind, (by, said) in run.fallen.items():
        yield Value("guard", name, kind, by, said or "the guard does not say so any more")
    error = run.failed
    message = "it goes on" if error is None else f"an error stopped it: {one_line(error)}"
    yield Value("run_failed", name, "run", float(error is not None), message)
    waited = observed.time - max(run.last, observed.since) if name in observed.driven else 0.0
    yield Value("no_progress", name, "run", max(0.0, waited), f"nothing has happened for {waited:.0f} seconds")


def decide(seen: Seen, observed: Observed, rules: AlertRules) -> list[ev.AlertRaised | ev.AlertCleared]:
    """The alerts that begin and end now. Pure."""
    found: list[ev.AlertRaised | ev.AlertCleared] = []
    for one in values(seen, observed, rules):
        rule: AlertRule = getattr(rules, one.rule)
        known = seen.raised.get((one.rule, one.run, one.subject))
        said = {"rule": one.rule, "run": one.run, "subject": one.subject, "message": one.message}
        if known is None and rule.above is not None and one.value > rule.above:
            found.append(ev.AlertRaised.model_validate({**said, "value": round(one.value, 6), "above": rule.above}))
        elif known is not None and (rule.above is None or one.value <= rule.clear):
            found.append(ev.AlertCleared.model_validate({**said, "value": round(one.value, 6)}))
    return [*found, *_without_a_run(seen)]


def _without_a_run(seen: Seen) -> Iterable[ev.AlertCleared]:
    """Alerts about runs that are completed."""
    for rule, run, subject in seen.raised:
        if run is not None and run not in seen.runs:
            yield ev.AlertCleared(rule=rule, run=run, subject=subject, value=None, message="the run is completed")


def key_of(event: ev.AlertRaised | ev.AlertCleared) -> Key:
    """What makes two alerts the same."""
    return event.rule, event.run, event.subject
