"""Pairs for preference learning: a right and a wrong attempt at the same task, whoever sampled them."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.retraction import covers
from agent0es.domain.seeds import derive_seed
from agent0es.projections.datasets import Dataset, row_of
from agent0es.projections.examples import Example
from agent0es.projections.groups import Trial, goes_on_from


@dataclass(frozen=True, slots=True)
class Pair:
    """Two attempts at a task."""

    right: Example
    wrong: Example

    @property
    def sources(self) -> tuple[str, ...]:
        """Their names."""
        return (self.right.source, self.wrong.source)

    @property
    def family(self) -> str:
        """The task's."""
        return self.right.family


def choose_pairs(
    events: Sequence[ev.Event], trials: Sequence[Trial], prompt: Callable[[Example], Prompt], cap: int, seed: int
) -> Dataset:
    """At most `cap` pairs of each family, no attempt in two of them, and their rows: both attempts under the prompt
    that a trained student will see. Which attempts meet, and which pairs are taken, is drawn from the seed.

    Left out are attempts in which the model thought before it wrote, and those that nobody could judge or that were
    right by luck. Training goes on from the adapter that sampled last, of those that were not rolled back, unless that
    learnt from what was retracted.
    """
    retracted = [event.what for event in events if isinstance(event, ev.Retracted)]
    left_out: Counter[str] = Counter()
    kept = [trial for trial in trials if not any(covers(what, trial.source) for what in retracted)]
    said = [trial for trial in kept if not trial.thought]
    left_out["doubtful"] = sum(trial.doubtful for trial in said)
    said = [trial for trial in said if not trial.doubtful]
    left_out["undecided"] = sum(trial.reward is None for trial in said)
    drawn = sorted(said, key=lambda one: (derive_seed(seed, "pair", one.source), one.source))
    pairs: list[Pair] = []
    taken: Counter[str] = Counter()
    for group in dict.fromkeys(trial.group for trial in drawn):
        of_it = [trial for trial in drawn if trial.group == group]
        right = [trial for trial in of_it if trial.reward == 1.0]
        wrong = [trial for trial in of_it if trial.reward == 0.0 and not trial.lucky]
        left_out["alone"] += abs(len(right) - len(wrong))
        left_out["lucky"] += sum(trial.lucky for trial in of_it)
        for one, other in zip(right, wrong, strict=False):
            if taken[one.family] < cap:
                taken[one.family] += 1
                pairs.append(Pair(_example(one), _example(other)))
            else:
                left_out["cap"] += 2
    lines = (
        json.dumps(
            {side: row_of(prompt(one), one) for side, one in (("right", pair.right), ("wrong", pair.wrong))},
            ensure_ascii=False,
        )
        for pair in pairs
    )
    return Dataset(
        pairs,
        thought=sum(trial.thought for trial in kept),
        jsonl="".join(f"{line}\n" for line in lines).encode(),
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        start=goes_on_from(events, trials),
    )


def _example(trial: Trial) -> Example:
    """An attempt with all its words to be learnt, or unlearnt, also those of a call that failed."""
    last, task = trial.calls[-1], trial.task
    assert task is not None, "an attempt is at a task"

    def own(part: Part) -> Part:
        return part.model_copy(update={"trainable": part.trainable or part.author == "model"})

    return Example(
        source=trial.source,
        task=int(trial.group),
        domain=task.domain,
        family=trial.family,
        request=task.description,
        idiom="",
        reward=0.0,
        said=(*map(own, last.prompt.prefill), Part(text=last.text.rstrip(), author="model", trainable=True)),
        turns=tuple(map(own, last.prompt.turns[1:])),
    )
