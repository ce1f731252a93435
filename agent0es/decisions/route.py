"""What is done with a question: whose answer is taken, who is asked next.

A route is a row of decisions. Each follows from what was asked, the attempts so far and what was looked up (`Seen`).
The log holds all of it, so `replay --verify` makes the same ones again.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent0es.agents.student_prompt import opening
from agent0es.configuration import RouterSettings
from agent0es.domain import events as ev
from agent0es.domain.task import Question, Verification
from agent0es.router.base import DIGITS, Draft, Evidence, Signals, choose, prior, values
from agent0es.router.memory import Judged
from agent0es.taskdomains.base import Demonstration, Told

BINS = 5
"""Equally wide ranges of the prior in which earlier answers count as like this one."""
WEIGHT = 10.0
"""How many judged answers the prior is worth. From so many on the prediction counts as one by history."""


@dataclass(frozen=True, slots=True)
class Route:
    """A question and what was done with it so far: a fold of its events."""

    asked: ev.RouteAsked
    steps: int = 0
    """Decisions so far."""
    called: frozenset[ev.CandidateName] = frozenset()
    """Candidates that were asked."""
    drafts: Mapping[ev.CandidateName, tuple[Draft, ...]] = field(default_factory=dict)
    """Candidate to its attempts that have ended."""
    sure: bool = False
    """Whether the local model was asked because it is likely to be right, by what was known before."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked up for a decision; the event of it has it all."""

    expected: tuple[ev.Expected, ...]
    """Of each candidate. The local one's quality is what follows, and need not be there."""
    cached: ev.RouteAnswered | None = None
    neighbours: tuple[ev.Neighbour, ...] = ()
    threshold: float | None = None
    """The highest one that the mean cost allows; None without a bound."""
    alone: bool = False
    """Whether what is expected of the other model does not count: so decided versions before RouteDecided@3."""


def after(route: Route, decided: ev.RouteDecided, drafts: Sequence[Draft] = ()) -> Route:
    """The route after a decision; `drafts` are the attempts that came of it. Pure."""
    following = replace(route, steps=route.steps + 1)
    if decided.action != "ask" or decided.candidate is None:
        return following
    return replace(
        following,
        called=route.called | {decided.candidate},
        drafts={**route.drafts, decided.candidate: tuple(drafts)},
        sure=route.sure or decided.reason == "confident",
    )


def draft_of(events: Iterable[ev.Event]) -> Draft | None:
    """An attempt from its events; None for one that has not ended."""
    solution: ev.SolutionSubmitted | None = None
    judged: ev.Verified | None = None
    stated: dict[Question, float | None] = {}
    read = written = 0
    for event in events:
        match event:
            case ev.ModelCalled():
                read, written = read + event.prompt_tokens, written + event.completion_tokens
            case ev.Reflected():
                stated[event.question] = event.confidence
            case ev.SolutionSubmitted():
                solution = event
            case ev.Verified():
                judged = event
            case _:
                pass
    if solution is None or judged is None:
        return None
    return Draft(
        attempt=solution.attempt,
        answer=solution.solution.answer,
        key=judged.majority_key,
        confidence=solution.solution.confidence,
        observed=solution.solution.observed,
        tool_errors=solution.solution.tool_errors,
        correct=judged.verification.correct,
        prompt_tokens=read,
        completion_tokens=written,
        stated=stated,
    )


def undecided(attempt: str, key: str | None) -> ev.Verified:
    """The judgement where nobody knows the answer."""
    why = "nobody knows the answer, so there is nothing to compare with"
    said = Verification(correct=None, score=0.0, confidence=0.0, method="none", explanation=why)
    return ev.Verified(attempt=attempt, task=None, verification=said, second_instance=None, majority_key=key)


def evidence_of(route: Route, neighbours: tuple[ev.Neighbour, ...]) -> Evidence:
    """What the signals are given."""
    drafts = route.drafts.get("local", ())
    posed = route.asked.posed
    return Evidence(posed.description, posed.domain, drafts, choose(drafts), neighbours)


def like(guess: float, said: Iterable[tuple[float, bool]]) -> tuple[int, int]:
    """Of earlier answers, (prior, whether it was right): how many right ones of how many in the range of this guess."""
    near = [right for other, right in said if _bin(other) == _bin(guess)]
    return sum(near), len(near)


def _bin(guess: float) -> int:
    return min(BINS - 1, int(guess * BINS))


