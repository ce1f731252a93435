"""The catalogue: everything that can happen in a run, in the order in which it happens, in an evaluation,
when the router is asked, and when a service watches over a store.

The fields of an event are its *content*: a function of the run's seed, its configuration and earlier events.
How it went (time, host, durations, memory) is *meta* and lives beside the event, see `agent0es.log.records`.
No content names the run, so two runs that decided the same have the same content hashes. `Retracted` alone is no
decision of the run but what a person did.

How attempts, calls and streams are named says `agent0es.domain.names`.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from agent0es.domain.events.attempts import AttemptAbandoned, AttemptStarted, Reflected, SolutionSubmitted, Verified
from agent0es.domain.events.calls import ModelCalled, ToolCalled, ToolRequested
from agent0es.domain.events.evaluation import (
    AdapterEvaluated,
    AdapterPromoted,
    AdapterRejected,
    ArmScore,
    Comparison,
    Leak,
    PairedTest,
)
from agent0es.domain.events.guard import AdapterRolledBack, AlarmRaised, PracticeMeasured, RunStopped
from agent0es.domain.events.measuring import (
    AnswerFormat,
    EvaluationCompleted,
    EvaluationStarted,
    LenientlyJudged,
    ProblemAsked,
    Tally,
    Way,
)
from agent0es.domain.events.routing import (
    AttemptsReused,
    Basis,
    Candidate,
    CandidateName,
    CostReserved,
    CostSettled,
    Expected,
    Neighbour,
    RouteAction,
    RouteAnswered,
    RouteAsked,
    RouteDecided,
    RouteFailed,
    RouteReason,
)
from agent0es.domain.events.run import (
    HandlerFailed,
    IterationCompleted,
    IterationStarted,
    Retracted,
    Retried,
    RunCompleted,
    RunForked,
    RunStarted,
)
from agent0es.domain.events.service import (
    AlertCleared,
    AlertRaised,
    JobFinished,
    JobStarted,
    ScheduleAdded,
    ScheduleRemoved,
)
from agent0es.domain.events.tasks import ProposalRejected, RewardAssigned, TaskCompleted, TaskProposed, TaskRequested
from agent0es.domain.events.training import (
    AdapterTrained,
    DatasetBuilt,
    MicroBatchHalved,
    TrainingFailed,
    TrainingProgressed,
    TrainingRequested,
    TrainingStarted,
)
from agent0es.domain.names import ToolPurpose
from agent0es.domain.values import Role

__all__ = [
    "AdapterEvaluated",
    "AdapterPromoted",
    "AdapterRejected",
    "AdapterRolledBack",
    "AdapterTrained",
    "AlarmRaised",
    "AlertCleared",
    "AlertRaised",
    "AnswerFormat",
    "ArmScore",
    "AttemptAbandoned",
    "AttemptStarted",
    "AttemptsReused",
    "Basis",
    "Candidate",
    "CandidateName",
    "Comparison",
    "CostReserved",
    "CostSettled",
    "DatasetBuilt",
    "EvaluationCompleted",
    "EvaluationStarted",
    "Event",
    "Expected",
    "HandlerFailed",
    "IterationCompleted",
    "IterationStarted",
    "JobFinished",
    "JobStarted",
    "Leak",
    "LenientlyJudged",
    "MicroBatchHalved",
    "ModelCalled",
    "Neighbour",
    "PairedTest",
    "PracticeMeasured",
    "ProblemAsked",
    "ProposalRejected",
    "Reflected",
    "Retracted",
    "Retried",
    "RewardAssigned",
    "Role",
    "RouteAction",
    "RouteAnswered",
    "RouteAsked",
    "RouteDecided",
    "RouteFailed",
    "RouteReason",
    "RunCompleted",
    "RunForked",
    "RunStarted",
    "RunStopped",
    "ScheduleAdded",
    "ScheduleRemoved",
    "SolutionSubmitted",
    "Tally",
    "TaskCompleted",
    "TaskProposed",
    "TaskRequested",
    "ToolCalled",
    "ToolPurpose",
    "ToolRequested",
    "TrainingFailed",
    "TrainingProgressed",
    "TrainingRequested",
    "TrainingStarted",
    "Verified",
    "Way",
    "event_adapter",
]

Event = (
    RunStarted
    | RunForked
    | IterationStarted
    | TaskRequested
    | TaskProposed
    | ProposalRejected
    | AttemptStarted
    | ModelCalled
    | ToolRequested
    | ToolCalled
    | Reflected
    | SolutionSubmitted
    | AttemptAbandoned
    | Verified
    | RewardAssigned
    | TaskCompleted
    | IterationCompleted
    | TrainingRequested
    | DatasetBuilt
    | TrainingStarted
    | TrainingProgressed
    | MicroBatchHalved
    | AdapterTrained
    | TrainingFailed
    | AdapterEvaluated
    | AdapterPromoted
    | AdapterRejected
    | PracticeMeasured
    | AlarmRaised
    | AdapterRolledBack
    | RunStopped
    | Retracted
    | Retried
    | HandlerFailed
    | RunCompleted
    | EvaluationStarted
    | ProblemAsked
    | LenientlyJudged
    | EvaluationCompleted
    | RouteAsked
    | RouteDecided
    | AttemptsReused
    | RouteAnswered
    | RouteFailed
    | CostReserved
    | CostSettled
    | AlertRaised
    | AlertCleared
    | ScheduleAdded
    | ScheduleRemoved
    | JobStarted
    | JobFinished
)
"""Every event, to look at."""

event_adapter: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
"""Every event, to parse with."""
