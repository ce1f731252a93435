"""Sums and terms of sequences."""

import math
from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import listed

practised = partial(Family, group="sequences", split="practised")
held_out = partial(Family, group="sequences", split="held_out")

STEP = Int((3, 9), (11, 40))
UP_TO = Int((10, 40), (200, 2000))

FAMILIES = (
    practised(
        name="sum_up_to",
        parameters={"n": UP_TO},
        wordings=("Add all numbers from 1 to {n}.", "What is the sum of the numbers from 1 to {n}?"),
        reference_action="python[sum(range(1, {n} + 1))]",
        answer_of=lambda n: str(n * (n + 1) // 2),
    ),
    practised(
        name="repeated_addition",
        parameters={"first": Int((3, 20), (50, 400)), "step": STEP, "n": Int((5, 12), (20, 90))},
        wordings=(
            "Start at {first} and add {step} exactly {n} times.",
            "A sequence starts at {first} and grows by {step} in each of {n} steps. Where does it end?",
        ),
        reference_action="python[{first} + {step} * {n}]",
        answer_of=lambda first, step, n: str(range(first, first + n * step + 1, step)[-1]),
    ),
    practised(
        name="multiples",
        parameters={"count": Int((3, 5), (6, 9)), "step": STEP},
        wordings=(
            "List the first {count} multiples of {step}.",
            "Write the first {count} multiples of {step} as a list.",
        ),
        reference_action="python[[{step} * k for k in range(1, {count} + 1)]]",
        answer_of=lambda count, step: listed(range(step, step * count + 1, step)),
    ),
    practised(
        name="sum_between",
        parameters={"low": Int((3, 20), (50, 90)), "high": Int((30, 60), (200, 2000))},
        wordings=("Add all numbers from {low} to {high}.", "What is the sum of the numbers from {low} to {high}?"),
        reference_action="python[sum(range({low}, {high} + 1))]",
        answer_of=lambda low, high: str((low + high) * (high - low + 1) // 2),
    ),
    practised(
        name="square_list",
        parameters={"n": Int((3, 6), (8, 12))},
        wordings=("List the squares of the numbers from 1 to {n}.", "Write the first {n} square numbers as a list."),
        reference_action="python[[x ** 2 for x in range(1, {n} + 1)]]",
        answer_of=lambda n: listed(sum(range(1, 2 * x, 2)) for x in range(1, n + 1)),
    ),
    practised(
        name="square_sum",
        parameters={"n": UP_TO},
        wordings=("Add the squares of the numbers from 1 to {n}.", "What is the sum of the first {n} square numbers?"),
        reference_action="python[sum(x ** 2 for x in range(1, {n} + 1))]",
        answer_of=lambda n: str(n * (n + 1) * (2 * n + 1) // 6),
    ),
    practised(
        name="countdown",
        parameters={"n": Int((4, 8), (9, 15))},
        wordings=("Count down from {n} to 1, as a list.", "List the numbers from {n} down to 1."),
        reference_action="python[list(range({n}, 0, -1))]",
        answer_of=lambda n: listed(reversed(range(1, n + 1))),
    ),
    practised(
        name="number_list",
        parameters={"low": Int((3, 20), (50, 900)), "length": Int((3, 5), (6, 9))},
        wordings=(
            "List {length} numbers in a row, starting at {low}.",
            "Start at {low} and list {length} whole numbers one after the other.",
        ),
        reference_action="python[list(range({low}, {low} + {length}))]",
        answer_of=lambda low, length: listed(low + i for i in range(length)),
    ),
    practised(
        name="sequence_term",
        parameters={"first": Int((3, 20), (50, 400)), "step": STEP, "n": Int((5, 12), (20, 90))},
        wordings=(
            "A sequence starts with {first} and has the difference {step}. What is term number {n}?",
            "Find term {n} of the arithmetic sequence with first term {first} and difference {step}.",
        ),
        reference_action="python[{first} + {step} * ({n} - 1)]",
        answer_of=lambda first, step, n: str([*range(first, first + n * step, step)][n - 1]),
    ),
    practised(
        name="triangular_number",
        parameters={"n": UP_TO},
        wordings=(
            "Compute triangular number {n}: n * (n + 1) // 2.",
            "The triangular number n * (n + 1) // 2 for n = {n}?",
        ),
        reference_action="python[{n} * ({n} + 1) // 2]",
        answer_of=lambda n: str(sum(range(n + 1))),
    ),
    held_out(
        name="repeated_multiplication",
        parameters={"first": Int((11, 19), (20, 60)), "ratio": Int((3, 4), (3, 5)), "n": Int((5, 6), (6, 9))},
        wordings=(
            "Start at {first} and multiply by {ratio} exactly {n} times.",
            "A sequence starts at {first} and is multiplied by {ratio} in each of {n} steps. Where does it end?",
        ),
        reference_action="python[{first} * {ratio} ** {n}]",
        answer_of=lambda first, ratio, n: str(math.prod([ratio] * n, start=first)),
    ),
    held_out(
        name="odd_sum",
        parameters={"n": UP_TO},
        wordings=("Add all odd numbers from 1 to {n}.", "What is the sum of the odd numbers from 1 to {n}?"),
        reference_action="python[sum(range(1, {n} + 1, 2))]",
        answer_of=lambda n: str(((n + 1) // 2) ** 2),
    ),
)
