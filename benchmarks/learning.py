"""What training, its method, the teacher's own adapter and the curriculum bring, over iterations and seeds.

    python benchmarks/learning.py [--store store-learning] [--seeds 0,1] [--iterations 3] [--tasks 400] [--minutes 110]
                                  [--arms "rft|rft then grpo"] [--plot FILE.svg] [--json]

Each arm is a run, or a fork of one, with the settings below; a run that is there is never made again. So the same
command goes on after Ctrl-C, after `--minutes`, and after a kill. Each iteration's adapter answers the held-out
problems of its run, and so does the base model: untrained, and with worked examples. Problems differ with the seed
and are the same for all arms; figures of several seeds are those of all their problems together.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from in_pieces import OutOfTime, Row, find_run, rows, watch

from agent0es.bootstrap import practised_domains
from agent0es.configuration import load_configuration
from agent0es.evaluation.estimates import paired, wilson
from agent0es.evaluation.suite import suite

ALWAYS = ("evaluation.held_out_problems=6", "guard.on_fall=alarm", "guard.patience=null")
"""Of all arms: enough problems for a narrow interval, and no run that ends early."""
GROUP = 8
"""Attempts at one task for a policy gradient, which learns from their differences; of as many fewer tasks."""
IN_USE = "evaluation.significance=null"
"""An adapter is put into use if it is ahead of the base with its best prompt at all, be it by luck."""


@dataclass(frozen=True)
class Arm:
    """One way to learn."""

    settings: tuple[str, ...] = ()
    of: str | None = None
    """The arm all of whose iterations but the last it shares. It forks that one where the last adapter of them was
    evaluated, so that its own settings say whether that adapter is put into use."""


ARMS = {
    "rft": Arm(),
    "rft then grpo": Arm(  # what the base writes under worked examples teaches grpo nothing: an adapter must practise
        ("training.method=grpo", "training.learning_rate=0.0001", f"execution.attempts={GROUP}", IN_USE), "rft"
    ),
    "rft, teacher too": Arm(("training.roles=[student, teacher]",)),
    "rft, no curriculum": Arm(("curriculum.steered=false",)),
    "rft, at the frontier": Arm(("curriculum.review_share=0.1", "execution.attempts=4")),
    "rft, temperature 1": Arm(("models.student.temperature=1.0", "execution.attempts=4")),
}
SPLITS = {"practised": "practised families", "held_out": "families never practised"}
UNTRAINED = {"base-zero-shot": "no training", "base-few-shot": "best few-shot", "base-own-shots": "own examples"}
"""Arms of an evaluation without an adapter."""

CURVES = """
SELECT run, iteration, arm, split, correct, problems FROM evaluations WHERE role = 'student' AND run IN ({})
"""
PRACTICE = """
SELECT run, iteration, label_accuracy, tasks, solve_rate,
       (SELECT avg((abs(t.solve_rate - 0.5) <= 0.25)::INT) FROM tasks t
        WHERE t.run = i.run AND t.iteration = i.iteration AND t.attempts > 0) AS frontier
