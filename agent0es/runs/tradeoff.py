"""Fit the router to what its models said: who should have answered, and at what price. `route calibrate` in full."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.errors import NotInstalled, QueryError, UserError

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.decisions import tradeoff
    from agent0es.decisions.tradeoff import Compared, Floats, Measured, Rule
    from agent0es.projections import Projections

LEAST = 40
"""Questions to fit on; with fewer the interval of an accuracy is over 30 points wide."""
KEEP = 0.95
"""Share of the cloud model's accuracy that is kept where nothing else is wanted."""
SEED_RULE = 0.7
"""The threshold of the rule that needs no history: token confidence as it is."""
PICTURES = (".svg", ".png", ".pdf")
SHOWN = 12
"""Points of the curve that are told."""


def compared(tables: "Projections", run: str | None = None) -> "list[Compared]":
    """The questions that both models answered, in order; of one batch where it is named.

    Raises UserError where nobody knows what one of them costs.
    """
    from agent0es.decisions.tradeoff import Compared, Option
    from agent0es.projections import routing

    found = []
    for row in routing.compared(tables, run):
        if row["cloud_cost_usd"] is None:
            raise UserError(
                "nobody knows what the cloud model cost; set router.cloud.input_price and router.cloud.output_price "
                "and ask again"
            )
        found.append(
            Compared(
                route=row["route"],
                domain=row["domain"],
                question=row["question"],
                signals=dict(row["signals"] or {}),
                confidence=row["first_confidence"],
                first=Option(row["first_correct"], row["first_cost_usd"] or 0.0, row["first_seconds"] or 0.0),
                drafts=Option(row["draft_correct"], row["drafts_cost_usd"] or 0.0, row["drafts_seconds"] or 0.0),
                cloud=Option(row["cloud_correct"], row["cloud_cost_usd"], row["cloud_seconds"] or 0.0),
            )
        )
    return found


def alike(store: Path, questions: "Sequence[Compared]") -> "Floats":
    """Cosines of their embeddings, shape (questions, questions)."""
    from agent0es.models.embedder import Embedder
    from agent0es.models.embedding_cache import EMBEDDINGS_FILE

    embedder = Embedder(store / EMBEDDINGS_FILE)
    try:
        vectors: Floats = asyncio.run(embedder.embed([one.question for one in questions])).astype(float)
    finally:
        embedder.close()
    similar: Floats = vectors @ vectors.T
    return similar


def rules(
    questions: "Sequence[Compared]",
    similar: "Floats",
    signals: Sequence[str],
    weights: Mapping[str, float] | None = None,
    threshold: float | None = None,
) -> "dict[str, Rule]":
    """Ways to decide, by name; `ours` is the router's own, with these weights and this threshold or with its own."""
    import numpy as np

    from agent0es.decisions import tradeoff

    first = np.array([one.first.correct for one in questions])
    drafts = np.array([one.drafts.correct for one in questions])
    cloud = np.array([one.cloud.correct for one in questions])
    said = _said(questions, similar, signals)
    token = tradeoff.constant([one.confidence for one in questions])
    everywhere = {share: tradeoff.constant([share] * len(questions)) for share in (0.0, 1.0)}

    def single(judged: tradeoff.Places) -> tradeoff.Score:
        return everywhere[1.0 if first[judged].mean() >= cloud[judged].mean() else 0.0]

    def ours(judged: tradeoff.Places) -> tradeoff.Score:
        chosen = weights or tradeoff.fitted(said, drafts, judged)
        right = tradeoff.by_history(tradeoff.weighted(said, chosen), drafts)
        return tradeoff.how_sure(right, [one.domain for one in questions], cloud)

    rule = tradeoff.Rule
    known = tradeoff.near(similar, first)
    return {
        "always local": rule("always local", lambda judged: everywhere[1.0], drafts=False, threshold=0.5),
        "always cloud": rule(
            "always cloud", lambda judged: everywhere[0.0], drafts=False, looks_first=True, threshold=0.5
        ),
        "best single model": rule("best single model", single, drafts=False, looks_first=True, threshold=0.5),
        "seed's rule": rule("seed's rule", lambda judged: token, drafts=False, threshold=SEED_RULE),
        "kNN alone": rule("kNN alone", lambda judged: known, drafts=False, looks_first=True),
        "token confidence alone": rule("token confidence alone", lambda judged: token, drafts=False),
        "ours": rule("ours", ours, drafts=True, threshold=threshold),
    }


