"""A run as a timeline: each event as one line of words. Folds nothing and calls nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from agent0es.domain import events as ev
from agent0es.domain.text import counted
from agent0es.history.positions import check_position
from agent0es.log import EventLog, History, Recorded


@dataclass(frozen=True, slots=True)
class Moment:
    """One event on the timeline."""

    offset: float
    """Seconds since the first event of the run's history."""
    recorded: Recorded
    words: str
    """What happened. Hostile: models' texts are in it as they are."""


def timeline(log: EventLog, run: str, first: int | None = None, last: int | None = None) -> Iterator[Moment]:
    """The moments from position `first` to `last`, both inclusive. Raises PositionNotFound."""
    for position in (first, last):
        if position is not None:
            check_position(log, run, position)
    history = History.of(log, run)
    began = next(history.read()).meta.time
    for recorded in history.read(after=(first or 1) - 1, until=last):
        yield Moment(recorded.meta.time - began, recorded, words(recorded.event))


def words(event: ev.Event) -> str:
    """What an event says, as a sentence without its end. Pure."""
    match event:
        case ev.RunStarted():
            return f"the run begins with seed {event.seed}, agent0es {event.code_version}"
        case ev.RunForked():
            return f"the run is forked from event {event.position} of {event.parent}, with seed {event.seed}"
        case ev.IterationStarted():
            return f"iteration {event.iteration} begins"
        case ev.TaskRequested():
            wanted = ", ".join(f"{name} at {difficulty:g}" for name, difficulty in event.families.items())
            return f"task {event.task} is asked for: {wanted}"
        case ev.TaskProposed():
            shown = f", {counted(event.demonstrations, 'worked example')}" if event.demonstrations else ""
            return (
                f"task {event.task} is {event.proposal.family}, novelty {event.novelty:g}, "
                f"{counted(event.attempts, 'attempt')}{shown}: {event.proposal.description}"
            )
        case ev.ProposalRejected():
            return (
                f"proposal for task {event.task} refused, {event.reason}: {event.detail}; "
                f"{counted(event.tries_left, 'try', 'tries')} left"
            )
        case ev.AttemptStarted():
            return f"attempt {event.attempt} begins{_by(event.adapter)}"
        case ev.ModelCalled(question=str() as question):
            return f"the student{_by(event.adapter)} says, asked for {question}: {event.text}"
        case ev.ModelCalled():
            return (
                f"the {event.role}{_by(event.adapter)} writes {counted(event.completion_tokens, 'token')}: {event.text}"
            )
        case ev.ToolRequested():
            called = event.tool if event.program is None else event.program.name
            return f"call {event.call} of {called} ({event.purpose}): {event.input}"
        case ev.ToolCalled():
            return f"call {event.call} ends, {event.status}: {event.output}"
        case ev.Reflected():
            sure = "nothing readable" if event.confidence is None else f"{event.confidence:.0%}"
            return f"attempt {event.attempt} on its own answer, {event.question}: {sure}"
        case ev.SolutionSubmitted():
            answer = "gives no answer" if event.solution.answer is None else f"answers: {event.solution.answer}"
            return f"attempt {event.attempt} {answer}"
        case ev.AttemptAbandoned():
            return f"attempt {event.attempt} is retried as {event.retried_as}: {event.reason}"
        case ev.Verified():
            verdict = {True: "right", False: "wrong", None: "undecided"}[event.verification.correct]
            second = {True: ", right on a second instance", False: ", wrong on a second instance", None: ""}
            return (
                f"attempt {event.attempt} is {verdict}{second[event.second_instance]}: {event.verification.explanation}"
            )
        case ev.RewardAssigned():
            whom = f"attempt {event.attempt}" if event.attempt else f"the teacher for task {event.task}"
            parts = ", ".join(f"{name} {value:g}" for name, value in event.components.items())
            return f"reward {event.total:g} for {whom} ({parts})"
        case ev.TaskCompleted():
            return f"task {event.task} is done: {event.solved} of {counted(event.attempts, 'attempt')} right"
        case _:
            return _after_practice(event)


