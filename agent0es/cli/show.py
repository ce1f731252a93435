"""What `agent0es show` says about a run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.cli.output import printable, write_lines, write_table

if TYPE_CHECKING:
    from agent0es.projections import Projections


def details(tables: "Projections", run: str, store: Path) -> dict[str, Any]:
    """Everything that is shown: the run's row, its rows in other tables, and where its files lie."""

    def rows(sql: str) -> list[dict[str, Any]]:
        answer = tables.query(sql, [run])
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]

    [summary] = rows("SELECT * EXCLUDE (configuration, weights, position) FROM runs WHERE run = ?")
    return {
        **summary,
        "iterations": rows("SELECT * EXCLUDE (run, position) FROM iterations WHERE run = ? ORDER BY iteration"),
        "curriculum": rows("SELECT * EXCLUDE (run) FROM curriculum WHERE run = ? ORDER BY iteration, family"),
        "adapters": rows(
            "SELECT adapter, role, iteration, status, serving, share, score, reason, examples, steps, final_loss,"
            " seconds, path FROM adapters WHERE run = ? ORDER BY position"
        ),
        "evaluations": rows(
            "SELECT * EXCLUDE (run, position, time, role) FROM evaluations WHERE run = ?"
            " ORDER BY iteration, split DESC, adapter, arm = adapter, arm"
        ),
        "rejections": rows(
            "SELECT reason, count(*) AS proposals FROM proposals_rejected WHERE run = ? GROUP BY ALL ORDER BY ALL"
        ),
        "last_failures": rows(
            "SELECT time, kind, coalesce(handler, adapter) AS who, task, error FROM failures WHERE run = ?"
            " ORDER BY position DESC LIMIT 5"
        ),
        "files": {
            "log": str(store / "log.db"),
            "projections": str(store / "projections.duckdb"),
            "adapters": str(store / "adapters" / run),
            "datasets": str(store / "datasets" / run),
        },
    }


def write_details(found: Mapping[str, Any]) -> None:
    """The same for a person."""
    _write_summary(found)
    _write(
        "Iterations",
        found["iterations"],
        {
            "iteration": "iteration",
            "tasks": "tasks",
            "given_up": "given up",
            "rejected": "rejected proposals",
            "attempts": "attempts",
            "solve_rate": "solve rate",
            "difficulty": "difficulty",
            "student_reward": "student reward",
            "teacher_reward": "teacher reward",
        },
    )
    _write_curriculum(found["curriculum"])
    _write(
        "Adapters",
        found["adapters"],
        {
            "adapter": "adapter",
            "status": "status",
            "serving": "serves",
            "share": "share solved",
            "examples": "examples",
            "final_loss": "final loss",
            "reason": "why",
        },
    )
    _write(
        "Held-out problems",
        found["evaluations"],
        {
            "adapter": "evaluation of",
            "split": "families",
            "arm": "who answers",
            "correct": "solved",
            "problems": "of",
            "share": "share",
            "low": "95% from",
            "high": "to",
            "lead": "adapter leads by",
            "p_value": "p",
        },
    )
    _write("Rejected proposals", found["rejections"], {"reason": "reason", "proposals": "proposals"})
    _write(
        f"Failures (latest of {found['failures']})",
        found["last_failures"],
        {
            "time": "time (UTC)",
            "kind": "kind",
            "who": "who",
            "task": "task",
            "error": "error",
        },
    )
    write_lines(["", "Files", *(f"  {name:<12} {printable(path)}" for name, path in found["files"].items())])


