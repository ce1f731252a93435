"""What the router does next, as a table: given what is known, this follows."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import RouterSettings
from agent0es.decisions.route import (
    Route,
    Seen,
    by_history,
    decide,
    key_of,
    least,
    like,
    normal_question,
    nothing_expected,
    predicted,
)
from agent0es.domain import events as ev
from agent0es.router.base import Draft, Evidence, choose, load_signals, prior
from agent0es.router.signals import Agreement, Critique, Neighbours, TokenConfidence
from agent0es.runs.routing import posed

LOCAL = ev.Candidate(
    name="local", model="small", adapter=None, adapter_run=None, prompt_sha256="0", input_price=0.0, output_price=0.0
)
CLOUD = LOCAL.model_copy(update={"name": "cloud", "model": "large", "input_price": 1.0, "output_price": 2.0})
YES, NO = 0.95, 0.1


def draft(answer: str | None, confidence: float | None = 0.9, number: int = 0, who: str = "local") -> Draft:
    return Draft(f"route-1/{who}-{number}", answer, answer, confidence, True, 0)


def settings(**changes: Any) -> RouterSettings:
    return RouterSettings(signals={"confidence": 1.0}, **changes)


CASES: dict[str, tuple[dict[str, Any], tuple[str, str, str | None]]] = {
    "drafts first": ({}, ("ask", "first", "local")),
    "sure": ({"local": YES}, ("accept", "confident", "local")),
    "unsure": ({"local": NO}, ("ask", "unsure", "cloud")),
    "nobody knows how sure": ({"local": None}, ("ask", "unknown", "cloud")),
    "the other answered": ({"local": NO, "cloud": True}, ("accept", "best", "cloud")),
    "the other gave no answer": ({"local": NO, "cloud": False}, ("accept", "fallback", "local")),
    "the other is down": ({"local": NO, "down": "cloud"}, ("accept", "fallback", "local")),
    "no other": ({"local": NO, "alone": True}, ("accept", "only", "local")),
    "local is down": ({"down": "local"}, ("ask", "fallback", "cloud")),
    "local gave no answer": ({"local": ()}, ("ask", "fallback", "cloud")),
    "neither": ({"local": (), "cloud": False}, ("fail", "none", None)),
    "both down": ({"down": "local cloud"}, ("fail", "none", None)),
    "no drafts, nothing known": ({"drafts": 0}, ("ask", "unknown", "cloud")),
    "no drafts, alone": ({"drafts": 0, "alone": True}, ("ask", "only", "local")),
    "no drafts, the other gave no answer": ({"drafts": 0, "cloud": False}, ("ask", "fallback", "local")),
    "no drafts, the other answered": ({"drafts": 0, "cloud": True}, ("accept", "best", "cloud")),
    "sure, to compare": ({"local": YES, "compare": True}, ("ask", "compare", "cloud")),
    "unsure, to compare": ({"local": NO, "compare": True}, ("ask", "unsure", "cloud")),
    "sure, compared": ({"local": YES, "cloud": True, "compare": True}, ("accept", "confident", "local")),
    "unsure, compared": ({"local": NO, "cloud": True, "compare": True}, ("accept", "best", "cloud")),
    "sure, nobody to compare with": (
        {"local": YES, "down": "cloud", "compare": True},
        ("accept", "confident", "local"),
    ),
    "no drafts, to compare": ({"drafts": 0, "cloud": True, "compare": True}, ("ask", "compare", "local")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_done_next(case: str) -> None:
    given, expected = CASES[case]
    down = given.get("down", "")
    drafts: dict[ev.CandidateName, tuple[Draft, ...]] = {}
    if "local" in given:
        confidence = given["local"]
        drafts["local"] = () if confidence == () else (draft("42", confidence),)
    if "cloud" in given:
        drafts["cloud"] = (draft("42" if given["cloud"] else None, who="cloud"),)
    candidates = (LOCAL,) if given.get("alone") else (LOCAL, CLOUD)
    route = Route(asked(candidates), steps=len(drafts), called=frozenset(drafts), drafts=drafts)
    expectations = tuple(
        nothing_expected(one.name).model_copy(update={"unavailable": "it is down" if one.name in down else None})
        for one in candidates
    )
    said = settings(drafts=given.get("drafts", 3), compare=given.get("compare", False))
    decided = decide(route, Seen(expectations), said, load_signals(["confidence"]))
    assert (decided.action, decided.reason, decided.candidate) == expected
    assert (decided.attempts > 0) == (decided.action == "ask") and (decided.attempt is None) == (
        decided.action != "accept"
    )


def asked(candidates: tuple[ev.Candidate, ...]) -> ev.RouteAsked:
    return ev.RouteAsked(
        route="route-1",
        posed=posed("6 * 7?", "math"),
        key="k",
        seed=1,
        run=None,
        candidates=candidates,
        configuration="",
    )


@pytest.mark.parametrize(
    ("candidate", "sure", "taken"),
    [("cloud", None, True), ("local", 0.9, True), ("local", 0.2, False), ("local", None, False)],
)
def test_a_cached_answer_is_taken_where_nobody_better_could_be_asked_or_it_was_sure_enough(
    candidate: Any, sure: float | None, taken: bool
) -> None:
    cached = ev.RouteAnswered(
        route="route-0",
        key="k",
        answer="42",
        attempt="route-0/local-0",
        cached=None,
        candidate=candidate,
        model="small",
        adapter=None,
        confidence=0.5,
        basis=None,
        sure=sure,
        verdict=None,
        prompt_tokens=1,
        completion_tokens=1,
        cost_usd=0.0,
    )
    seen = Seen((nothing_expected("local"), nothing_expected("cloud")), cached)
    decided = decide(Route(asked((LOCAL, CLOUD))), seen, settings(), load_signals(["confidence"]))
    assert (decided.action == "cache") == taken and decided.cached == "route-0"


@pytest.mark.parametrize(
    ("right", "of", "sure", "action"),
    [
        (0, 9, 0.4, "ask"),  # too few answers of the other one were judged: it is taken to be right always
        (9, 10, 0.5667, "ask"),  # right in (9 + 1) / (10 + 2)
        (4, 10, 0.9833, "accept"),  # hardly likelier to be right
        (0, 20, 1.0, "accept"),
    ],
)
def test_an_unlikely_answer_is_taken_where_the_other_model_is_hardly_likelier_to_be_right(
    right: int, of: int, sure: float, action: str
) -> None:
    route = Route(asked((LOCAL, CLOUD)), steps=1, called=frozenset({"local"}), drafts={"local": (draft("42", 0.4),)})
    cloud = by_history(nothing_expected("cloud").model_copy(update={"right": right, "of": of}))
    seen = Seen((nothing_expected("local"), cloud))
    decided = decide(route, seen, settings(), load_signals(["confidence"]))
    assert (decided.predicted, decided.sure, decided.action) == (0.4, sure, action)
    assert (decided.predicted >= least(decided.threshold, decided.candidates)) == (action == "accept")
    earlier = decide(route, replace(seen, alone=True), settings(), load_signals(["confidence"]))
    assert (earlier.sure, earlier.action) == (None, "ask"), "as versions before RouteDecided@3 decided"


def test_signals_say_what_the_evidence_says_and_nothing_without_any() -> None:
    drafts = (draft("1", 0.5), draft("2", 0.6, 1), draft("2", 0.7, 2), draft(None, 0.8, 3))
    chosen = choose(drafts)
    assert chosen is not None and chosen.attempt.endswith("-1"), "the first of those that most say"
    near = (
        ev.Neighbour(attempt="a", similarity=0.8, correct=True),
        ev.Neighbour(attempt="b", similarity=0.6, correct=False),
        ev.Neighbour(attempt="c", similarity=0.3, correct=False),
    )
    evidence = Evidence("6 * 7?", "math", drafts, chosen, near)
    assert (Agreement().value(evidence), TokenConfidence().value(evidence)) == (pytest.approx((1 + 0.5) / (3 + 1)), 0.6)
    assert Neighbours().value(evidence) == pytest.approx((0.8 + 0.5) / (1.4 + 1.0))
    for signal in (Agreement(), TokenConfidence(), Neighbours(), Critique()):
        assert signal.value(Evidence("6 * 7?", "math")) is None
    assert choose((draft(None),)) is None


def test_the_prior_is_a_weighted_mean_of_what_is_known() -> None:
    weights = {"agreement": 1.0, "confidence": 0.5, "neighbours": 1.0}
    assert prior({"agreement": 1.0, "confidence": 0.4, "neighbours": None}, weights) == pytest.approx(0.8)
    assert prior({"agreement": None}, weights) is None


@given(st.floats(0.0, 1.0), st.integers(0, 500), st.integers(0, 500))
def test_a_prediction_lies_between_the_guess_and_what_was_seen(guess: float, right: int, wrong: int) -> None:
    value, basis = predicted(guess, right, right + wrong)
    assert value is not None
    seen = right / (right + wrong) if right + wrong else guess
    assert min(guess, seen) - 1e-4 <= value <= max(guess, seen) + 1e-4
    assert basis == ("history" if right + wrong >= 10 else "prior")


def test_only_answers_of_which_the_signals_said_as_much_count() -> None:
    assert like(0.95, [(0.9, True), (0.81, False), (0.79, True), (1.0, True)]) == (2, 3)
    assert predicted(None, 3, 4) == (None, None)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("What is  6 * 7? ", "What is 6 * 7?", True),
        ("def f():\n    return 1  \n", "def f():\n    return 1", True),
        ("def f():\n    return 1", "def f():\n  return 1", False),
        ("Reverse 'AbC'.", "Reverse 'abc'.", False),
    ],
)
def test_what_counts_as_the_same_question(one: str, two: str, same: bool) -> None:
    assert (normal_question(one) == normal_question(two)) == same


def test_a_new_adapter_model_or_prompt_gets_no_old_answer_and_a_new_price_does() -> None:
    def key(**changes: Any) -> str:
        return key_of("6 * 7?", "math", {}, [LOCAL.model_copy(update=changes)])

    assert key(input_price=9.0) == key()
    assert len({key(), key(adapter="student-1"), key(model="other"), key(prompt_sha256="1"), key(adapter_run="r")}) == 5
