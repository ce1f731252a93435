"""What `agent0es show` says about a run."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from agent0es.cli.listing import folded, write_fields
from agent0es.cli.output import printable, write_lines, write_table
from agent0es.cli.warnings import next_step, taint
from agent0es.domain.text import counted


def write_details(found: Mapping[str, Any], store: Path) -> None:
    """The same for a person, no wider than 80 columns where the names allow it."""
    write_lines(taint(found["run"], found["tainted"], found["status"], store))
    _write_summary(found)
    write_lines(next_step(found["run"], found["status"], store))
    _write(
        "Iterations (rewards: means of attempts and of tasks)",
        found["iterations"],
        {
            "iteration": "iteration",
            "tasks": "tasks",
            "given_up": "dropped",
            "solve_rate": "solved",
            "difficulty": "difficulty",
            "student_reward": "student",
            "teacher_reward": "teacher",
        },
    )
    _write_curriculum(found["curriculum"])
    _write_adapters(found["adapters"], found["evaluations"])
    _write_scores(found["evaluations"])
    if found["guard"]:
        write_lines(["", "What the guard said"])
    for one in found["guard"]:
        write_lines(folded(printable(f"  {one['subject']}, {one['kind']}: {one['message']}"), 4))
    _write("Rejected proposals", found["rejections"], {"reason": "reason", "proposals": "proposals"})
    failures = [one for one in found["last_failures"] if one["kind"] != "training"]  # those stand with their adapters
    if failures:
        write_lines(["", "Latest failures (times are UTC)"])
    for one in failures:
        task = "" if one["task"] is None else f", task {one['task']}"
        write_lines([printable(f"  {one['time']:%Y-%m-%d %H:%M:%S}  {one['kind']} {one['who']}{task}")])
        write_lines(folded(f"    {printable(one['error'])}", 4))
    write_lines(["", "Files", *(f"  {name:<12} {printable(path)}" for name, path in found["files"].items())])


def write_view(found: Mapping[str, Any]) -> None:
    """The state at a position, for a person."""
    practice = found["practice"]
    attempts = counted(practice["attempts"], "attempt")
    solved = f", {practice['solved']} of {attempts} solved" if practice["attempts"] else ""
    serving = {role: name or "base model" for role, name in found["serving"].items()}
    counts = (
        f"{counted(practice['requested'], 'task')} requested, {practice['completed']} completed, "
        f"{practice['given_up']} dropped{solved}"
    )
    write_lines([f"Run {printable(found['run'])} at event {found['position']}{_when(found)}"])
    write_fields(
        [
            ("status", f"{found['status']}, iteration {found['iteration']}, {found['phase'] or 'not started'}"),
            ("practice", counts),
            ("in use", f"student: {serving['student']}, teacher: {serving['teacher']}"),
            ("novelty", f"{counted(found['novelty_index_size'], 'task')} in the index"),
            ("failures", f"{found['failures']}, seed {found['seed']}"),
        ]
    )
    for domain, total in found["curriculum"].items():
        families = [{"family": name, **known} for name, known in total["families"].items()]
        headings = {"family": "family", "tasks": "tasks", "solve_rate": "solved", "recent_solve_rate": "recently"}
        _write(f"Curriculum: {printable(domain)}", families, {**headings, "difficulty": "difficulty"})
    _write("Adapters", found["adapters"], {"adapter": "adapter", "outcome": "outcome", "serving": "in use"})
    for adapter in found["adapters"]:
        _write(
            f"Held-out problems of {printable(adapter['adapter'])}",
            adapter["scores"],
            {"split": "families", "arm": "who answers", "correct": "solved", "problems": "of"},
        )
    headings = {"task": "task", "family": "family", "started": "started", "submitted": "submitted", "judged": "judged"}
    _write("Tasks in flight, and how far their attempts are", found["in_flight"], headings)


def _parent(found: Mapping[str, Any]) -> str | None:
    """Where a fork comes from."""
    if found["parent"] is None:
        return None
    past = f"{found['parent']} up to event {found['forked_at']}"
    return f"from {past}; the figures below count only its own events (--at counts all)"


def _when(found: Mapping[str, Any]) -> str:
    """Which event it is and when it was, where it is one of the run's own."""
    if found["event"] is None:
        return ""
    return f" ({found['event']}, {datetime.fromtimestamp(found['time'], UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _write_summary(found: Mapping[str, Any]) -> None:
    rate, attempts = found["solve_rate"], counted(found["attempts"], "attempt")
    solved = "" if rate is None else f", {rate:.1%} of {attempts} solved"
    given_up = f", {found['given_up']} dropped (no usable proposal, or an error)" if found["given_up"] else ""
    ended = f", ended {found['ended']:%Y-%m-%d %H:%M:%S}" if found["ended"] else ""
    last = f", last event {found['last_event']:%Y-%m-%d %H:%M:%S}" if not found["ended"] else ""
    serving = (found["serving_student"] or "base model", found["serving_teacher"] or "base model")
    write_lines([f"Run {printable(found['run'])}: {found['status']}, iteration {found['iteration']}"])
    write_fields(
        [
            ("forked", _parent(found)),
            ("started", f"{found['started']:%Y-%m-%d %H:%M:%S}{ended}{last} (UTC)"),
            ("tasks", f"{found['tasks']} completed{given_up}{solved}"),
            ("in use", f"student: {serving[0]}, teacher: {serving[1]}"),
            *(("not trained", reason) for reason in _untrained(found)),
            ("events", f"{found['events']}, failures {found['failures']}"),
            ("seed", f"{found['seed']}, agent0es {found['code_version']}"),
        ]
    )


