"""The tables of `agent0es run`: an iteration's practice, its domains, and the held-out scores. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agent0es.domain import events as ev
from agent0es.domain.values import Role
from agent0es.runs.tally import DomainTally, IterationTally

ARM_NAMES = {
    "base-zero-shot": "base model, zero-shot",
    "base-few-shot": "base model, few-shot (other families)",
    "base-few-shot-led": "base model, few-shot, first words given",
    "base-own-shots": "base model, few-shot (same family)",
}
SPLIT_NAMES = {"practised": "practised families, new problems", "held_out": "families never practised"}


class Table(NamedTuple):
    """What `write_table` takes."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str


def may_be_luck(decided: ev.Event) -> str | None:
    """What to know of an adapter that is ahead and was not promoted, because the test says that this may be luck."""
    test = decided.test if isinstance(decided, ev.AdapterRejected) and not decided.leaks else None
    if test is None or test.better <= test.worse or test.p_value <= test.level:
        return None
    rivals = " and ".join(dict.fromkeys(test.rivals))
    return (
        f"It is ahead of {rivals}, but that may be luck. Adapter {test.look} of those that challenge what is in use is "
        f"tested at {test.level:.3g}, its part of evaluation.significance. More held-out problems show smaller gains: "
        "evaluation.practised_problems, evaluation.held_out_problems."
    )


def iteration_table(tally: IterationTally, role: Role) -> Table:
    """The practice of an iteration in one row, with how many rows the adapter for this role learnt."""
    row = tally.row(role)
    columns = ("tasks", "solved", "used a tool", "difficulty", "student reward", "teacher reward", "examples")
    cells = (
        row["tasks"],
        f"{row['solve_rate']:.1%}",
        f"{row['tool_use']:.1%}",
        row["difficulty"],
        row["student_reward"],
        row["teacher_reward"],
        row["examples"],
    )
    return Table(columns, [cells], f"Iteration {tally.iteration}")


def domain_table(
    domains: Mapping[str, DomainTally], evaluated: ev.AdapterEvaluated | None, domain_of: Mapping[str, str]
) -> Table:
    """A line for each domain: its practice, and what each arm solved of its held-out problems."""
    scores = evaluated.scores if evaluated else ()
    arms = list(dict.fromkeys(score.arm for score in scores if "few-shot" not in score.arm))
    rows = []
    for name, tally in sorted(domains.items()):
        row = tally.row
        shares = []
        for arm in arms:
            counts = [
                count
                for score in scores
                if score.arm == arm
                for family, count in score.by_family.items()
                if domain_of.get(family) == name
            ]
            shares.append(f"{sum(solved for solved, _ in counts)}/{sum(asked for _, asked in counts)}")
        rows.append([name, row["tasks"], f"{row['solve_rate']:.1%}", row["difficulty"], *shares])
    columns = ["domain", "tasks", "solved", "difficulty", *arms]
    return Table(columns, rows, "By domain: practice, and held-out problems solved")


def score_tables(evaluated: ev.AdapterEvaluated) -> list[Table]:
    """Held-out scores, a table for each split: each arm, and what the adapter's lead over it is worth."""
    leads = {(c.split, c.baseline): c for c in evaluated.comparisons}
    columns = ("who answers", "solved", "share", "95% interval", f"{evaluated.adapter} is ahead by", "p")
    tables = []
    for split, title in SPLIT_NAMES.items():
        rows = []
        for score in evaluated.scores:
            if score.split == split:
                lead = leads.get((score.split, score.arm))
                rows.append(
                    [
                        ARM_NAMES.get(score.arm, f"{score.arm}, zero-shot"),
                        f"{score.correct}/{score.problems}",
                        f"{score.correct / score.problems:.3f}",
                        f"{score.low:.3f} to {score.high:.3f}",
                        f"{lead.difference:+.3f} ({lead.low:+.3f} to {lead.high:+.3f})" if lead else None,
                        f"{lead.p_value:.2g}" if lead else None,
                    ]
                )
        whose = "a teacher's requests, " if evaluated.role == "teacher" else ""
        if rows:
            tables.append(Table(columns, rows, f"Held-out: {whose}{title}"))
    return tables