FROM iterations i WHERE run IN ({})
"""

ANSWERS = """
SELECT run, arm, problem, coalesce(correct, false) AS correct FROM attempts
WHERE problem IS NOT NULL AND status = 'verified' AND run IN ({})
"""


def settings_of(arm: Arm, seed: int, options: argparse.Namespace) -> list[str]:
    """All that differs from the default configuration."""
    attempts = load_configuration(overrides=arm.settings).execution.attempts
    tasks = options.tasks * load_configuration().execution.attempts // attempts  # as many attempts in each arm
    count = (f"execution.iterations={options.iterations}", f"execution.tasks_per_iteration={tasks}")
    return [f"seed={seed}", *count, *ALWAYS, *arm.settings]


def find(name: str, seed: int, options: argparse.Namespace) -> Row | None:
    """The run of an arm, if it has begun: the one with its settings, and the parent it should have."""
    arm = ARMS[name]
    parent = find(arm.of, seed, options) if arm.of else None
    wanted = load_configuration(overrides=settings_of(arm, seed, options))
    return find_run(wanted, options.store, None if parent is None else parent["run"])


def complete(name: str, seed: int, options: argparse.Namespace, ends: float) -> str:
    """Make the run of an arm, or what is missing of it. Returns its name."""
    arm, run = ARMS[name], find(name, seed, options)
    if run is None:
        print(f"{name}, seed {seed}: begins", file=sys.stderr)
        words = [word for setting in settings_of(arm, seed, options) for word in ("--set", setting)]
        if arm.of is None:
            watch(["run", *words], options.store, ends)
        else:
            parent = complete(arm.of, seed, options, ends)
            evaluated = rows("events", options.store, parent, "--type", "AdapterEvaluated")
            at = next(e["position"] for e in evaluated if e["content"]["iteration"] == options.iterations - 1)
            # Its seed is its parent's.
            watch(["fork", parent, "--at", str(at), *words[2:]], options.store, ends)
    elif run["status"] != "completed":
        print(f"{name}, seed {seed}: goes on", file=sys.stderr)
        watch(["run", "--resume", run["run"]], options.store, ends)
    found = find(name, seed, options)
    if found is None or found["status"] != "completed":
        sys.exit(f"{name}, seed {seed}: no run with its settings was completed")
    return str(found["run"])


def ask(query: str, runs: Sequence[str], options: argparse.Namespace) -> list[Row]:
    return rows("sql", options.store, query.format(", ".join(f"'{run}'" for run in runs)))


def curves(runs: Mapping[tuple[str, int], str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Held-out results by arm, split and iteration, of all seeds together; without training they are the same each
    time, so they count once."""
    of = {run: arm for (arm, _), run in runs.items()}
    seeds = {run: seed for (_, seed), run in runs.items()}
    counts: dict[tuple[str, str, int], list[int]] = {}
    for row in ask(CURVES, list(of), options):
        trained = row["arm"].startswith("student-")
        if not trained and (of[row["run"]] != "rft" or row["iteration"] != 1):
            continue
        name = of[row["run"]] if trained else UNTRAINED.get(row["arm"])
        if name is None or (trained and row["arm"] != f"student-{row['iteration']}"):
            continue  # the adapter before is asked again, to compare
        iteration = row["iteration"] if trained else 0
        seed = seeds[row["run"]]
        shared = trained and iteration < options.iterations
        forks = [arm for arm, of_seed in runs if shared and ARMS[arm].of == name and of_seed == seed]
        for curve in [name, *forks]:
            count = counts.setdefault((curve, row["split"], iteration), [0, 0])
            count[0] += row["correct"]
            count[1] += row["problems"]
    found = []
    for (name, split, iteration), (correct, problems) in sorted(counts.items()):
        low, high = wilson(correct / problems, problems)
        keys = {"arm": name, "split": split, "iteration": iteration, "correct": correct, "problems": problems}
        found.append({**keys, "share": correct / problems, "low": low, "high": high})
    return found


