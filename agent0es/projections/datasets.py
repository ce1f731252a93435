"""Training datasets: what can be learnt from the log, as of a position. A pure function of the events.

A student's row is a verified-correct attempt that is `learnable`. A teacher's row is a proposal that became a task.
Rows are pooled over all iterations, for an adapter is trained from the base model each time and would forget what it
does not read again. `select` says which of them are learnt: nothing that was retracted before the dataset was built,
that a model thought about before it wrote, whose label is doubtful, or that is there already; the student learns from
tasks in `training.band`, the teacher from its better rewarded ones; and no task or family has more than its share.
"""

import hashlib
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.curriculum import TARGET
from agent0es.domain.names import begun_as, in_store
from agent0es.domain.prompt import Prompt
from agent0es.domain.seeds import derive_seed
from agent0es.log import History, Recorded
from agent0es.log.upcasting_prompts import END_OF_TURN, as_before, broken
from agent0es.projections.examples import AS_ASKED, Example, Rows


@dataclass(frozen=True, slots=True)
class Selection:
    """The examples to learn from, and how many others were left out."""

    chosen: tuple[Example, ...]
    thought: int = 0
    """Because the agent thought before it wrote."""
    left_out: dict[str, int] = field(default_factory=dict)
    """For other reasons, as DatasetBuilt names them."""


