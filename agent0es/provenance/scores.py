"""The result of an evaluation by itself, compared with the others of the same problems, and whether problems leaked."""

from collections.abc import Mapping
from typing import Any

from agent0es.agents.one_turn import examples
from agent0es.decisions.measuring import TYPES, Answers, answers
from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapters, follow, learnt_from
from agent0es.domain.names import is_evaluation, task_of
from agent0es.errors import UnknownName
from agent0es.evaluation.contamination import find_leaks
from agent0es.evaluation.estimates import paired
from agent0es.evaluation.problems import identity, wants_function
from agent0es.log import EventLog, History
from agent0es.taskdomains import load_task_domain


def scores(log: EventLog, name: str) -> dict[str, Any]:
    """The record of an evaluation as values of JSON: who answered what and how, scores, comparisons, leaks, answers.

    `scores` is None before the first ones were asked to the end. Raises UnknownName.
    """
    started, problems, found = _read(log, name)
    completed = [one.event for one in log.read(run=name, types=["EvaluationCompleted"])]
    texts = {str(number): asked.posed.description for number, asked in problems.items()}
    dataset, shown = _learnt(log, started.way), _shown(started, problems)
    seconds = sum(one.seconds for one in found.values()) / len(found) if found else None
    return {
        "evaluation": name,
        "suite": started.suite,
        "way": started.way.model_dump(mode="json"),
        "model": model_of(started),
        "label": label(started),
        "problems": len(problems),
        "answers": len(found),
        "scores": completed[-1].model_dump(mode="json", exclude={"type", "version"}) if completed else None,
        "seconds": None if seconds is None else round(seconds, 2),
        "refused": [{"attempt": one.attempt, "why": one.refused} for one in found.values() if one.refused is not None],
        "comparisons": _comparisons(log, name, model_of(started), _outcomes(problems, found)),
        "contamination": {
            "compared_with": {"dataset": len(dataset), "worked examples": len(shown)},
            "leaks": [_leak(leak, problems, started.way) for leak in find_leaks({**dataset, **shown}, texts)],
        },
        "attempts": [
            {
                "attempt": one.attempt,
                "source": problems[number].source,
                "answer": one.answer,
                "correct": one.correct,
                "lenient": one.lenient,
            }
            for (number, _), one in sorted(found.items())
        ],
        "seed": started.seed,
        "weights": started.weights,
        "code_version": started.code_version,
    }


def listed(log: EventLog) -> list[dict[str, Any]]:
    """Every evaluation in short, the oldest first."""
    found = []
    for name in log.evaluations():
        started = _started(log, name)
        problems = sum(1 for _ in log.read(run=name, types=["ProblemAsked"]))
        judged = sum(1 for _ in log.read(run=name, types=["Verified"]))
        completed = [one.event for one in log.read(run=name, types=["EvaluationCompleted"])]
        last = completed[-1] if completed else None
        score = last.pass_at["1"] if isinstance(last, ev.EvaluationCompleted) else None
        found.append(
            {
                "evaluation": name,
                "suite": started.suite,
                "label": label(started),
                "problems": problems,
                "answers": judged,
                "of": problems * started.way.samples,
                "score": score,
            }
        )
    return found


def label(started: ev.EvaluationStarted) -> str:
    """Who answered and how, in a few words: `student-1, tools`, `base, cot, 3 shots`."""
    way = started.way
    shots = [f"{way.shots} shots"] if way.shots else []
    samples = [f"{way.samples} samples"] if way.samples > 1 else []
    return ", ".join([way.adapter or "base", way.format, *shots, *samples])


def model_of(started: ev.EvaluationStarted) -> str:
    """The student's model, as the configuration names it."""
    name = started.configuration.get("models", {}).get("student", {}).get("name", "")
    return str(name).rpartition("/")[2]


def _started(log: EventLog, name: str) -> ev.EvaluationStarted:
    if not is_evaluation(name):
        raise UnknownName(f"{name} is no evaluation; list them with", see=("runs", "--evaluations"))
    started = History.of(log, name).started
    assert isinstance(started, ev.EvaluationStarted), "the name says so"
    return started