def calibrated(
    store: Path,
    questions: "Sequence[Compared]",
    configuration: "Configuration",
    *,
    keep: float | None = None,
    spend: float | None = None,
) -> dict[str, Any]:
    """What the router should be set to, what that comes to on questions that it was not fitted on, and the trade-off
    between cost and accuracy, as a value of JSON; `shown` are some points of it.

    `keep` and `spend` are as in `decisions.tradeoff.Aim`. Raises QueryError where there is too little to fit on.
    """
    import numpy as np

    from agent0es.decisions import tradeoff

    aim = tradeoff.Aim(spend=spend) if spend is not None else tradeoff.Aim(keep=KEEP if keep is None else keep)
    if len(questions) < LEAST:
        raise QueryError(
            f"{len(questions)} questions with a known answer were answered by both models, and it takes {LEAST}: "
            f"{LEAST - len(questions)} more; ask a file of them with agent0es batch --both"
        )
    router = configuration.router
    similar, names = alike(store, questions), list(router.signals)
    ways = rules(questions, similar, names)
    everything = np.arange(len(questions))
    drafts = np.array([one.drafts.correct for one in questions])
    weights = tradeoff.fitted(_said(questions, similar, names), drafts, everything)
    points = tradeoff.curve(questions, everything, tradeoff.crossed(ways["ours"], everything), ways["ours"])
    chosen = aim.choose(points, *tradeoff.always_cloud(questions, everything))
    now = rules(questions, similar, names, router.signals, router.confidence_threshold)["ours"]
    held_out = {
        "always local": ways["always local"],
        "always cloud": ways["always cloud"],
        "as it is set": now,
        "fitted": ways["ours"],
    }
    told_points = [
        {
            "threshold": round(point.threshold, 4),
            "accuracy": point.accuracy,
            "cost_usd": point.cost_usd,
            "share_local": point.share_local,
        }
        for point in points
    ]
    return {
        "aim": {"keep": aim.keep, "spend": aim.spend},
        "questions": len(questions),
        "domains": sorted({one.domain for one in questions}),
        "router": {"confidence_threshold": round(min(1.0, chosen.threshold), 4), "signals": weights},
        "measured": {name: told(tradeoff.cross_validated(questions, rule, aim)) for name, rule in held_out.items()},
        "curve": told_points,
        "shown": some(told_points),
    }


def _said(questions: "Sequence[Compared]", similar: "Floats", signals: Sequence[str]) -> "dict[str, tradeoff.Score]":
    """What each signal says; neighbours are looked for among the questions themselves."""
    import numpy as np

    from agent0es.decisions import tradeoff

    said = {name: tradeoff.constant([one.signals.get(name) for one in questions]) for name in signals}
    if "neighbours" in said:
        said["neighbours"] = tradeoff.near(similar, np.array([one.drafts.correct for one in questions]))
    return said


def told(found: "Measured") -> dict[str, Any]:
    """As a value of JSON."""
    return {
        "questions": len(found.outcomes),
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "cost_usd": found.cost_usd,
        "p50": found.p50,
        "p95": found.p95,
        "share_local": found.share_local,
    }


def some(points: Sequence[Mapping[str, Any]], count: int = SHOWN) -> list[Mapping[str, Any]]:
    """The ends of a curve and points between them, evenly by their share of local answers."""
    if len(points) <= count:
        return list(points)
    wanted = [points[0]["share_local"] * (count - 1 - at) / (count - 1) for at in range(count)]
    nearest = [min(range(len(points)), key=lambda at: abs(points[at]["share_local"] - share)) for share in wanted]
    return [points[at] for at in sorted(set(nearest))]


def drawing(found: Mapping[str, Any], suffix: str) -> bytes:
    """The trade-off as a picture, by the ending of its file: .svg, .png or .pdf. Raises UserError, and NotInstalled."""
    if suffix not in PICTURES:
        raise UserError(f"--plot: a file that ends in {', '.join(PICTURES)} is expected, not in {suffix!r}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NotInstalled("--plot needs matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    curve = found["curve"]
    axes.plot([1000 * point["cost_usd"] for point in curve], [point["accuracy"] for point in curve], label="thresholds")
    for name, row in found["measured"].items():
        around = [[row["accuracy"] - row["low"]], [row["high"] - row["accuracy"]]]
        axes.errorbar(1000 * row["cost_usd"], row["accuracy"], around, marker="o", capsize=3, label=f"{name}, held out")
    axes.set(xlabel="US dollars for 1,000 questions", ylabel="right", title=f"{found['questions']} questions")
    axes.legend(fontsize="small")
    drawn = io.BytesIO()
    figure.savefig(drawn, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
    return drawn.getvalue()
