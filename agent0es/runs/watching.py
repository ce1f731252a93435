"""Watch a run: what there is to see of it at any position of its history, and what comes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.errors import PositionNotFound
from agent0es.log import EventLog, History

if TYPE_CHECKING:
    from agent0es.projections import Projections


def moment(log: EventLog, tables: "Projections", run: str, position: int | None = None) -> dict[str, Any]:
    """A run as it was after the event at a position, or now: each of `moment.PANELS`, the alerts about it that were not
    over (`raised`), where the position is (`span`), and the event at it. Raises PositionNotFound for one before the
    run."""
    from agent0es.projections import moment as moments
    from agent0es.provenance.standing import standing

    if position is not None and not 0 <= position < 2**63:
        raise PositionNotFound(f"run {run} has no position {position}")
    now = standing(log, tables)[run]
    wanted = 2**63 - 1 if position is None else position
    past = moments.Past.of(tables, run)
    span = moments.span(tables, past, wanted)
    at = span["position"]
    if at is None:
        raise PositionNotFound(f"run {run} begins at position {span['first']}, after {position}")
    event = next(log.read(after=at - 1, until=at))
    return {
        "run": run,
        "status": now,
        "live": position is None,
        "at": at,
        "span": span,
        "event": {
            "position": at,
            "type": event.event.type,
            "stream": event.stream,
            "time": event.meta.time,
            "content": event.event.model_dump(mode="json"),
        },
        "raised": moments.raised(tables, run, wanted),
        **moments.moment(tables, past.up_to(at)),
    }


def milestones(tables: "Projections", run: str) -> list[dict[str, Any]]:
    """Positions of note in a run's history, with the type of the event."""
    from agent0es.projections import moment as moments

    return [dict(row) for row in moments.marks(tables, run)]


def runs(log: EventLog, tables: "Projections") -> list[dict[str, Any]]:
    """All runs with how they stand, the latest first: as `looking.all_runs`, with cost and held-out shares."""
    from agent0es.projections.overview import courses
    from agent0es.runs.looking import all_runs

    more = courses(tables)
    return [
        {**row, **more.get(row["run"], {"cost_usd": None, "held_out": None})} for row in reversed(all_runs(log, tables))
    ]


def examined(tables: "Projections", run: str) -> dict[int, dict[str, dict[str, Any]]]:
    """Held-out problem to arm to its answer: `attempt`, and `correct`, None where it is not judged."""
    from agent0es.projections import moment as moments

    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in moments.examined(tables, run):
        found.setdefault(row["problem"], {})[row["arm"]] = dict(row)
    return found


def weights_of(log: EventLog, run: str) -> dict[str, float]:
    """Reward component to its weight."""
    return dict(History.of(log, run).started.configuration.get("rewards", {}).get("weights", {}))


def task_map(tables: "Projections", store: Path, run: str) -> list[dict[str, Any]]:
    """Every task of a run whose text was embedded, as a point: near each other where they are alike."""
    from agent0es.models.embedder import DIMENSION, key_of
    from agent0es.models.embedding_cache import EMBEDDINGS_FILE, EmbeddingCache
    from agent0es.projections import moment as moments
    from agent0es.projections.plane import plane

    tasks = moments.proposed(tables, run)
    keys = [key_of(task["description"]) for task in tasks]
    cache = EmbeddingCache(store / EMBEDDINGS_FILE if (store / EMBEDDINGS_FILE).exists() else None, DIMENSION)
    try:
        vectors = cache.get(keys)
    finally:
        cache.close()
    known = [(task, vectors[key]) for task, key in zip(tasks, keys, strict=True) if key in vectors]
    points = plane([vector for _, vector in known])
    return [
        {
            "x": x,
            "y": y,
            "task": task["task"],
            "family": task["family"],
            "position": task["position"],
            "completed": task["completed"],
            "rate": task["solved"] / task["attempts"] if task["attempts"] else None,
        }
        for (task, _), (x, y) in zip(known, points, strict=True)
    ]


def surprise(log: EventLog, run: str, attempt: str) -> list[list[float]]:
    """Of each reply in an attempt, −ln of the probability of every token as it was drawn, in nats; empty where the log
    has none. Its mean over many tokens estimates the entropy."""
    found = []
    for one in History.of(log, run).read(stream=("attempt", attempt), types=["ModelCalled"]):
        tokens = getattr(one.event, "tokens", None)
        found.append([] if tokens is None or tokens.logprobs is None else [-p for p in tokens.logprobs])
    return found


def event(log: EventLog, tables: "Projections", run: str, position: int) -> dict[str, Any]:
    """An event in full; as `causes` the event that led to it, as `effects` those that it led to. Raises
    PositionNotFound."""
    from agent0es.projections import moment as moments

    if not 0 < position <= log.head():
        raise PositionNotFound(f"there is no event at position {position}; the log ends at {log.head()}")
    [one] = log.read(after=position - 1, until=position)
    cause = None if one.meta.cause is None else str(one.meta.cause)
    near = moments.related(tables, run, position, str(one.meta.event_id), cause)
    return {
        "position": position,
        "type": one.event.type,
        "stream": one.stream,
        "time": one.meta.time,
        "handler": one.meta.handler,
        "measured": dict(one.meta.measured),
        "hash": one.content_hash,
        "chain_hash": one.chain_hash,
        "content": one.event.model_dump(mode="json"),
        "causes": [row for row in near if row["position"] < position],
        "effects": [row for row in near if row["position"] > position],
    }
