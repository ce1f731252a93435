"""Look at a run: what the log and the tables have of it, its attempts and its tasks."""

from typing import TYPE_CHECKING, Any

from agent0es import bootstrap
from agent0es.domain.names import problem_of
from agent0es.errors import UnknownName, UserError
from agent0es.log import EventLog, History
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.domain.task import Task


def attempt(log: EventLog, run: str, name: str) -> dict[str, Any]:
    """Everything that the log has of an attempt, with the problem that was asked. Raises UnknownName."""
    from agent0es.provenance import whole

    found = whole.attempt(History.of(log, run), run, name)
    if found["task"] is None:
        _find_problem(log, found)
    return found


def task(log: EventLog, run: str, number: int) -> dict[str, Any]:
    """Everything that the log has of a task, and each of its attempts in short. Raises UnknownName."""
    from agent0es.provenance import whole

    return whole.task(History.of(log, run), run, number)


def _find_problem(log: EventLog, found: dict[str, Any]) -> None:
    """Add the held-out problem to an attempt's record, or why it is not known. It must be the one in the prompt."""
    try:
        problem = held_out_task(log, found["run"], found["attempt"])
    except UserError as error:
        found["problem_unknown"] = f"not known: {error}"
        return
    prompts = [step["prompt"] for step in found["steps"] if step["kind"] == "reply"]
    if all(problem.description in prompt for prompt in prompts):
        found["problem"] = problem.model_dump(mode="json")
    else:
        found["problem_unknown"] = "not known: this version of agent0es makes other problems; it is in the prompt"


def held_out_task(log: EventLog, run: str, attempt: str) -> "Task":
    """The held-out problem of an attempt, remade from the run's configuration and seed: the log has its number only.

    Raises ConfigurationError where a task domain is gone, and UnknownName where the suite has no such problem now.
    """
    from agent0es.evaluation.suite import suite

    configuration = configuration_of(log, run)
    number = problem_of(attempt, "eval")
    problems = suite(bootstrap.practised_domains(configuration), configuration.evaluation, configuration.seed)
    if number is None or number >= len(problems):
        raise UnknownName(f"{attempt} is at no held-out problem; this version of agent0es makes {len(problems)}")
    return problems[number].task
