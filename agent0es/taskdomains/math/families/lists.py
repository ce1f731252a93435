"""Lists of whole numbers, written in the description as in Python."""

from fractions import Fraction
from functools import partial, reduce

from agent0es.taskdomains.base import Family, Int, IntList
from agent0es.taskdomains.math.families.common import NUMBERS, ints, listed
from agent0es.taskdomains.parameters import limit_for

practised = partial(Family, group="lists", split="practised")
held_out = partial(Family, group="lists", split="held_out")
validation = partial(Family, group="lists", split="validation")

SHORT = IntList((3, 4), (4, 6), digits=(1, 2))
LIMIT = limit_for(NUMBERS)
FACTOR = Int((3, 9), (11, 40))


def _shown(value: Fraction) -> str:
    return str(value.numerator if value.denominator == 1 else float(value))


def _largest(items: list[int]) -> int:
    return reduce(lambda a, b: a if a > b else b, items)


def _smallest(items: list[int]) -> int:
    return -_largest([-item for item in items])


def _middle(items: list[int]) -> str:
    ordered, half = sorted(items), len(items) // 2
    return str(ordered[half]) if len(items) % 2 else str(float(Fraction(ordered[half - 1] + ordered[half], 2)))


def _has_one_mode(items: list[int]) -> bool:
    counts = sorted(items.count(item) for item in set(items))
    return len(counts) == 1 or counts[-1] > counts[-2]


def _even(items: list[int]) -> list[int]:
    return [item for item in items if str(item)[-1] in "02468"]


