"""What a user can set about alerts: when one is raised, when it is over, and who is told."""

from pydantic import Field, model_validator

from agent0es.configuration.section import Section


class AlertRule(Section):
    """When an alert is raised, and when it is over."""

    above: float | None
    """It is raised when the value is above this; `null` for never."""
    clear: float
    """It is over when the value is at most this. What lies between changes nothing."""

    @model_validator(mode="after")
    def _in_order(self) -> "AlertRule":
        if self.above is not None and self.clear > self.above:
            raise ValueError("clear must not be more than above")
        return self


class RecentRule(AlertRule):
    """The same of the last cases of a run."""

    last: int = Field(ge=1, le=10_000)
    """How many cases are looked at; with fewer nothing is said."""


class TimedRule(AlertRule):
    """The same of what happened of late."""

    seconds: float = Field(gt=0.0)
    """How far back is looked."""


class AlertRules(Section):
    """The rules. The values are shares in [0, 1] where nothing else is said."""

    failure_rate: RecentRule = RecentRule(above=0.5, clear=0.4, last=50)
    """Of a run's last attempts at tasks, those that were not right; of the student's last tool calls, those that did
    not end well. At the frontier of what a student can do half of the attempts fail: raise `above` where that is
    wanted."""
    timeouts: RecentRule = RecentRule(above=0.2, clear=0.1, last=50)
    """Of a run's last tool calls those that ran out of time, or reached their limit on memory or output."""
    out_of_memory: TimedRule = TimedRule(above=0.0, clear=0.0, seconds=3600.0)
    """How often memory ran out in a training, which then goes on with fewer examples at once; and for a model of this
    machine that answered, whose requests are made again."""
    reward_decline: AlertRule = AlertRule(above=0.1, clear=0.05)
    """By what share the mean reward of an iteration's attempts is below that of the best one before."""
    guard: AlertRule = AlertRule(above=0.0, clear=0.0)
    """By how much what the guard watches (held-out accuracy, diversity, labels, …) has fallen, where it says that this
    is no chance; see `guard`."""
    run_failed: AlertRule = AlertRule(above=0.0, clear=0.0)
    """1 after an error that stopped a run, until it goes on."""
    no_progress: AlertRule = AlertRule(above=1800.0, clear=60.0)
    """Seconds since the last event of a run that a process drives."""
    cost: AlertRule = AlertRule(above=10.0, clear=0.0)
    """US dollars that the router spent, or reserved, in the day (UTC)."""
    job_failed: AlertRule = AlertRule(above=0.0, clear=0.0)
    """Jobs of a schedule in a row that failed."""
    chain_broken: TimedRule = TimedRule(above=0.0, clear=0.0, seconds=3600.0)
    """1 where the log has been altered. All of it is verified so often, where it has grown."""
    disk_full: AlertRule = AlertRule(above=0.95, clear=0.9)
    """Share of the store's disk that is used."""


class AlertsSettings(Section):
    """What an operator is told of while a run or the service goes on."""

    rules: AlertRules = AlertRules()
    """When."""
    webhook_env: str | None = None
    """Name of the environment variable with the URL to which each alert is posted as JSON, when it is raised and when
    it is over. Such a URL often is a secret, so it is written nowhere."""
    command: tuple[str, ...] = ()
    """A program and its arguments, run for each alert, which it gets as JSON on standard input. There is no shell."""
