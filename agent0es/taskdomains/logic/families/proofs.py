"""Short formal proofs in one line: `1. p premise; 2. p -> q premise; 3. q MP 2, 1`."""

import random
from collections.abc import Mapping
from functools import partial
from itertools import pairwise

from agent0es.domain.task import Task
from agent0es.taskdomains.base import Int
from agent0es.taskdomains.logic.families.common import make
from agent0es.taskdomains.moving import rename
from agent0es.taskdomains.variants import VariantFamily


class ProofFamily(VariantFamily):
    """Proofs of the same length differ in their letters alone."""

    __slots__ = ()

    def rewritten(self, code: str, first: Task, second: Task) -> str | None:
        """The proof with the second task's letters, whatever its lines are; None where one of them is not in it."""
        return rename(code, self.facts(first.parameters)["letters"], self.facts(second.parameters)["letters"])


practised = partial(make, split="practised", group="proofs", kind=ProofFamily)
held_out = partial(make, split="held_out", group="proofs", kind=ProofFamily)

LETTERS = "abcdefghjkmnpqrstuwxyz"
WORDINGS = (
    "Prove {goal} from the premises {premises}. Write lines like `{example}`, separated by `;`.",
    "Premises: {premises}. Give a natural deduction proof of {goal} with lines like `{example}`, separated by `;`.",
)


def _facts(names: list[str], premises: list[str], goal: str, steps: list[str], example: str) -> Mapping[str, str]:
    lines = [f"{premise} premise" for premise in premises] + steps
    return {
        "premises": ", ".join(premises),
        "goal": goal,
        "letters": " ".join(names),
        "example": example,
        "answer": f"proof of: {', '.join(premises)} |- {goal}",
        "printed": "; ".join(f"{number}. {line}" for number, line in enumerate(lines, 1)),
        "proof": '"' + "; ".join(f"{number}. {line}" for number, line in enumerate(lines, 1)) + '"',
    }


def _ponens(rng: random.Random, steps: int) -> Mapping[str, str]:
    names = rng.sample(LETTERS, steps + 1)
    premises = [names[0], *(f"{a} -> {b}" for a, b in pairwise(names))]
    made = [f"{name} MP {i + 2}, {1 if i == 0 else steps + 1 + i}" for i, name in enumerate(names[1:])]
    return _facts(names, premises, names[-1], made, "3. q MP 2, 1")


def _conjunction(rng: random.Random, parts: int) -> Mapping[str, str]:
    names = rng.sample(LETTERS, parts)
    made, joined = [], names[0]
    for i, name in enumerate(names[1:]):
        joined = f"{joined} and {name}"
        made.append(f"{joined} &I {1 if i == 0 else parts + i}, {i + 2}")
    return _facts(names, names, joined, made, "3. p and q &I 1, 2")


def _tollens(rng: random.Random, steps: int) -> Mapping[str, str]:
    names = rng.sample(LETTERS, steps + 1)
    premises = [f"not {names[0]}", *(f"{b} -> {a}" for a, b in pairwise(names))]
    made = [f"not {name} MT {i + 2}, {1 if i == 0 else steps + 1 + i}" for i, name in enumerate(names[1:])]
    return _facts(names, premises, f"not {names[-1]}", made, "3. not p MT 2, 1")


def _disjunctive(rng: random.Random, steps: int) -> Mapping[str, str]:
    """Of an `or` of so many parts and one, all but the last are denied."""
    names = rng.sample(LETTERS, steps + 1)
    whole = names[-1]
    wholes = [whole]
    for name in reversed(names[:-1]):
        whole = f"{name} or {whole if ' ' not in whole else f'({whole})'}"
        wholes.append(whole)
    wholes.reverse()
    premises = [wholes[0], *(f"not {name}" for name in names[:-1])]
    made = [f"{left} DS {1 if i == 0 else steps + 1 + i}, {i + 2}" for i, left in enumerate(wholes[1:])]
    return _facts(names, premises, names[-1], made, "3. q DS 1, 2")


FAMILIES = (
    practised(
        name="modus_ponens_proof",
        build=_ponens,
        action="{proof}",
        wordings=WORDINGS,
        sizes={"steps": Int((1, 1), (3, 5))},
    ),
    practised(
        name="conjunction_proof",
        build=_conjunction,
        action="{proof}",
        wordings=WORDINGS,
        sizes={"parts": Int((2, 2), (3, 5))},
    ),
    held_out(
        name="modus_tollens_proof",
        build=_tollens,
        action="{proof}",
        wordings=WORDINGS,
        sizes={"steps": Int((1, 1), (3, 5))},
    ),
    held_out(
        name="disjunctive_proof",
        build=_disjunctive,
        action="{proof}",
        wordings=WORDINGS,
        sizes={"steps": Int((1, 1), (3, 4))},
    ),
)
