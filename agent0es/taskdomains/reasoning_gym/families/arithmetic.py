"""Sums, products, fractions, chances, one equation."""

import re

from agent0es.taskdomains.reasoning_gym.families.common import Item, field, make

DECIMAL = re.compile(r"[0-9.]+")


def _fraction(item: Item) -> dict[str, str]:
    return {name: str(item["metadata"][name]) for name in ("numerator", "denominator")}


def _legs(item: Item) -> dict[str, str]:
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    return {"sum": " + ".join(f"{count} * {ANIMALS[name]}" for name, count in item["metadata"]["animals"].items())}


def _friends(item: Item) -> dict[str, str] | None:
    """Whom she knows of her own sex is the second number in every one of these texts."""
    others = re.findall(r"[0-9]+", item["question"])[1]
    return {"others": others} if others != "1" else None  # in 1 + 1 nobody can tell which is which


def _coins(item: Item) -> dict[str, str]:
    data = item["metadata"]
    flips, low, chance = data["num_trials"], data["k_heads"], data["rational"]
    high = flips if data["problem_type"] == "at_least" else low
    # the library rounds to ten digits
    exact = str(chance["numerator"] / chance["denominator"])
    return {"flips": str(flips), "low": str(low), "high": str(high + 1), "answer": exact}


def _dice(item: Item) -> dict[str, str]:
    puzzle = item["metadata"]["puzzle"]
    sides = [int(die.removeprefix("1d")) for die in puzzle["dice_str"].split(", ")]
    ranges = ", ".join(f"range(1, {side + 1})" for side in sides)
    return {"ranges": ranges, "sides": ", ".join(map(str, sides)), "target": str(puzzle["target"])}


def _equation(item: Item) -> dict[str, str] | None:
    left, right = item["metadata"]["equation"].split(" = ")
    unknown = item["metadata"]["variable"]
    # a product with nothing leaves no unknown
    return {"unknown": unknown, "left": left, "right": right} if unknown in left else None


def _polygon(item: Item) -> dict[str, str] | None:
    data = item["metadata"]
    angles = data["known_angles"]
    # the library gives the last angle of a "convex" polygon whatever is left, often more than 180 degrees
    if data["missing_angle_raw"] >= 180 or any(angle % 1 for angle in angles):
        return None
    return {"sides": str(data["n_sides"]), "angles": ", ".join(str(int(angle)) for angle in angles)}


FAMILIES = (
    make(
        "basic_arithmetic",
        "practised",
        "arithmetic",
        "{expression}",
        field("expression"),
        top=4,
        # where it divides, it rounds down without saying so
        settings=lambda level, rng: {"operators": ("+", "-", "*")},
    ),
    make("chain_sum", "practised", "arithmetic", "{expression}", field("expression"), top=6),
    make("products", "practised", "arithmetic", "{expression}", field("expression"), top=4),
    make(
        "decimal_chain_sum",
        "held_out",
        "arithmetic",
        "{terms}",
        lambda item: {"terms": DECIMAL.sub(r'Decimal("\g<0>")', item["metadata"]["expression"])},
        top=3,
        settings=lambda level, rng: {
            "max_terms": 2 + (level > 1),
            "max_digits": 1 + level,
            "min_decimal_places": 1,
            "max_decimal_places": 1 + (level > 0),
        },
    ),
    make(
        "bitwise_arithmetic",
        "held_out",  # MiniLM sees no difference between its tasks: nearly all would be refused as near-duplicates
        "arithmetic",
        "hex({problem})",
        field("problem"),
        top=2,
        compare="hexadecimal",
    ),
    make(
        "fraction_simplification",
        "practised",
        "fractions",
        "Fraction({numerator}, {denominator})",
        _fraction,
        top=3,
        settings=lambda level, rng: {"styles": ("plain",)},
    ),
    make("leg_counting", "practised", "word problems", "{sum}", _legs, top=7),
    make(
        "friends",
        "practised",
        "word problems",
        "{others} + 1",
        _friends,
        dataset="aiw",
        top=6,
        # the texts about siblings ask of a brother of whom nothing was said
        settings=lambda level, rng: {
            "task_type_weights": [0.0, 1 - level / 8, level / 8],
            "max_entities": 9 + 15 * level,
        },
    ),
    make(
        "coin_flip",
        "practised",
        "chances",
        "sum(comb({flips}, i) for i in range({low}, {high})) * 0.5**{flips}",
        _coins,
        top=12,
        settings=lambda level, rng: {"min_trials": 3 + level, "max_trials": 12 + level},
    ),
    make(
        "dice",
        "validation",
        "chances",
        "Fraction(sum(sum(roll) >= {target} for roll in product({ranges})), prod([{sides}]))",
        _dice,
        top=3,
        settings=lambda level, rng: {"num_dice": (2, 2, 3, 3)[level], "max_dice_size": rng.randint(8, 30)},
    ),
    make(
        "simple_equations",
        "practised",
        "equations",
        "{unknown} = symbols('{unknown}'); solve(Eq({left}, {right}))[0]",
        _equation,
        top=3,
        settings=lambda level, rng: {"max_terms": 2 + level, "max_value": 50 * 4**level},
    ),
    make(
        "simple_geometry",
        "practised",
        "geometry",
        "180 * ({sides} - 2) - sum([{angles}])",
        _polygon,
        top=3,
        settings=lambda level, rng: {
            "min_sides": 3 + (level > 1),
            "max_sides": 4 + level,
            "min_angle": 40 + 20 * level,
        },
    ),
)
