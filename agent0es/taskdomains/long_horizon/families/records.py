"""Tables and JSON objects: who has how much of what."""

import json
import random
from functools import partial

from agent0es.taskdomains.long_horizon.families.common import (
    CITIES,
    NAMES,
    WORDS,
    Story,
    Written,
    beginning,
    calculation,
    drawn,
    staged,
)

practised = partial(staged, group="files of records", split="practised")
held_out = partial(staged, group="files of records", split="held_out")


def table_total(rng: random.Random, calculations: int, lines: int) -> Story:
    """The sum of a column in a file, then a calculation with it."""
    amounts, c = drawn(rng, lines), calculation(rng, calculations)
    people = rng.sample(NAMES, lines)
    text = "".join(f"{name},{amount}\n" for name, amount in zip(people, amounts, strict=True))
    return Story(
        about=f"orders.csv has {lines} lines of a name and an amount, such as {beginning(text)}",
        stages=("Write the sum of the amounts to total.txt.", f"Then answer with the number in total.txt{c.spoken}."),
        files={"orders.csv": text},
        written=[
            Written(
                "total.txt",
                str(sum(amounts)),
                "number",
                "open('total.txt','w').write(str(sum(int(l.split(',')[1]) for l in open('orders.csv'))))",
            )
        ],
        derivation=("number", *c.derivation),
        code=c.code("int(open('total.txt').read())"),
    )


def table_rows(rng: random.Random, calculations: int, lines: int) -> Story:
    """The rows of a city in a file, then the sum of a column."""
    amounts, c = drawn(rng, lines), calculation(rng, calculations - 1)
    city, *others = rng.sample(CITIES, 3)
    places = [city, *(rng.choice((city, *others)) for _ in range(lines - 2)), others[0]]
    rng.shuffle(places)
    rows = [
        f"{name},{amount},{place}\n"
        for name, amount, place in zip(rng.sample(NAMES, lines), amounts, places, strict=True)
    ]
    kept = [row for row in rows if row.endswith(f",{city}\n")]
    return Story(
        about=f"people.csv has {lines} lines of a name, an age and a city, such as {beginning(rows[0])}",
        stages=(
            f"Write the lines of the city {city} to {city}.csv, as they are.",
            f"Then answer with the sum of the ages in {city}.csv{c.spoken}.",
        ),
        files={"people.csv": "".join(rows)},
        written=[
            Written(
                f"{city}.csv",
                "".join(kept),
                "csv",
                f"open('{city}.csv','w').write(''.join(l for l in open('people.csv') if '{city}' in l))",
            )
        ],
        derivation=("column_sum:1", *c.derivation),
        code=c.code(f"sum(int(l.split(',')[1]) for l in open('{city}.csv'))"),
    )


def stock(rng: random.Random, calculations: int, lines: int) -> Story:
    """The name with the largest or smallest number in a file, then its number."""
    amounts, c = drawn(rng, lines), calculation(rng, calculations)
    things = dict(zip(rng.sample(WORDS, lines), amounts, strict=True))
    word, function = rng.choice((("largest", "max"), ("smallest", "min")))
    ordered = sorted((amount, name) for name, amount in things.items())
    name = ordered[-1 if word == "largest" else 0][1]
    first = next(iter(things))
    return Story(
        about=f"stock.json is an object from {lines} names to numbers, such as {first!r} to {things[first]}",
        stages=(
            f"Write the name with the {word} number to name.txt.",
            f"Then answer with the number of that name{c.spoken}.",
        ),
        files={"stock.json": json.dumps(things)},
        written=[
            Written(
                "name.txt",
                name,
                "text",
                f"d = json.load(open('stock.json')); open('name.txt','w').write({function}(d, key=d.get))",
            )
        ],
        derivation=("lookup:stock.json", *c.derivation),
        code=c.code("json.load(open('stock.json'))[open('name.txt').read()]"),
    )


def conversion(rng: random.Random, calculations: int, lines: int) -> Story:
    """A table as a JSON object in a file, then the sum of its values."""
    ages, c = drawn(rng, lines), calculation(rng, calculations - 1)
    people = dict(zip(rng.sample(NAMES, lines), ages, strict=True))
    text = "".join(f"{name},{age}\n" for name, age in people.items())
    return Story(
        about=f"ages.csv has {lines} lines of a name and an age, such as {beginning(text)}",
        stages=(
            "Write it to ages.json as one JSON object from each name to its age, a number.",
            f"Then answer with the sum of the ages in ages.json{c.spoken}.",
        ),
        files={"ages.csv": text},
        written=[
            Written(
                "ages.json",
                json.dumps(people),
                "json",
                "d = dict(l.split(',') for l in open('ages.csv')); "
                "open('ages.json','w').write(json.dumps({k: int(d[k]) for k in d}))",
            )
        ],
        derivation=("values_sum", *c.derivation),
        code=c.code("sum(json.load(open('ages.json')).values())"),
    )


FAMILIES = (
    practised("table_total", make=table_total),
    practised("table_rows", make=table_rows),
    practised("stock_extreme", make=stock),
    held_out("table_to_json", make=conversion),
)