FAMILIES = (
    practised(
        name="list_sum",
        parameters={"numbers": NUMBERS},
        wordings=("Add all numbers in the list [{numbers}].", "What is the sum of [{numbers}]?"),
        reference_action="python[sum([{numbers}])]",
        answer_of=lambda numbers: str(reduce(int.__add__, ints(numbers))),
    ),
    practised(
        name="list_maximum",
        parameters={"numbers": NUMBERS},
        wordings=("Find the largest number in the list [{numbers}].", "What is the maximum of [{numbers}]?"),
        reference_action="python[max([{numbers}])]",
        answer_of=lambda numbers: str(_largest(ints(numbers))),
    ),
    practised(
        name="sort_ascending",
        parameters={"numbers": NUMBERS},
        wordings=("Sort the list [{numbers}].", "Sort [{numbers}] from smallest to largest."),
        reference_action="python[sorted([{numbers}])]",
        answer_of=lambda numbers: listed(-n for n in sorted((-n for n in ints(numbers)), reverse=True)),
    ),
    practised(
        name="list_mean",
        parameters={"numbers": NUMBERS},
        wordings=("Compute the mean of the list [{numbers}].", "What is the mean of [{numbers}]?"),
        reference_action="python[statistics.mean([{numbers}])]",
        answer_of=lambda numbers: _shown(Fraction(sum(ints(numbers)), len(ints(numbers)))),
    ),
    practised(
        name="list_range",
        parameters={"numbers": NUMBERS},
        wordings=(
            "Compute the maximum minus the minimum of [{numbers}].",
            "What is the largest minus the smallest number of [{numbers}]?",
        ),
        reference_action="python[max([{numbers}]) - min([{numbers}])]",
        answer_of=lambda numbers: str(_largest(ints(numbers)) - _smallest(ints(numbers))),
    ),
    practised(
        name="even_count",
        parameters={"numbers": NUMBERS},
        wordings=("Count the even numbers in the list [{numbers}].", "How many numbers of [{numbers}] are even?"),
        reference_action="python[len([x for x in [{numbers}] if x % 2 == 0])]",
        answer_of=lambda numbers: str(len(_even(ints(numbers)))),
    ),
    practised(
        name="sum_of_greater",
        parameters={"numbers": NUMBERS, "limit": LIMIT},
        wordings=(
            "Add the numbers in the list [{numbers}] that are greater than {limit}.",
            "What is the sum of the numbers of [{numbers}] that are greater than {limit}?",
        ),
        reference_action="python[sum(x for x in [{numbers}] if x > {limit})]",
        answer_of=lambda numbers, limit: str(sum(filter(limit.__lt__, ints(numbers)))),
    ),
    practised(
        name="multiply_each",
        parameters={"numbers": SHORT, "factor": FACTOR},
        wordings=(
            "Multiply each number in the list [{numbers}] by {factor}.",
            "Multiply [{numbers}] by {factor}, each.",
        ),
        reference_action="python[[x * {factor} for x in [{numbers}]]]",
        answer_of=lambda numbers, factor: listed(map(factor.__mul__, ints(numbers))),
    ),
    practised(
        name="list_reversal",
        parameters={"numbers": NUMBERS},
        wordings=("Reverse the list [{numbers}].", "Write the list [{numbers}] in reverse order."),
        reference_action="python[[{numbers}][::-1]]",
        answer_of=lambda numbers: listed(reversed(ints(numbers))),
    ),
    practised(
        name="sum_of_list_squares",
        parameters={"numbers": SHORT},
        wordings=("Add the squares of the list [{numbers}].", "What is the sum of the squares of [{numbers}]?"),
        reference_action="python[sum(x ** 2 for x in [{numbers}])]",
        answer_of=lambda numbers: str(sum(map(int.__mul__, ints(numbers), ints(numbers)))),
    ),
    practised(
        name="keep_less",
        parameters={"numbers": NUMBERS, "limit": LIMIT},
        wordings=(
            "Keep the numbers in the list [{numbers}] that are less than {limit}.",
            "List the numbers of [{numbers}] that are less than {limit}.",
        ),
        reference_action="python[[x for x in [{numbers}] if x < {limit}]]",
        answer_of=lambda numbers, limit: listed(filter(limit.__gt__, ints(numbers))),
    ),
    practised(
        name="list_length",
        parameters={"numbers": NUMBERS},
        wordings=("How many numbers are in the list [{numbers}]?", "Find the length of the list [{numbers}]."),
        reference_action="python[len([{numbers}])]",
        answer_of=lambda numbers: str(numbers.count(",") + 1),
    ),
    practised(
        name="first_items",
        parameters={"count": Int((2, 2), (3, 4)), "numbers": NUMBERS},
        wordings=(
            "What are the first {count} numbers of [{numbers}]?",
            "Take the first {count} numbers of [{numbers}].",
        ),
        reference_action="python[[{numbers}][:{count}]]",
        answer_of=lambda count, numbers: listed(number for i, number in enumerate(ints(numbers)) if i < count),
    ),
    practised(
        name="last_item",
        parameters={"numbers": NUMBERS},
        wordings=("What is the last number of the list [{numbers}]?", "Write the last number of [{numbers}]."),
        reference_action="python[[{numbers}][-1]]",
        answer_of=lambda numbers: numbers.rpartition(", ")[2],
    ),
    practised(
        name="item_at_index",
        parameters={"index": Int((0, 2), (1, 4)), "numbers": NUMBERS},
        wordings=(
            "Which number is at index {index} of the list [{numbers}]?",
            "Write the number at index {index} of [{numbers}].",
        ),
        reference_action="python[[{numbers}][{index}]]",
        answer_of=lambda index, numbers: str(dict(enumerate(ints(numbers)))[index]),
    ),
    practised(
        name="item_occurrences",
        parameters={"item": Int((1, 4), (1, 5)), "numbers": IntList((5, 7), (8, 12), digits=(1, 1))},
        wordings=(
            "How many times is {item} in the list [{numbers}]?",
            "Count how often {item} stands in [{numbers}].",
        ),
        reference_action="python[[{numbers}].count({item})]",
        answer_of=lambda item, numbers: str(sum(item == number for number in ints(numbers))),
    ),
    practised(
        name="item_position",
        parameters={"item": Int((1, 4), (1, 5)), "numbers": IntList((5, 7), (8, 12), digits=(1, 1))},
        wordings=(
            "At which index is {item} in the list [{numbers}]?",
            "Find the index of {item} in [{numbers}].",
        ),
        reference_action="python[[{numbers}].index({item})]",
        answer_of=lambda item, numbers: str(next(i for i, n in enumerate(ints(numbers)) if n == item)),
        constraint=lambda item, numbers: None if item in ints(numbers) else "the number is not in the list",
    ),
    practised(
        name="different_items",
        parameters={"numbers": IntList((5, 7), (8, 12), digits=(1, 1))},
        wordings=("How many different numbers are in [{numbers}]?", "Count the different numbers of [{numbers}]."),
        reference_action="python[len(set([{numbers}]))]",
        answer_of=lambda numbers: str(sum(1 for n in range(10) if n in ints(numbers))),
    ),
    practised(
        name="without_repetitions",
        parameters={"numbers": IntList((5, 7), (8, 12), digits=(1, 1))},
        wordings=("Sort [{numbers}] without repetitions.", "List the different numbers of [{numbers}], sorted."),
        reference_action="python[sorted(set([{numbers}]))]",
        answer_of=lambda numbers: listed(n for n in range(10) if n in ints(numbers)),
    ),
    practised(
        name="square_each",
        parameters={"numbers": SHORT},
        wordings=("Square each number in the list [{numbers}].", "List the squares of [{numbers}]."),
        reference_action="python[[x ** 2 for x in [{numbers}]]]",
        answer_of=lambda numbers: listed(map(int.__mul__, ints(numbers), ints(numbers))),
    ),
    practised(
        name="subtract_from_each",
        parameters={"numbers": SHORT, "decrease": FACTOR},
        wordings=(
            "Subtract {decrease} from each number in the list [{numbers}].",
            "Decrease each of [{numbers}] by {decrease}.",
        ),
        reference_action="python[[x - {decrease} for x in [{numbers}]]]",
        answer_of=lambda numbers, decrease: listed(map((-decrease).__add__, ints(numbers))),
    ),
    practised(
        name="joined_lists",
        parameters={"numbers": SHORT, "others": SHORT},
        wordings=("Join the lists [{numbers}] and [{others}].", "Write [{numbers}] and [{others}] as one list."),
        reference_action="python[[{numbers}] + [{others}]]",
        answer_of=lambda numbers, others: listed((*ints(numbers), *ints(others))),
    ),
    practised(
        name="second_largest",
        parameters={"numbers": NUMBERS},
        wordings=("Find the second largest number of [{numbers}].", "Which number of [{numbers}] is second largest?"),
        reference_action="python[sorted([{numbers}])[-2]]",
        answer_of=lambda numbers: str(-sorted(-n for n in ints(numbers))[1]),
    ),
    practised(
        name="list_mode",
        parameters={"numbers": IntList((5, 7), (8, 12), digits=(1, 1))},
        wordings=("Find the mode of the list [{numbers}].", "What is the mode of [{numbers}]?"),
        reference_action="python[statistics.mode([{numbers}])]",
        answer_of=lambda numbers: str(max(range(10), key=ints(numbers).count)),
        constraint=lambda numbers: None if _has_one_mode(ints(numbers)) else "no number is the most frequent one",
    ),
    practised(
        name="dot_product",
        parameters={"a": FACTOR, "b": FACTOR, "numbers": IntList((2, 2), (2, 2), digits=(1, 2))},
        wordings=(
            "Compute the dot product of [{a}, {b}] and [{numbers}].",
            "What is the dot product of the lists [{a}, {b}] and [{numbers}]?",
        ),
        reference_action="python[sum(x * y for x, y in zip([{a}, {b}], [{numbers}]))]",
        answer_of=lambda a, b, numbers: str(a * ints(numbers)[0] + b * ints(numbers)[1]),
    ),
    held_out(
        name="list_minimum",
        parameters={"numbers": NUMBERS},
        wordings=("Find the smallest number in the list [{numbers}].", "What is the minimum of [{numbers}]?"),
        reference_action="python[min([{numbers}])]",
        answer_of=lambda numbers: str(_smallest(ints(numbers))),
    ),
    held_out(
        name="sort_descending",
        parameters={"numbers": NUMBERS},
        wordings=("Sort the list [{numbers}] in reverse.", "Sort [{numbers}] from largest to smallest."),
        reference_action="python[sorted([{numbers}], reverse=True)]",
        answer_of=lambda numbers: listed(-n for n in sorted(-n for n in ints(numbers))),
    ),
    held_out(
        name="list_product",
        parameters={"numbers": SHORT},
        wordings=("Multiply all numbers in the list [{numbers}].", "What is the product (math.prod) of [{numbers}]?"),
        reference_action="python[math.prod([{numbers}])]",
        answer_of=lambda numbers: str(reduce(int.__mul__, ints(numbers))),
    ),
    held_out(
        name="list_median",
        parameters={"numbers": NUMBERS},
        wordings=("Compute the median of the list [{numbers}].", "What is the median of [{numbers}]?"),
        reference_action="python[statistics.median([{numbers}])]",
        answer_of=lambda numbers: _middle(ints(numbers)),
    ),
    held_out(
        name="add_to_each",
        parameters={"numbers": SHORT, "increase": FACTOR},
        wordings=(
            "Add {increase} to each number in the list [{numbers}].",
            "Increase each of [{numbers}] by {increase}.",
        ),
        reference_action="python[[x + {increase} for x in [{numbers}]]]",
        answer_of=lambda numbers, increase: listed(map(increase.__add__, ints(numbers))),
    ),
    held_out(
        name="count_greater",
        parameters={"numbers": NUMBERS, "limit": LIMIT},
        wordings=(
            "Count the numbers in the list [{numbers}] that are greater than {limit}.",
            "How many numbers of [{numbers}] are greater than {limit}?",
        ),
        reference_action="python[len([x for x in [{numbers}] if x > {limit}])]",
        answer_of=lambda numbers, limit: str(sum(map(limit.__lt__, ints(numbers)))),
    ),
    held_out(
        name="keep_even",
        parameters={"numbers": NUMBERS},
        wordings=("Keep the even numbers in the list [{numbers}].", "List the numbers of [{numbers}] that are even."),
        reference_action="python[[x for x in [{numbers}] if x % 2 == 0]]",
        answer_of=lambda numbers: listed(_even(ints(numbers))),
    ),
    validation(
        name="extremes_sum",
        parameters={"numbers": NUMBERS},
        wordings=(
            "Compute the maximum plus the minimum of [{numbers}].",
            "What is the largest plus the smallest number of [{numbers}]?",
        ),
        reference_action="python[max([{numbers}]) + min([{numbers}])]",
        answer_of=lambda numbers: str(_largest(ints(numbers)) + _smallest(ints(numbers))),
    ),
)
