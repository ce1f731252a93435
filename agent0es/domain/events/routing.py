"""A question that the router was asked: who was chosen and why, and what came. Streams of the pseudo-run `routes`.

A route is no run. Its answers are attempts like any others, in the streams `attempt/routes/<route>/<candidate>-<n>`.
Money is in US dollars. What nobody knows is None, and never 0.
"""

from typing import Literal

from pydantic import Field

from agent0es.domain.task import Task
from agent0es.domain.values import Share, Value

CandidateName = Literal["local", "cloud"]
RouteAction = Literal["cache", "ask", "accept", "fail"]
RouteReason = Literal[
    "cached", "first", "confident", "unsure", "unknown", "compare", "best", "fallback", "only", "none"
]
Basis = Literal["prior", "history"]
Dollars = float


class Candidate(Value):
    """A model that may answer."""

    name: CandidateName
    """local or cloud; they are listed in order of cost."""
    model: str
    """The model by its backend's name for it, or as it is configured where it can't be opened."""
    adapter: str | None
    """Adapter that answers; None is the base model."""
    adapter_run: str | None
    """Run that trained it."""
    prompt_sha256: str
    """Hash of what is said before the question: instructions and worked examples."""
    input_price: float | None = Field(ge=0.0)
    """Dollars per million tokens read; 0 for a model in this machine's memory; None where nobody knows."""
    output_price: float | None = Field(ge=0.0)
    """Dollars per million tokens written, as input_price."""


class RouteAsked(Value):
    """The router was asked a question. Stream `route/routes/<route>`."""

    type: Literal["RouteAsked"] = "RouteAsked"
    version: Literal[1] = 1
    route: str
    """Name of the route."""
    posed: Task
    """The question. Its reference is empty where nobody knows the answer; then no verdict is possible. Hostile."""
    key: str
    """What the answer is kept under in the cache: a hash of the question, the domain, and who may answer and how."""
    seed: int
    """Sampling derives from it."""
    run: str | None
    """The run or batch on whose behalf it is asked, for `router.budget.per_run`; None for a single question."""
    candidates: tuple[Candidate, ...]
    """Who may answer, in order of cost."""
    configuration: str
    """The full configuration as JSON, without secrets."""


class Expected(Value):
    """What is expected of a candidate before it is asked, or asked again."""

    name: CandidateName
    """local or cloud."""
    quality: Share | None
    """How likely its answer is right; None where nobody knows."""
    basis: Basis | None
    """Where that comes from: the log's history, or signals that it has not tested yet; None where it is not known."""
    right: int
    """Earlier answers of this candidate that were right, of those that are like this one."""
    of: int
    """How many of those were judged."""
    cost_usd: Dollars | None
    """Mean cost of its earlier answers; 0 for a model that costs nothing; None where nobody knows."""
    seconds: float | None
    """Expected from its earlier answers and the length of the question; None without any."""
    unavailable: str | None
    """Why it can't be asked; None where it can."""


class Neighbour(Value):
    """A question like this one that was judged before."""

    attempt: str
    """Name of the attempt."""
    similarity: float
    """Cosine similarity of the questions' embeddings."""
    correct: bool
    """Whether the answer was right."""


