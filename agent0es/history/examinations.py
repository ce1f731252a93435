"""Recompute evaluations: what was asked in them, and what the answers come to."""

import math

from agent0es.configuration import Configuration
from agent0es.decisions import evaluate, evaluate_teacher
from agent0es.domain import events as ev
from agent0es.domain.names import problem_of
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.evaluation.suite import suite
from agent0es.log import History
from agent0es.taskdomains import Domains


class Examinations:
    """The held-out problems of a run and its requests to teachers, remade from its configuration."""

    def __init__(self, history: History, configuration: Configuration, domains: Domains) -> None:
        self._history = history
        self._configuration = configuration
        self.suite = suite(domains, configuration.evaluation, configuration.seed)
        self._probes = evaluate_teacher.probes(domains, configuration.seed)

    def problem(self, attempt: str) -> Task | None:
        """The held-out problem that an attempt is at; None for one that is at none."""
        number = problem_of(attempt, "eval")
        return self.suite[number].task if number is not None and number < len(self.suite) else None

    def probe(self, attempt: str) -> ev.TaskRequested | None:
        """What a teacher is asked in an attempt; None for one in which none is."""
        number = problem_of(attempt, evaluate_teacher.KIND)
        return self._probes[number] if number is not None and number < len(self._probes) else None

    def expected(self, event: ev.AdapterEvaluated, state: RunState, position: int) -> ev.AdapterEvaluated | None:
        """The scores computed from the answers before `position`; None when an answer is missing."""
        adapter = state.adapters.get(event.adapter)
        if adapter is None or adapter.trained is None:
            return None
        trained = adapter.trained
        seed = derive_seed(self._configuration.seed, "bootstrap")
        adapters = evaluate.adapter_arms(state, trained)
        asked = evaluate.comparable(self._history, self._configuration)
        if event.role == "student":
            outcomes = evaluate.known_outcomes(asked, "eval", until=position)
            arms = evaluate.arms_of(adapters, self._configuration.models.student)
            if any(arm.name not in outcomes for arm in arms):
                return None
            # Before, families of one name were counted as one.
            apart = any("/" in family for score in event.scores for family in score.by_family)
            problems, answers = evaluate.by_split(self.suite, arms, outcomes, apart=apart)
        else:
            outcomes = evaluate.known_outcomes(asked, evaluate_teacher.KIND, until=position)
            names = evaluate_teacher.arms_of(adapters)
            if any(name not in outcomes for name in names):
                return None
            problems = {"practised": evaluate_teacher.problems(self._probes)}
            answers = {"practised": {name: outcomes[name] for name in names}}
        for split, arms_answers in answers.items():
            if any(set(problems[split]) - set(solved) for solved in arms_answers.values()):
                return None
        found = evaluate.evaluated(trained, problems, answers, seed)
        if len(found.comparisons) != len(event.comparisons):
            return found
        pairs = zip(found.comparisons, event.comparisons, strict=True)
        return found.model_copy(update={"comparisons": tuple(_as_then(*pair) for pair in pairs)})


def _as_then(found: ev.Comparison, recorded: ev.Comparison) -> ev.Comparison:
    """As it would have been recorded then: without counts, before these were written down; and with SciPy's p-value,
    whose last bits may be others, before there was our own."""
    same = math.isclose(found.p_value, recorded.p_value, rel_tol=1e-9)
    return found.model_copy(
        update={
            **({"better": None, "worse": None} if recorded.better is None else {}),
            **({"p_value": recorded.p_value} if same else {}),
        }
    )