def _read(log: EventLog, name: str) -> tuple[ev.EvaluationStarted, dict[int, ev.ProblemAsked], Answers]:
    started = _started(log, name)
    asked = (one.event for one in log.read(run=name, types=["ProblemAsked"]))
    problems = {event.problem: event for event in asked if isinstance(event, ev.ProblemAsked)}
    return started, problems, answers(log.read(run=name, types=TYPES))


def _outcomes(problems: Mapping[int, ev.ProblemAsked], found: Answers) -> dict[str, bool]:
    """Problem, by its identity, to whether the first answer was right."""
    return {
        identity(asked.posed): found[number, 0].correct is True
        for number, asked in problems.items()
        if (number, 0) in found
    }


def _comparisons(log: EventLog, name: str, model: str, mine: Mapping[str, bool]) -> list[dict[str, Any]]:
    """This evaluation against each other one that was asked some of the same problems: first answers, strictly."""
    made: list[dict[str, Any]] = []
    for other in log.evaluations():
        if other == name:
            continue
        started, problems, found = _read(log, other)
        pair = paired(mine, _outcomes(problems, found))
        if pair is not None:
            made.append(
                {
                    "evaluation": other,
                    "label": label(started),
                    "model": model_of(started),
                    "adapter": started.way.adapter,
                    "problems": pair.problems,
                    "share": round(pair.share, 4),
                    "rival_share": round(pair.rival_share, 4),
                    "better": pair.better,
                    "worse": pair.worse,
                    "p_value": pair.p_value,
                }
            )
    most = max((one["problems"] for one in made), default=0)  # a few easy ones say nothing of the best
    base = [one for one in made if one["adapter"] is None and one["model"] == model and one["problems"] == most]
    best = max(base, key=lambda one: float(one["rival_share"]), default=None)
    return [{**one, "best_of_base": one is best and len(base) > 1} for one in made]


def _learnt(log: EventLog, way: ev.Way) -> dict[str, str]:
    """What the adapter that answered learnt from, and what those did that it goes on from: attempt to the text of its
    task."""
    if way.adapter is None or way.adapter_run is None:
        return {}
    history = History.of(log, way.adapter_run)
    adapters: Adapters = {}
    for one in history.read(types=["DatasetBuilt"]):
        adapters = follow(adapters, one.event)
    sources = {source: task_of(source) or int(source) for source in learnt_from(adapters, way.adapter)}
    texts = {
        one.event.task: one.event.proposal.description
        for one in history.read(types=["TaskProposed"])
        if isinstance(one.event, ev.TaskProposed)
    }
    return {source: texts[task] for source, task in sources.items() if task in texts}


def _shown(started: ev.EvaluationStarted, problems: Mapping[int, ev.ProblemAsked]) -> dict[str, str]:
    """The worked examples in the prompts: name to text."""
    way = started.way
    kinds = {(asked.posed.domain, wants_function(asked.posed)) for asked in problems.values()}
    shown = set()
    for name, function in sorted(kinds):
        domain = load_task_domain(name)
        if way.format == "tools":
            shown |= {one.description for one in domain.mixed_demonstrations(way.shots)}
            if _prompt(started) == "guide":
                shown |= {turn.content for turn in domain.guide if turn.role == "user"}
        else:
            shown |= {one.question for one in examples(domain, function, way.shots)}
    return {f"worked example {number}": text for number, text in enumerate(sorted(shown), 1)}


def _prompt(started: ev.EvaluationStarted) -> str | None:
    """How the student was instructed: `models.student.prompt`, or what is set for adapters."""
    student = started.configuration.get("models", {}).get("student", {})
    trained = student.get("trained_prompt") if started.way.adapter is not None else None
    said: str | None = trained or student.get("prompt")
    return said


def _leak(leak: ev.Leak, problems: Mapping[int, ev.ProblemAsked], way: ev.Way) -> dict[str, Any]:
    return {
        "problem": int(leak.problem),
        "source": problems[int(leak.problem)].source,
        "seen_in": leak.source,
        "run": None if leak.source.startswith("worked example") else way.adapter_run,
        "same": leak.same,
        "overlap": leak.overlap,
    }
