"""Letters, words, lists of words and numbers."""

import random
from collections.abc import Mapping
from typing import Any

from agent0es.taskdomains.reasoning_gym.families.common import Item, make, quoted

KEPT = {"keep_larger": ">", "keep_smaller": "<", "remove_larger": "<=", "remove_smaller": ">="}


def _letters(item: Item) -> dict[str, str]:
    return {"text": quoted(" ".join(item["metadata"]["span"])), "letter": quoted(item["metadata"]["target_letter"])}


def _sorted_words(item: Item) -> dict[str, str]:
    return {
        "words": quoted(item["metadata"]["transformed_words"]),
        "descending": str(item["metadata"]["direction"] == "descending"),
    }


def _filtered(item: Item) -> dict[str, str] | None:
    data = item["metadata"]
    # equal numbers that are written differently come out as the first was written
    if len({float(number) for number in data["original_numbers"]}) < len(data["original_numbers"]):
        return None
    return {
        "numbers": quoted(data["original_numbers"]),
        "sign": KEPT[data["operation"]],
        "limit": str(data["filter_value"]),
    }


def _sorted_numbers(item: Item) -> dict[str, str]:
    data = item["metadata"]
    return {"numbers": ", ".join(data["original_numbers"]), "descending": str(data["direction"] == "descending")}


def _string(item: Item) -> dict[str, str]:
    return {"string": quoted(item["metadata"]["string"])}


def _short_list(level: int, rng: random.Random) -> Mapping[str, Any]:
    """Three to eight numbers; the curriculum's ten to thousands are no question of skill with a tool."""
    return {"min_numbers": 3 + level, "max_numbers": 5 + level, "min_decimals": 0, "max_decimals": 1}


FAMILIES = (
    make("letter_counting", "practised", "texts", "{text}.lower().count({letter})", _letters, top=7),
    make(
        "spell_backward",
        "practised",
        "texts",
        "{word}[::-1]",
        lambda item: {"word": quoted(item["metadata"]["word"])},
        top=4,
        compare="text",
    ),
    make(
        "word_sequence_reversal",
        "practised",
        "texts",
        "', '.join({words}[::-1])",
        lambda item: {"words": quoted(item["metadata"]["words"])},
        top=3,
        settings=lambda level, rng: {"min_words": 3 + 2 * level, "max_words": 5 + 3 * level},
        compare="items",
    ),
    make(
        "word_sorting",
        "held_out",
        "texts",
        "', '.join(sorted({words}, reverse={descending}))",
        _sorted_words,
        top=3,
        settings=lambda level, rng: {"min_words": 3 + 2 * level, "max_words": 5 + 4 * level},
        compare="items",
    ),
    make(
        "number_filtering",
        "practised",
        "lists",
        "[n for n in {numbers} if float(n) {sign} {limit}]",
        _filtered,
        top=3,
        settings=_short_list,
        compare="items",
    ),
    make(
        "number_sorting",
        "practised",
        "lists",
        "[str(n) for n in sorted([{numbers}], reverse={descending})]",
        _sorted_numbers,
        top=3,
        settings=_short_list,
        compare="items",
    ),
    make(
        "string_insertion",
        "practised",
        "texts",
        "re.sub('ABCD|BCDE|CDEA|DEAB|EABC', lambda found: found[0] + found[0][0], {string})",
        _string,
        top=3,
        settings=lambda level, rng: {"min_string_length": 8 + 8 * level, "max_string_length": 15 + 15 * level},
        compare="text",
    ),
    make(
        "binary_alternation",
        "held_out",
        "texts",
        "s = {string}; n = sum(bit != '01'[i % 2] for i, bit in enumerate(s)); more = 2 * s.count('0') - len(s); "
        "-1 if abs(more) > 1 else (n if more == 1 else len(s) - n if more == -1 else min(n, len(s) - n)) // 2",
        _string,
        top=3,
        settings=lambda level, rng: {"min_n": 6 + 6 * level, "max_n": 12 + 12 * level},
    ),
)