class RouteDecided(Value):
    """What is done next with a question. A function of the events before it and of what is noted here. Stream of the
    route."""

    type: Literal["RouteDecided"] = "RouteDecided"
    version: Literal[3] = 3
    route: str
    """Name of the route."""
    step: int = Field(ge=0)
    """Which decision of the route, from 0."""
    action: RouteAction
    """cache: take the answer of an earlier route; ask: have a candidate make attempts; accept: an attempt is the
    answer; fail: nobody can answer."""
    reason: RouteReason
    """cached: it is in the cache; first: drafts tell how sure the local model is; confident: above the threshold;
    unsure: below it; unknown: nobody knows how likely it is right; compare: not needed, and asked to learn from it
    (`router.compare`); best: the last in order answered; fallback: the one that was to answer could not; only: there is
    no other; none: all failed."""
    candidate: CandidateName | None
    """Who is asked, or whose attempt is accepted; None for cache and fail."""
    attempts: int
    """How many attempts are made now; 0 where none is."""
    attempt: str | None
    """The attempt that is accepted, or the one that is in the cache."""
    draft: str | None
    """The local attempt that the signals are about; None before there is one with an answer."""
    predicted: Share | None
    """How likely the local answer is right; None where nobody knows."""
    basis: Basis | None
    """Where that comes from."""
    sure: Share | None
    """How sure it is that the local answer should be taken: 1 less what the other model is likelier to be right. Where
    nobody knows that of the other one, the same as `predicted`. None where that is None, and in a decision of an older
    version, which compared `predicted` itself."""
    threshold: Share
    """What it was compared with: `router.confidence_threshold`, or less where `router.mean_cost` demands it."""
    signals: dict[str, float | None]
    """Signal to its value in [0, 1]; None where it could not be computed."""
    neighbours: tuple[Neighbour, ...]
    """The judged questions most like this one, for the signals that look at them."""
    candidates: tuple[Expected, ...]
    """What was expected of each candidate."""
    cached: str | None
    """The route whose answer is in the cache; None where there is none."""
    cached_confidence: Share | None
    """How likely that answer is right; None where nobody knows."""


class AttemptsReused(Value):
    """Attempts that a route made at the same question before it was cut off count for this one: what was paid is not
    paid again. Stream of the route."""

    type: Literal["AttemptsReused"] = "AttemptsReused"
    version: Literal[1] = 1
    route: str
    """Name of the route."""
    candidate: CandidateName
    """Whose attempts they are."""
    attempts: tuple[str, ...]
    """Names of the attempts, which are those of earlier routes."""


class RouteAnswered(Value):
    """A question was answered. Stream of the route."""

    type: Literal["RouteAnswered"] = "RouteAnswered"
    version: Literal[2] = 2
    route: str
    """Name of the route."""
    key: str
    """As in RouteAsked."""
    answer: str
    """The answer. Hostile."""
    attempt: str
    """The attempt that it is from; of a cached one the attempt that was made then."""
    cached: str | None
    """The route that it was answered by at first; None for a new answer."""
    candidate: CandidateName
    """Who answered."""
    model: str
    """The model that answered."""
    adapter: str | None
    """Adapter that answered; None is the base model."""
    confidence: Share | None
    """How likely it is right; None where nobody knows."""
    basis: Basis | None
    """Where that comes from."""
    sure: Share | None
    """As in the RouteDecided that took it."""
    verdict: bool | None
    """Whether it is right, where a verifier could judge; None is undecided."""
    prompt_tokens: int
    """Tokens read for this route, drafts included."""
    completion_tokens: int
    """Tokens written for this route, drafts included."""
    cost_usd: Dollars | None
    """What the route cost, drafts, failed tries and reused attempts included; 0 where it cost nothing; None where
    nobody knows."""


class RouteFailed(Value):
    """A question could not be answered. Stream of the route."""

    type: Literal["RouteFailed"] = "RouteFailed"
    version: Literal[1] = 1
    route: str
    """Name of the route."""
    failures: dict[str, str]
    """Candidate to why it could not answer. Hostile where a server says it."""
    cost_usd: Dollars | None
    """What it cost all the same; None where nobody knows."""


class CostReserved(Value):
    """A paid request is about to be made; its highest cost counts as spent. Stream `budget/routes/<budget>`."""

    type: Literal["CostReserved"] = "CostReserved"
    version: Literal[1] = 1
    budget: str
    """A day (UTC), e.g. `2026-01-31`, or `run-<run>`."""
    reservation: str
    """Name of the reservation."""
    route: str
    """Name of the route."""
    candidate: CandidateName
    """Who is asked."""
    most_usd: Dollars = Field(ge=0.0)
    """The highest cost."""


class CostSettled(Value):
    """A paid request ended. A reservation without it counts in full: nobody knows what was charged. Same stream."""

    type: Literal["CostSettled"] = "CostSettled"
    version: Literal[1] = 1
    budget: str
    """As in CostReserved."""
    reservation: str
    """Name of the reservation."""
    cost_usd: Dollars | None = Field(ge=0.0)
    """What it cost; None where nobody knows, and then it counts in full."""