class Learnt(Protocol):
    """What a row was made of."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Attempts or tasks."""
        ...

    @property
    def family(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """A selection, as the trainer reads it."""

    examples: Sequence[Learnt]
    jsonl: bytes
    """One object a line, as `training/examples.py` reads it."""
    thought: int = 0
    """How many others were left out because the agent thought before it wrote."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Why others were left out, as DatasetBuilt names it."""
    start: str | None = None
    """The adapter that training goes on from."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.jsonl).hexdigest()

    @property
    def per_family(self) -> dict[str, int]:
        return dict(sorted(Counter(example.family for example in self.examples).items()))


def dataset_file(store: Path, run: str, adapter: str) -> Path:
    """Where an adapter's dataset lies. Raises StoreError for names that lead out of the store."""
    return in_store(store, "datasets", run, f"{adapter}.jsonl")


def events_of_dataset(history: History, iteration: int, position: int | None = None) -> Iterator[Recorded]:
    """What an iteration's dataset is made of: practice up to its end, and what was retracted or rolled back up to
    `position`.

    `position` is that of DatasetBuilt; without one, the dataset is about to be built.
    """
    ends = ((r.position, r.event) for r in history.read(types=["IterationCompleted"]))
    ended = (at for at, event in ends if isinstance(event, ev.IterationCompleted) and event.iteration == iteration)
    end = max(ended, default=0)
    return chain(
        history.read(until=end), history.read(after=end, until=position, types=["Retracted", "AdapterRolledBack"])
    )


def select(
    examples: Sequence[Example],
    doubtful: Collection[int],
    role: ev.Role,
    configuration: Configuration,
    rows: Rows = "filtered",
    *,
    capped: bool = True,
) -> Selection:
    """What is learnt of the examples, by the rules of `rows`. `doubtful`: tasks whose label may be wrong. `capped`:
    whether a family has no more than its share.

    The student learns from tasks whose p̂ is within `training.band` of one half: those that every attempt solves teach
    little. The teacher learns from the proposals that were rewarded no less than the mean of their family, in which
    uncertainty, tool use and novelty are weighed; those that were refused are no examples.
    """
    training = configuration.training
    filtered = rows == "filtered"
    said = [example for example in examples if not example.thought] if rows in AS_ASKED else list(examples)
    left_out = Counter(doubtful=len(doubtful))

    def without(reason: str, found: Sequence[Example], is_bad: Callable[[Example], bool]) -> list[Example]:
        good = [example for example in found if not is_bad(example)]
        left_out[reason] += len(found) - len(good)
        return good

    found = [example for example in said if not filtered or example.task not in doubtful]
    if filtered:
        found = without("not_novel", found, lambda one: one.novelty < configuration.curriculum.novelty_bar)
    if role == "student":
        found = without("band", found, lambda one: abs(one.solved - TARGET) > training.band)
    elif filtered:
        means = _mean_rewards(found)
        found = without("reward", found, lambda one: one.reward < means[one.family])
    same = _as_before if not filtered else _words_of_task if role == "student" else _words_of_proposal
    per_family = training.examples_per_family if capped else len(found)
    chosen, passed_over = choose(found, per_family, training.examples_per_task, configuration.seed, same=same)
    counts = {reason: count for reason, count in sorted((left_out + passed_over).items()) if filtered and count}
    return Selection(tuple(chosen), len(examples) - len(said), counts)


def _mean_rewards(examples: Sequence[Example]) -> dict[str, float]:
    """Of each family, rounded as rewards are, so that a mean of equal ones is no more than each."""
    by_family: dict[str, list[float]] = defaultdict(list)
    for example in examples:
        by_family[example.family].append(example.reward)
    return {family: round(fmean(rewards), 6) for family, rewards in by_family.items()}


def _as_before(example: Example) -> Hashable:
    """What was the same before version 4 of DatasetBuilt."""
    return example.family, example.request


def _words_of_task(example: Example) -> Hashable:
    return normal(example.request)


def _words_of_proposal(example: Example) -> Hashable:
    return normal("".join(part.text for part in example.said))


def normal(text: str) -> str:
    """The text as near-duplicates have it in common: without case, white space, and variants of one letter. Numbers and
    signs stay: tasks of one family differ in nothing else. What means the same in other words, `curriculum.novelty_bar`
    has refused."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def choose(
    examples: Sequence[Example], per_family: int, per_task: int, seed: int, *, same: Callable[[Example], Hashable]
) -> tuple[list[Example], Counter[str]]:
    """At most `per_family` examples of each family and `per_task` of each task, and as many more in which a mistake is
    mended, and none that says what another says: those for which `same` gives one value are of one task. Also how many
    were passed over, by reason.

    The first of each task come before the second of any. Of those the best rewarded come first, then the commonest way
    of calling the tool: one idiom, seen often, is what a small model can learn. The rest of the order is drawn from the
    seed.
    """
    by_family: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_family[example.family].append(example)
    chosen: list[Example] = []
    passed_over: Counter[str] = Counter()
    owners: dict[Hashable, int] = {}
    words: dict[tuple[int, bool], set[tuple[str, ...]]] = defaultdict(set)
    for family in sorted(by_family):
        kept = 0
        for example in _ranked(by_family[family], seed):
            own = words[example.task, example.mended is not None]
            said = tuple(part.text for part in (*example.turns, *example.said))
            if owners.get(same(example), example.task) != example.task:
                passed_over["duplicate"] += 1
            elif kept == per_family or len(own) == per_task:
                passed_over["cap"] += 1
            elif said in own:
                passed_over["duplicate"] += 1
            else:
                owners[same(example)] = example.task
                own.add(said)
                chosen.append(example)
                kept += 1
    return chosen, passed_over


def _ranked(examples: Sequence[Example], seed: int) -> list[Example]:
    """The examples of a family in the order in which they are chosen."""
    idioms = Counter(example.idiom for example in examples)
    # An attempt that a crash made to be made again, `12/3.1`, stands where `12/3` would have.
    ranked = sorted(
        examples, key=lambda e: (-e.reward, -idioms[e.idiom], derive_seed(seed, begun_as(e.source)), e.source)
    )
    of_task: Counter[int] = Counter()
    turn = []
    for example in ranked:
        turn.append(of_task[example.task])
        of_task[example.task] += 1
    return [ranked[at] for at in sorted(range(len(ranked)), key=turn.__getitem__)]


def build(selection: Selection, prompt: Callable[[Example], Prompt], rows: Rows = "filtered") -> Dataset:
    """The rows: each request under the prompt that the trained agent will see, without worked examples.

    No row depends on a model: its chat template makes a text of the messages, and ends the turn, when it is trained.
    """
    row = _row_before if rows == "text" else row_of
    lines = [json.dumps(row(prompt(example), example), ensure_ascii=False) for example in selection.chosen]
    return Dataset(
        selection.chosen,
        "".join(line + "\n" for line in lines).encode(),
        thought=selection.thought,
        left_out=selection.left_out,
    )


def row_of(prompt: Prompt, example: Example) -> dict[str, Any]:
    """One row, as `training/examples.py: read_rows` reads it."""
    turns = (*prompt.opening, *prompt.turns, *example.turns)
    messages = [
        {"role": turn.role, "content": turn.text, **({"trainable": True} if turn.trainable else {})} for turn in turns
    ]
    return {"messages": messages, "segments": example.segments}


def _row_before(prompt: Prompt, example: Example) -> dict[str, Any]:
    """As it was before version 2 of DatasetBuilt."""
    *begun, last = example.segments
    segments = [*((broken(text), learn) for text, learn in begun), last, (END_OF_TURN, True)]
    return {"prompt": as_before(prompt.messages), "segments": segments}
