"""How often the gate promotes what is no better, and how often what is: simulated runs, decided by the gate itself.

    python benchmarks/gate.py [--runs 1000] [--iterations 10] [--seed 0]

A problem has a difficulty; an arm solves it with probability σ(ability − difficulty), in which it differs from arm to
arm, too. So two arms that are equally good solve different problems, as models do: they disagree on a third of them.
Every iteration has a new adapter, trained on nothing: it is as good as what is in use, and another one. A promotion is
then false. Compared with the gate are a gate that spends the whole significance at every look, and one without a test,
where a lead is enough.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from agent0es.domain import events as ev
from agent0es.domain.promotion import Rule, gate

Outcomes = np.ndarray
"""One truth for each problem."""
DIFFICULTIES, TASTES = 1.5, 1.5
"""Standard deviations: how much problems differ, and how much arms differ in what is hard for them."""
SPLITS = ("practised", "held_out")


class Problems:
    """Held-out problems of which a base model solves a share."""

    def __init__(self, rng: np.random.Generator, count: int, share: float) -> None:
        self.rng = rng
        self.ease = rng.normal(0.0, DIFFICULTIES, count) + easiness(share)

    def answered(self, gain: float = 0.0, families: int = 0) -> Outcomes:
        """What an arm solves that is better than the base model by `gain`, in points of the share.

        With `families` its taste is one for each of so many families: their problems are solved, or not, together.
        """
        count = len(self.ease)
        drawn = self.rng.normal(0.0, TASTES, families or count)
        taste = drawn[np.arange(count) % families] if families else drawn
        solves = 1.0 / (1.0 + np.exp(-(self.ease + taste)))
        solved: Outcomes = self.rng.random(count) < solves
        if gain:  # of what it would not have solved, so many more
            solved |= ~solved & (self.rng.random(count) < gain / max(1e-9, 1.0 - solves.mean()))
        return solved


def easiness(share: float) -> float:
    """The mean ease at which this share is solved: σ of a normal variable, by MacKay's approximation (1992)."""
    return math.log(share / (1.0 - share)) * math.sqrt(1.0 + math.pi * (DIFFICULTIES**2 + TASTES**2) / 8.0)


def evaluated(adapter: str, arms: Mapping[str, Outcomes]) -> ev.AdapterEvaluated:
    """The event of an evaluation. The problems are of both splits in turn."""
    scores, comparisons = [], []
    mine = arms[adapter]
    for place, split in enumerate(SPLITS):
        own = mine[place::2]
        for name, outcomes in arms.items():
            other = outcomes[place::2]
            scores.append(
                ev.ArmScore.model_construct(arm=name, split=split, correct=int(other.sum()), problems=len(other))
            )
            if name != adapter:
                comparisons.append(
                    ev.Comparison.model_construct(
                        split=split,
                        baseline=name,
                        arm=adapter,
                        better=int((own & ~other).sum()),
                        worse=int((other & ~own).sum()),
                    )
                )
    return ev.AdapterEvaluated.model_construct(
        adapter=adapter, role="student", iteration=1, scores=tuple(scores), comparisons=tuple(comparisons)
    )


Looks = Callable[[int], int]
"""From which try this is at the rival in use to the look that the gate is told."""


def promotions(
    problems: Problems,
    rule: Rule,
    gains: Sequence[float],
    looks: Looks = lambda look: look,
    families: int = 0,
    prompts: int = 1,
) -> list[str]:
    """The adapters that are promoted of a run with an adapter for each of `gains`, over what is in use then: the base
    model with so many prompts, equally good ones, or an adapter."""
    base = {f"base-{number}": problems.answered(families=families) for number in range(prompts)}
    promoted: list[str] = []
    used, level, look = base, 0.0, 0
    for number, gain in enumerate(gains, start=1):
        name, look = f"student-{number}", look + 1
        mine = problems.answered(level + gain, families)
        decision = gate(evaluated(name, {**used, name: mine}), next(iter(promoted[-1:]), None), rule, looks(look))
        if isinstance(decision, ev.AdapterPromoted):
            promoted.append(name)
            used, level, look = {name: mine}, level + gain, 0
    return promoted


def share_of_runs(runs: int, seed: int, count: int, rule: Rule, gains: Sequence[float], **how: object) -> float:
    """In which share of the runs an adapter is promoted."""
    rng = np.random.default_rng(seed)
    found = (promotions(Problems(rng, count, 0.5), rule, gains, **how) for _ in range(runs))  # type: ignore[arg-type]
    return sum(map(bool, found)) / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    runs, seed = options.runs, options.seed
    rule, lead = Rule(), Rule(significance=None)
    assert rule.significance is not None

    ten = [0.0] * options.iterations
    print(f"Promoted by luck, share of {runs} runs; significance {rule.significance:g}")
    print("| held-out problems | base prompts | adapters | the gate | α at every look | a lead is enough |")
    print("|---|---|---|---|---|---|")
    for count in (100, 236, 500):
        for prompts, nothing in ((1, [0.0]), (1, ten), (3, ten)):
            every = Rule(significance=2 * rule.significance)
            shares = [
                share_of_runs(runs, seed, count, rule, nothing, prompts=prompts),
                share_of_runs(runs, seed, count, every, nothing, prompts=prompts, looks=lambda _: 1),
                share_of_runs(runs, seed, count, lead, nothing, prompts=prompts),
            ]
            print(f"| {count} | {prompts} | {len(nothing)} | {' | '.join(f'{share:.3f}' for share in shares)} |")

    print(f"\nThe same where three problems of a family are solved together, {len(ten)} adapters, one prompt")
    print("| held-out problems | the gate | a lead is enough |")
    print("|---|---|---|")
    for count in (150, 300):
        some = [share_of_runs(runs, seed, count, one, ten, families=count // 3) for one in (rule, lead)]
        print(f"| {count} | {' | '.join(f'{share:.3f}' for share in some)} |")

    print("\nPromoted when it is better than what is in use: share of the runs, one adapter")
    print("| held-out problems | in use | +5 points | +10 points | +15 points | +20 points |")
    print("|---|---|---|---|---|---|")
    for prompts, used in ((1, "an adapter"), (3, "the base model, 3 prompts")):
        for count in (100, 236, 500, 1000):
            gains = (0.05, 0.10, 0.15, 0.20)
            power = [share_of_runs(runs, seed, count, rule, [gain], prompts=prompts) for gain in gains]
            print(f"| {count} | {used} | {' | '.join(f'{share:.2f}' for share in power)} |")


if __name__ == "__main__":
    main()