def _after_practice(event: ev.Event) -> str:
    match event:
        case ev.IterationCompleted():
            return (
                f"practice of iteration {event.iteration} is over: {counted(event.tasks, 'task')} done, "
                f"{event.given_up} without a usable proposal, "
                f"{event.solved} of {counted(event.attempts, 'attempt')} right"
            )
        case ev.TrainingRequested():
            instead = f", to take the place of {event.replaces}" if event.replaces else ""
            return f"{event.adapter} is asked for{instead}"
        case ev.DatasetBuilt():
            examples = counted(event.examples, "example")
            return f"{examples} from {counted(len(event.per_family), 'family', 'families')} chosen for {event.adapter}"
        case ev.TrainingStarted():
            return f"training of {event.adapter} begins"
        case ev.TrainingProgressed():
            return f"{event.adapter} is at step {event.step} of {event.steps}, loss {event.loss:g}"
        case ev.MicroBatchHalved():
            at_once = counted(event.micro_batch, "example")
            return f"memory ran out for {event.adapter}, which goes on with {at_once} at once: {event.reason}"
        case ev.AdapterTrained():
            loss = f", last loss {event.loss[-1]:g}" if event.loss else ""
            return f"{event.adapter} is trained in {counted(event.steps, 'step')}{loss}"
        case ev.TrainingFailed():
            return f"{event.adapter} is not trained: {event.reason}"
        case ev.AdapterEvaluated():
            scores = "; ".join(f"{s.arm} {s.correct}/{s.problems} {s.split}" for s in event.scores)
            return f"{event.adapter} is evaluated: {scores}"
        case ev.AdapterPromoted():
            return f"{event.adapter} is in use from now on: {event.reason}"
        case ev.AdapterRejected():
            return f"{event.adapter} is rejected: {event.reason}"
        case ev.PracticeMeasured():
            varied = "" if event.diversity is None else f", diversity {event.diversity:g}"
            return (
                f"the guard looks at {counted(event.proposals, 'task')}{varied}, and {counted(event.repeats, 'repeat')}"
            )
        case ev.AlarmRaised():
            return f"alarm, {event.kind}: {event.message}"
        case ev.AdapterRolledBack():
            return f"{event.adapter} is rolled back, {event.to or 'the base model'} is in use again: {event.reason}"
        case ev.RunStopped():
            return f"the run stops after iteration {event.iteration}: {event.reason}"
        case ev.Retried():
            what = event.name or (f"task {event.task}" if event.task else "its work")
            return f"{event.handler} does {what} again: {event.error}"
        case ev.HandlerFailed():
            return f"{event.handler} failed on event {event.cause}: {event.error}"
        case ev.RunCompleted():
            return f"the run is completed after {counted(event.iterations, 'iteration')}"
        case _:
            return _in_an_evaluation(event)


def _in_an_evaluation(event: ev.Event) -> str:
    match event:
        case ev.EvaluationStarted():
            return f"the evaluation on {event.suite} begins: {event.way.adapter or 'base model'}, {event.way.format}"
        case ev.ProblemAsked():
            return f"problem {event.problem} ({event.source}): {event.posed.description}"
        case ev.LenientlyJudged():
            verdict = {True: "right", False: "wrong", None: "undecided"}[event.verification.correct]
            return f"attempt {event.attempt}, read leniently, is {verdict}: {event.answer}"
        case ev.EvaluationCompleted():
            right = f"{event.pass_at['1']:.1%} right, {event.lenient:.1%} leniently"
            return f"the evaluation is completed: {counted(event.problems, 'problem')}, {right}"
        case _:
            return _of_the_service(event)


def _of_the_service(event: ev.Event) -> str:
    match event:
        case ev.RouteAnswered():
            return f"{event.route} is answered by the {event.candidate} model: {event.answer}"
        case ev.RouteFailed():
            why = "; ".join(f"{name}: {reason}" for name, reason in event.failures.items())
            return f"{event.route} is not answered: {why}"
        case ev.AlertRaised():
            return f"alert {event.rule}: {event.message}"
        case ev.AlertCleared():
            return f"alert {event.rule} is over: {event.message}"
        case ev.ScheduleAdded():
            return f"{event.schedule} is scheduled, {when(event)}: {' '.join(event.command)}"
        case ev.ScheduleRemoved():
            return f"{event.schedule} is no longer scheduled"
        case ev.JobStarted():
            again = f" (start {event.start})" if event.start > 1 else ""
            return f"job {event.job} begins{again}: {' '.join(event.command)}"
        case ev.JobFinished():
            said = f": {event.message}" if event.message else ""
            return f"job {event.job} {event.outcome} with exit code {event.exit_code}{said}"
        case _:
            return event.type


def when(added: ev.ScheduleAdded) -> str:
    """When a schedule's command is run."""
    if added.cron is not None:
        return f"at {added.cron} (UTC)"
    if added.every_seconds is not None:
        return f"every {counted(added.every_seconds, 'second')}"
    return f"at {counted(added.trajectories or 0, 'new trajectory', 'new trajectories')}"


def _by(adapter: str | None) -> str:
    return f" with {adapter}" if adapter else ""