def _write(title: str, rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> None:
    if rows:
        write_lines([""])
        write_table(list(headings.values()), [[row[key] for key in headings] for row in rows], title)


def _untrained(found: Mapping[str, Any]) -> Iterator[str]:
    """Why nothing was trained or evaluated although the practice of an iteration has ended."""
    practised = any(row["practised"] for row in found["iterations"])
    if not practised or any(row["status"] != "failed" for row in found["adapters"]):
        return
    if not found["trains"]:
        yield "training.roles is empty; so nothing was evaluated either"
    for row in found["adapters"]:
        yield f"{row['adapter']}: {row['reason']}; so it was not evaluated"


def _write_curriculum(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a family: its solve rate in its first and its latest iteration, and how hard its latest tasks were."""
    several = len({row["iteration"] for row in rows}) > 1
    body = []
    for family, group in groupby(
        sorted(rows, key=lambda row: (row["family"], row["iteration"])), lambda r: r["family"]
    ):
        seen = list(group)
        latest = seen[-1]
        rates = [seen[0]["solve_rate"]] if several else []
        tasks = sum(row["tasks"] for row in seen)
        body.append([family, tasks, *rates, latest["solve_rate"], latest["difficulty"], latest["tool_use"]])
    if body:
        first = ["first"] if several else []
        title = "Curriculum (share of attempts that were right"
        title += " in the first and the latest iteration with the family)" if several else ")"
        write_lines([""])
        write_table(
            ["family", "tasks", *first, "latest" if several else "solved", "difficulty", "tool use"], body, title
        )


def _write_adapters(rows: Sequence[Mapping[str, Any]], evaluations: Sequence[Mapping[str, Any]]) -> None:
    """The status of each adapter, with its figures explained."""
    if rows:
        write_lines(["", "Adapters"])
    for row in rows:
        in_use = ", in use" if row["serving"] else ""
        trained = f"{counted(row['examples'], 'example')}, {counted(row['steps'] or 0, 'step')}"
        trained += "" if row["final_loss"] is None else f", final loss {row['final_loss']:.4g}"
        trained += "" if row["seconds"] is None else f", {row['seconds']:g} s"
        tainted = f"trained on what was retracted since: {', '.join(row['tainted_by'])}"
        write_lines([printable(f"  {row['adapter']}: {row['status']}{in_use}")])
        write_fields(
            [
                ("TAINTED", tainted if row["tainted_by"] else None),
                ("because", row["reason"] or None),
                *_shares(row, [one for one in evaluations if one["adapter"] == one["arm"] == row["adapter"]]),
                ("trained", None if row["steps"] is None else trained),
            ],
            indent=4,
        )


def _shares(row: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What an adapter solved of each split, and the two ways to sum it up."""
    for number, one in enumerate(scores):
        problems = f"{one['problems']} {SPLITS.get(one['split'], one['split'])}"
        yield "" if number else "solved", f"{one['share']:.3f} of {problems}"
    if len(scores) > 1:
        yield "", f"the gate compares the mean of these, {row['mean_share']:.3f}"
        yield "", f"of all {sum(one['problems'] for one in scores)} problems together it is {row['share']:.3f}"


SPLITS = {"practised": "problems of practised families", "held_out": "problems of families never practised"}


def _write_scores(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table for each evaluated adapter and split: who answers, how well, and how far the adapter is ahead."""
    for (adapter, split), group in groupby(rows, lambda row: (row["adapter"], row["split"])):
        body = [
            [
                row["arm"],
                f"{row['correct']}/{row['problems']}",
                f"{row['share']:.3f}" if row["share"] is not None else None,
                f"{row['low']:.3f} to {row['high']:.3f}",
                None if row["lead"] is None else f"{row['lead']:+.3f}",
                None if row["p_value"] is None else f"{row['p_value']:.2g}",
            ]
            for row in group
        ]
        title = f"Evaluation of {printable(adapter)}: {SPLITS.get(split, printable(split))}"
        write_lines([""])
        write_table(["who answers", "solved", "share", "95% interval", "lead", "p"], body, title)
    if rows:
        write_lines(["", "lead: the adapter's share minus this one's; p: exact McNemar test, two-sided"])