def predicted(guess: float | None, right: int, of: int) -> tuple[float | None, ev.Basis | None]:
    """How likely the answer is right, and where that comes from: the prior as if it were WEIGHT answers, and those that
    were judged (the mean of a beta distribution)."""
    if guess is None:
        return None, None
    value = (WEIGHT * guess + right) / (WEIGHT + of)
    return round(value, DIGITS), "history" if of >= WEIGHT else "prior"


def others_quality(expected: Iterable[ev.Expected]) -> float:
    """How likely the model behind the local one is right; 1 where fewer than WEIGHT of its answers were judged."""
    known = (one.quality for one in expected if one.name != "local" and one.of >= WEIGHT)
    return min((quality for quality in known if quality is not None), default=1.0)


def how_sure(quality: float | None, expected: Iterable[ev.Expected]) -> float | None:
    """How sure it is that the local answer should be taken: 1 less what the other model is likelier to be right."""
    if quality is None:
        return None
    return round(min(1.0, max(0.0, 1.0 + quality - others_quality(expected))), DIGITS)


def least(threshold: float, expected: Iterable[ev.Expected]) -> float:
    """How likely to be right a local answer must be that is taken at this threshold."""
    return max(0.0, threshold - 1.0 + others_quality(expected))


def decide(route: Route, seen: Seen, settings: RouterSettings, signals: Signals) -> ev.RouteDecided:
    """The next decision."""
    evidence = evidence_of(route, seen.neighbours)
    said = values(signals, evidence)
    by_name = {one.name: one for one in seen.expected}
    local = by_name["local"]
    quality, basis = predicted(prior(said, settings.signals), local.right, local.of)
    expected = tuple(
        one.model_copy(update={"quality": quality, "basis": basis}) if one is local else one for one in seen.expected
    )
    threshold = settings.confidence_threshold
    threshold = threshold if seen.threshold is None else min(threshold, seen.threshold)
    sure = None if seen.alone else how_sure(quality, expected)
    compared = quality if seen.alone else sure
    action, reason, candidate, attempts, attempt = _next(route, seen, settings, threshold, compared, evidence.chosen)
    return ev.RouteDecided(
        route=route.asked.route,
        step=route.steps,
        action=action,
        reason=reason,
        candidate=candidate,
        attempts=attempts,
        attempt=attempt,
        draft=None if evidence.chosen is None else evidence.chosen.attempt,
        predicted=quality,
        basis=basis,
        sure=sure,
        threshold=threshold,
        signals=said,
        neighbours=seen.neighbours,
        candidates=expected,
        cached=None if seen.cached is None else seen.cached.cached or seen.cached.route,
        cached_confidence=None if seen.cached is None else seen.cached.confidence,
    )


def is_taken(cached: ev.RouteAnswered, asked: ev.RouteAsked, settings: RouterSettings) -> bool:
    """Whether an answer in the cache is good enough: nobody better could be asked, or it was sure enough then."""
    if cached.candidate == asked.candidates[-1].name:
        return True
    sure = cached.confidence if cached.sure is None else cached.sure
    return sure is not None and sure >= settings.confidence_threshold


def by_history(expected: ev.Expected) -> ev.Expected:
    """What is expected of a candidate whose answers were only counted: the share of right ones, with one right and one
    wrong more (Laplace); None without any."""
    right, of = expected.right, expected.of
    quality = round((right + 1) / (of + 2), DIGITS) if of else None
    return expected.model_copy(update={"quality": quality, "basis": None if quality is None else "history"})


def nothing_expected(name: ev.CandidateName) -> ev.Expected:
    """Of a candidate that nobody looked at, because the cache has the answer."""
    return ev.Expected(
        name=name, quality=None, basis=None, right=0, of=0, cost_usd=None, seconds=None, unavailable=None
    )


_Choice = tuple[ev.RouteAction, ev.RouteReason, ev.CandidateName | None, int, str | None]


