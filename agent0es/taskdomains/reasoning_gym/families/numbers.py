"""Divisors, primes, bits, bases, formats."""

from agent0es.taskdomains.reasoning_gym.families.common import Item, field, make, quoted


def _numbers(item: Item) -> dict[str, str]:
    return {"numbers": ", ".join(map(str, item["metadata"]["numbers"]))}


def _bases(item: Item) -> dict[str, str]:
    data = item["metadata"]
    return {
        "digits": quoted(data["source_repr"]),
        "source": str(data["source_base"]),
        "target": str(data["target_base"]),
    }


def _candidates(item: Item) -> dict[str, str]:
    """As they are written in the text: with three decimals, the metadata's have the errors of a sum behind them."""
    data = item["metadata"]
    return {
        "pick": "max" if data["size"] == "largest" else "min",
        "candidates": ", ".join(str(round(number, 3)) for number in data["candidates"]),
        "answer": str(round(data["solution"], 3)),
    }


FAMILIES = (
    make("gcd", "practised", "number theory", "gcd({numbers})", _numbers, top=3),
    make("lcm", "held_out", "number theory", "lcm({numbers})", _numbers, top=3),
    make(
        "prime_factorization",
        "practised",
        "number theory",
        "' × '.join(str(p) for p, power in sorted(sympy.factorint({number}).items()) for _ in range(power))",
        field("number"),
        top=3,
        compare="factors",
    ),
    make(
        "count_primes",
        "held_out",
        "number theory",
        "sum(sympy.isprime(n) for n in range({start}, {end} + 1))",
        lambda item: {name: str(item["metadata"][name]) for name in ("start", "end")},
        top=2,
    ),
    make("count_bits", "validation", "number theory", "bin({number}).count('1')", field("number"), top=4),
    make(
        "base_conversion",
        "practised",
        "number theory",
        "import numpy; numpy.base_repr(int({digits}, {source}), {target}).lower()",
        _bases,
        top=4,
        settings=lambda level, rng: {"min_base": 2, "max_base": (4, 9, 16, 24, 36)[level], "min_value": 10},
        compare="text",
    ),
    make(
        "number_format",
        "practised",
        "number theory",
        "{pick}([{candidates}])",
        _candidates,
        top=2,
        settings=lambda level, rng: {"min_num_candidates": 2 + level, "max_num_candidates": 3 + level},
    ),
)
