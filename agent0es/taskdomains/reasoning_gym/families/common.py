"""What the families share: how an instance comes from a dataset of reasoning-gym.

The parameters of a family are a level of its dataset's curriculum and a `variant`, the seed of the instance. The text
and the answer are the library's; the reference action, which computes the answer another way, is ours, written from
what the item's metadata says. The library is imported when the first instance is made: it takes a second.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any, Literal

from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Scalar
from agent0es.taskdomains.base import Int, Split
from agent0es.taskdomains.variants import VARIANT, VariantFamily

Compare = Literal["number", "hexadecimal", "text", "items", "factors"]
"""How answers are compared: by exact value, also of hexadecimal digits; to the letter; item by item; factors in any
order."""
Item = Mapping[str, Any]
"""What a dataset makes: `question`, `answer` and `metadata`."""
Parts = Callable[[Item], Mapping[str, str] | None]
"""The texts of an instance that stand in the reference action, and `answer` where the library's is not to be compared
exactly; None for an item that makes no sound task."""
Settings = Callable[[int, random.Random], Mapping[str, Any]]
"""Fields of a dataset's configuration in place of its curriculum's, from the level and the instance's randomness."""

ITEMS = 500
"""Items of a dataset that are looked at for a sound one."""


@dataclass(frozen=True, slots=True)
class GymFamily(VariantFamily):
    """A dataset of reasoning-gym, or one kind of its items."""

    compare: Compare = "number"
    item_of: Callable[..., tuple[Any, Item]] | None = None
    """The library's dataset and item behind the parameters: what its own scorer takes."""


def make(
    name: str,
    split: Split,
    group: str,
    action: str,
    parts: Parts,
    *,
    top: int,
    dataset: str = "",
    settings: Settings = lambda level, rng: {},
    compare: Compare = "number",
) -> GymFamily:
    """A family of the levels 0 to `top`. `action` is the template of the Python code. Items of which two parts read the
    same are passed over: in code that was written for one of them, nobody could tell which is which."""
    names = {part for _, part, _, _ in Formatter().parse(action) if part}

    @lru_cache(maxsize=1024)
    def found(level: int, variant: int) -> tuple[Any, Item, Mapping[str, str]]:
        seed = derive_seed(variant, "reasoning_gym", name, level)
        made = _dataset(dataset or name, level, json.dumps(settings(level, random.Random(seed))))
        for i in range(ITEMS):
            try:
                item = made[seed + i]  # drawn from Random(that)
            except RuntimeError:  # how the library says that it found none, e.g. no cell for the goal of a small maze
                continue
            texts = parts(item)
            if texts is not None and len({texts[name] for name in names}) == len(names):
                return made, item, {"answer": str(item["answer"]), "question": item["question"].strip(), **texts}
        raise ValueError(f"family gym_{name}: no sound item of level {level}, variant {variant}")

    def answer_of(**parameters: Scalar) -> str:
        return found(**parameters)[2]["answer"]

    def facts_of(**parameters: Scalar) -> Mapping[str, str]:
        return found(**parameters)[2]

    def item_of(**parameters: Scalar) -> tuple[Any, Item]:
        return found(**parameters)[:2]

    return GymFamily(
        name=f"gym_{name}",
        group=group,
        split=split,
        parameters={"level": Int((0, 0), (top, top)), "variant": VARIANT},
        wordings=("{question}",),
        reference_action=f"python[{action}]",
        answer_of=answer_of,
        domain="reasoning_gym",
        facts_of=facts_of,
        compare=compare,
        item_of=item_of,
    )


def field(name: str, part: str = "") -> Parts:
    """One value of the metadata, as Python writes it."""
    return lambda item: {part or name: str(item["metadata"][name])}


def quoted(value: object) -> str:
    """A text, or a list of texts, as a literal in double quotes."""
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=128)
def _dataset(name: str, level: int, settings: str) -> Any:
    """A dataset, kept because some read a dictionary first. The settings are JSON."""
    from reasoning_gym.factory import create_curriculum, create_dataset

    curriculum = create_curriculum(name)
    curriculum.set_global_level(level)
    fields = vars(curriculum.generate_configuration({"seed": 0}))
    return create_dataset(name, **{**fields, **json.loads(settings)})