def _next(
    route: Route, seen: Seen, settings: RouterSettings, threshold: float, sure: float | None, chosen: Draft | None
) -> _Choice:
    """Action, reason, candidate, attempts to make, attempt to take."""
    cached = seen.cached
    if cached is not None and route.steps == 0 and is_taken(cached, route.asked, settings):
        return "cache", "cached", None, 0, cached.attempt
    can = {one.name for one in seen.expected if one.unavailable is None} - route.called
    others = [one for one in can if one != "local"]
    confident = threshold == 0.0 if sure is None else sure >= threshold
    unsure: ev.RouteReason = "unknown" if sure is None else "unsure"
    if "local" not in route.called and "local" in can:
        if settings.drafts:
            return "ask", "first", "local", settings.drafts, None
        if confident:
            return "ask", "confident", "local", 1, None
        if not others and choose(route.drafts.get("cloud", ())) is None:
            return "ask", "fallback" if route.called else "only", "local", 1, None
    enough = chosen is not None and (confident or route.sure)
    if settings.compare and enough and others:
        return "ask", "compare", "cloud", 1, None
    if settings.compare and "cloud" in route.called and "local" in can:  # which is asked first, but for `drafts: 0`
        return "ask", "compare", "local", 1, None
    if chosen is not None and enough:
        return "accept", "confident", "local", 0, chosen.attempt
    if others:
        missing = "local" in route.called and chosen is None
        return "ask", "fallback" if missing or "local" not in can | route.called else unsure, "cloud", 1, None
    answered = choose(route.drafts.get("cloud", ()))
    if answered is not None:
        return "accept", "best", "cloud", 0, answered.attempt
    if chosen is not None:
        alone = len(route.asked.candidates) == 1
        return "accept", "only" if alone else "fallback", "local", 0, chosen.attempt
    return "fail", "none", None, 0, None


def ended(
    route: Route,
    decided: ev.RouteDecided,
    seen: Seen,
    answered_by: Mapping[str, tuple[str, str | None]],
    cost: float | None,
) -> ev.RouteAnswered | ev.RouteFailed:
    """The event of what came of a question. `answered_by` is attempt to the model and the adapter that answered, `cost`
    that of the whole route in dollars, None where nobody knows."""
    asked = route.asked
    if decided.action == "fail":
        failures = {str(one.name): one.unavailable or "gave no answer" for one in decided.candidates}
        return ev.RouteFailed(route=asked.route, failures=failures, cost_usd=cost)
    if decided.action == "cache":
        assert seen.cached is not None, "it was taken"
        nothing = {"prompt_tokens": 0, "completion_tokens": 0, "cost_usd": 0.0}
        first = seen.cached.cached or seen.cached.route
        return seen.cached.model_copy(update={"route": asked.route, "cached": first, **nothing})
    assert decided.candidate is not None and decided.attempt is not None, "it was accepted"
    draft = next(one for one in route.drafts[decided.candidate] if one.attempt == decided.attempt)
    expected = next(one for one in decided.candidates if one.name == decided.candidate)
    assert draft.answer is not None, "only an answer is accepted"
    every = [one for drafts in route.drafts.values() for one in drafts]
    model, adapter = answered_by[draft.attempt]
    return ev.RouteAnswered(
        route=asked.route,
        key=asked.key,
        answer=draft.answer,
        attempt=draft.attempt,
        cached=None,
        candidate=decided.candidate,
        model=model,
        adapter=adapter,
        confidence=expected.quality,
        basis=expected.basis,
        sure=decided.sure,
        verdict=draft.correct,
        prompt_tokens=sum(one.prompt_tokens for one in every),
        completion_tokens=sum(one.completion_tokens for one in every),
        cost_usd=cost,
    )


def normal_question(text: str) -> str:
    """The same text for questions that differ in white space only: at the ends, at ends of lines, and, in a question of
    one line, in how much of it there is."""
    lines = [line.rstrip() for line in unicodedata.normalize("NFC", text).strip().splitlines()]
    return " ".join(lines[0].split()) if len(lines) == 1 else "\n".join(lines)


def key_of(question: str, domain: str, files: Mapping[str, str], candidates: Sequence[ev.Candidate]) -> str:
    """What an answer is kept under: sha256 of the question, the domain, the files, and who may answer and how. A new
    adapter, model or prompt never gets an old answer; a new price does."""
    who = [[one.name, one.model, one.adapter, one.adapter_run, one.prompt_sha256] for one in candidates]
    words = json.dumps([normal_question(question), domain, dict(files), who], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def prompt_sha256(said: Told, shown: Sequence[Demonstration]) -> str:
    """Hash of what is said before a question."""
    words = opening(said.system, shown, "", guide=said.guide).model_dump_json()
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def like_this(
    route: Route,
    neighbours: tuple[ev.Neighbour, ...],
    judged: Iterable[Judged],
    settings: RouterSettings,
    signals: Signals,
) -> tuple[int, int]:
    """How many of the local model's judged answers, that signals said as much of, were right, and of how many."""
    guess = prior(values(signals, evidence_of(route, neighbours)), settings.signals)
    if guess is None:
        return 0, 0
    of = [(prior(one.signals, settings.signals), one.correct) for one in judged if one.signals is not None]
    return like(guess, [(other, right) for other, right in of if other is not None])