def write_view(found: Mapping[str, Any]) -> None:
    """The state at a position, for a person."""
    practice = found["practice"]
    solved = f", {practice['solved']} of {practice['attempts']} attempts solved" if practice["attempts"] else ""
    serving = {role: printable(name or "base model") for role, name in found["serving"].items()}
    write_lines(
        [
            f"Run {printable(found['run'])} at event {found['position']}{_when(found)}",
            f"  status    {found['status']}, iteration {found['iteration']}, {found['phase'] or 'not begun'}",
            f"  practice  {practice['requested']} tasks requested, {practice['completed']} completed, "
            f"{practice['given_up']} given up{solved}",
            f"  serving   student: {serving['student']}, teacher: {serving['teacher']}",
            f"  novelty   {found['novelty_index_size']} tasks in the index",
            f"  failures  {found['failures']}, seed {found['seed']}",
        ]
    )
    families = [
        {"domain": domain, "family": name, **known}
        for domain, total in found["curriculum"].items()
        for name, known in total["families"].items()
    ]
    columns = ("domain", "family", "tasks", "attempts", "solve_rate", "recent_solve_rate", "difficulty")
    _write("Curriculum", families, {name: name.replace("_", " ") for name in columns})
    _write("Adapters", found["adapters"], {"adapter": "adapter", "outcome": "outcome", "serving": "serves"})
    scores = [{"adapter": a["adapter"], **score} for a in found["adapters"] for score in a["scores"]]
    headings = {"adapter": "evaluation of", "split": "families", "arm": "who answers", "correct": "solved"}
    _write("Held-out problems", scores, {**headings, "problems": "of", "low": "95% from", "high": "to"})
    headings = {"task": "task", "family": "family", "started": "attempts started", "submitted": "submitted"}
    _write("Tasks in flight", found["in_flight"], {**headings, "judged": "judged", "description": "problem"})


def _parent(found: Mapping[str, Any]) -> list[str]:
    """Where a fork comes from."""
    if found["parent"] is None:
        return []
    past = f"{printable(found['parent'])} up to event {found['forked_at']}"
    return [f"  forked    from {past}; what follows counts its own events only (the whole: --at)"]


def _when(found: Mapping[str, Any]) -> str:
    """Which event it is and when it was, where it is one of the run's own."""
    if found["event"] is None:
        return ""
    return f" ({found['event']}, {datetime.fromtimestamp(found['time'], UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _write_summary(found: Mapping[str, Any]) -> None:
    solved = (
        "" if found["solve_rate"] is None else f", {found['solve_rate']:.1%} of {found['attempts']} attempts solved"
    )
    given_up = f", {found['given_up']} given up" if found["given_up"] else ""
    ended = f", ended {found['ended']:%Y-%m-%d %H:%M:%S}" if found["ended"] else ""
    last = f", last event {found['last_event']:%Y-%m-%d %H:%M:%S}" if not found["ended"] else ""
    serving = (found["serving_student"] or "base model", found["serving_teacher"] or "base model")
    write_lines(
        [
            f"Run {printable(found['run'])}: {found['status']}, iteration {found['iteration']}",
            *_parent(found),
            f"  started   {found['started']:%Y-%m-%d %H:%M:%S}{ended}{last} (UTC)",
            f"  tasks     {found['tasks']} completed{given_up}{solved}",
            f"  serving   student: {printable(serving[0])}, teacher: {printable(serving[1])}",
            f"  events    {found['events']}, failures {found['failures']}",
            f"  seed      {found['seed']}, agent0es {printable(found['code_version'])}",
        ]
    )


def _write(title: str, rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> None:
    if rows:
        write_lines([""])
        write_table(list(headings.values()), [[row[key] for key in headings] for row in rows], title)


def _write_curriculum(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a family: its solve rate in each iteration, and how hard its latest tasks were."""
    if not rows:
        return
    iterations = sorted({row["iteration"] for row in rows})
    by_family: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        by_family.setdefault(row["family"], {})[row["iteration"]] = row
    body = []
    for family, seen in sorted(by_family.items()):
        tasks, attempts = (sum(row[key] for row in seen.values()) for key in ("tasks", "attempts"))
        rates = [seen[iteration]["solve_rate"] if iteration in seen else None for iteration in iterations]
        latest = seen[max(seen)]
        body.append([family, tasks, attempts, *rates, latest["difficulty"], latest["tool_use"]])
    headings = ["family", "tasks", "attempts", *(f"solve rate {i}" for i in iterations), "difficulty", "tool use"]
    write_lines([""])
    write_table(headings, body, "Curriculum (difficulty and tool use of the latest iteration with the family)")