def practice(runs: Mapping[tuple[str, int], str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Of each arm over all its practice: share of tasks at the frontier, of right labels, of right attempts."""
    of = {run: arm for (arm, _), run in runs.items()}
    iterations = ask(PRACTICE, list(of), options)
    found = []
    for arm in dict.fromkeys(of.values()):
        mine = [row for row in iterations if of[row["run"]] == arm]
        tasks = sum(row["tasks"] for row in mine)
        keys = ("frontier", "label_accuracy", "solve_rate")
        found.append({"arm": arm, "tasks": tasks} | {k: sum(r[k] * r["tasks"] for r in mine) / tasks for k in keys})
    return found


def against(runs: Mapping[tuple[str, int], str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The last adapter of the first arm beside each other arm's, on the same problems of all seeds that both have."""
    answers: dict[tuple[str, str], dict[str, bool]] = {}
    """Arm and split to problem, of all seeds, to whether it was solved."""
    rows_of: dict[str, list[Row]] = {}
    for row in ask(ANSWERS, list(runs.values()), options):
        if row["arm"] == f"student-{options.iterations}":
            rows_of.setdefault(row["run"], []).append(row)
    first = next(iter(runs))[0]
    for seed in dict.fromkeys(seed for _, seed in runs):
        configuration = load_configuration(overrides=settings_of(ARMS[first], seed, options))
        problems = suite(practised_domains(configuration), configuration.evaluation, seed)
        for name in (name for name, of_seed in runs if of_seed == seed):
            for row in rows_of[runs[name, seed]]:
                mine = answers.setdefault((name, problems[row["problem"]].split), {})
                mine[f"{seed}/{row['problem']}"] = row["correct"]
    found = []
    for name, split in product(dict.fromkeys(name for name, _ in runs if name != first), SPLITS):
        pair = paired(answers[first, split], answers[name, split])
        if pair is not None:
            found.append({"arm": first, "rival": name, "split": split, **asdict(pair)})
    return found


def tables(points: Sequence[Row], practised: Sequence[Row], pairs: Sequence[Row]) -> Iterator[str]:
    for split, title in SPLITS.items():
        yield f"Solved, {title} (95% interval)"
        mine = [point for point in points if point["split"] == split]
        for arm in dict.fromkeys(point["arm"] for point in sorted(mine, key=lambda point: point["iteration"])):
            cells = [f"{p['share']:.3f} ({p['low']:.3f}-{p['high']:.3f})" for p in mine if p["arm"] == arm]
            yield f"  {arm:20} {'  '.join(cells)}  of {next(p['problems'] for p in mine if p['arm'] == arm)}"
        yield ""
    yield f"  {'practice':20} {'tasks':>6} {'solved':>7} {'frontier':>9} {'labels right':>13}"
    for row in practised:
        shares = f"{row['solve_rate']:>7.3f} {row['frontier']:>9.3f} {row['label_accuracy']:>13.4f}"
        yield f"  {row['arm']:20} {row['tasks']:>6} {shares}"
    if pairs:
        yield from ("", f"The last adapter of {pairs[0]['arm']} on the same problems (McNemar, exact, two-sided)")
        yield f"  {'against':20} {'':26} {'better':>7} {'worse':>6} {'p':>8}"
    for row in pairs:
        counts = f"{row['better']:>7} {row['worse']:>6} {row['p_value']:>8.2g}"
        yield f"  {row['rival']:20} {SPLITS[row['split']]:26} {counts}"


def plot(points: Sequence[Row], file: Path) -> None:
    """One panel for each split: a line with intervals for each arm, a level one for what is not trained."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axes, (split, title) in zip(figure.subplots(1, len(SPLITS), sharey=True), SPLITS.items(), strict=True):
        mine = [point for point in points if point["split"] == split]
        for at, arm in enumerate([*UNTRAINED.values(), *ARMS]):
            line = [point for point in mine if point["arm"] == arm]
            if not line:
                continue
            shares = [point["share"] for point in line]
            if arm in ARMS:
                around = [[p["share"] - p["low"] for p in line], [p["high"] - p["share"] for p in line]]
                moved = [point["iteration"] + 0.04 * (at - 4) for point in line]  # intervals side by side
                axes.errorbar(moved, shares, around, marker="o", capsize=3, label=arm)
            else:
                axes.axhline(shares[0], linestyle=":", color=f"{0.25 * at:.2f}", label=arm)
        axes.set(title=title, xlabel="iteration", ylabel="solved", ylim=(0, 1))
        axes.set_xticks(sorted({point["iteration"] for point in points if point["iteration"]}))
        axes.legend(fontsize="small")
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("store-learning"))
    parser.add_argument("--seeds", default="0,1", help="with commas between")
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=400, help="of an iteration, with two attempts each")
    parser.add_argument("--arms", default="|".join(ARMS), help=f"with | between: {' | '.join(ARMS)}")
    parser.add_argument("--minutes", type=float, default=110.0, help="after this time it stops, and can go on")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the curves")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names, seeds = options.arms.split("|"), [int(seed) for seed in options.seeds.split(",")]
    if unknown := [name for name in names if name not in ARMS]:
        parser.error(f"no such arm: {', '.join(unknown)}")
    ends = time.monotonic() + 60 * options.minutes
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the run that it watches would go on alone
    runs: dict[tuple[str, int], str] = {}
    try:
        for seed in seeds:
            for name in names:
                runs[name, seed] = complete(name, seed, options, ends)
    except OutOfTime:
        print("stopped; the same command goes on", file=sys.stderr)
    if not runs:
        return
    points, practised, pairs = curves(runs, options), practice(runs, options), against(runs, options)
    if options.plot:
        plot(points, options.plot)
    if options.json:
        print(json.dumps({"curves": points, "practice": practised, "against": pairs}))
    else:
        print("\n".join(tables(points, practised, pairs)))


if __name__ == "__main__":
    main()
