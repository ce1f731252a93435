"""Word problems that take an idea: what is asked for is not said in the order of the expression."""

from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="stories", split="practised")
held_out = partial(Family, group="stories", split="held_out")

COUNT = Int((3, 9), (12, 40))
HOURS = Int((3, 9), (11, 60))


def _legs_fit(heads: int, legs: int) -> str | None:
    if legs % 2:
        return "the number of legs must be even"
    return None if 2 * heads <= legs <= 4 * heads else "hens have two legs and cows four"


def _both_even(total: int, older: int) -> str | None:
    if older >= total:
        return "the difference must be smaller than the sum"
    return None if (total - older) % 2 == 0 else "the ages must be whole numbers"


def _comes_out(price: int, paid: int, tickets: int) -> str | None:
    return None if paid > tickets * price else "what was paid must be more than the tickets"


def _cows(heads: int, legs: int) -> int:
    """Every cow more in place of a hen adds two legs."""
    return next(cows for cows in range(heads + 1) if 4 * cows + 2 * (heads - cows) == legs)


FAMILIES = (
    practised(
        name="younger_age",
        parameters={"total": Int((20, 60), (70, 150)), "older": Int((3, 15), (16, 40))},
        wordings=(
            "Two sisters are {total} years old together; one is {older} years older. How old is the younger one?",
            "The ages of two brothers add up to {total} and differ by {older}. How old is the younger one?",
        ),
        reference_action="python[({total} - {older}) // 2]",
        answer_of=lambda total, older: str(next(age for age in range(total) if age + age + older == total)),
        constraint=_both_even,
    ),
    practised(
        name="hens_and_cows",
        parameters={"heads": Int((5, 20), (30, 300)), "legs": Int((14, 70), (80, 1000))},
        wordings=(
            "Hens and cows have {heads} heads and {legs} legs together. How many cows are there?",
            "On a farm there are {heads} heads and {legs} legs of hens and cows. How many of them are cows?",
        ),
        reference_action="python[({legs} - 2 * {heads}) // 2]",
        answer_of=lambda heads, legs: str(_cows(heads, legs)),
        constraint=_legs_fit,
    ),
    practised(
        name="work_together",
        parameters={"a": HOURS, "b": HOURS},
        wordings=(
            "Ann needs {a} hours for a wall and Ben {b} hours. How many hours do both need together, as a fraction?",
            "One pipe fills a tank in {a} hours, another in {b} hours. How many hours take both, as a fraction?",
        ),
        reference_action="python[Fraction({a} * {b}, {a} + {b})]",
        answer_of=lambda a, b: str(1 / (Fraction(1, a) + Fraction(1, b))),
    ),
    practised(
        name="mean_price",
        parameters={"a": COUNT, "p": COUNT, "b": COUNT, "q": COUNT},
        wordings=(
            "Mix {a} kg of tea at {p} dollars and {b} kg at {q} dollars. What does a kg of the mixture cost?",
            "{a} pens cost {p} dollars each and {b} pens {q} dollars each. What is the mean price of a pen?",
        ),
        reference_action="python[({a} * {p} + {b} * {q}) / ({a} + {b})]",
        answer_of=lambda a, p, b, q: quotient(sum([p] * a) + sum([q] * b), a + b),
    ),
    practised(
        name="meeting_trains",
        parameters={"way": Int((100, 400), (500, 3000)), "a": Int((30, 60), (70, 150)), "b": Int((30, 60), (70, 150))},
        wordings=(
            "Two trains, {way} km apart, drive towards each other at {a} and {b} km/h. When do they meet, in hours?",
            "Towns are {way} km apart; cars start in both, at {a} and {b} km/h. After how many hours do they meet?",
        ),
        reference_action="python[{way} / ({a} + {b})]",
        answer_of=lambda way, a, b: quotient(way, a + b),
    ),
    practised(
        name="ticket_extra",
        parameters={
            "paid": Int((60, 120), (900, 3000)),
            "tickets": Int((3, 6), (11, 20)),
            "price": Int((4, 9), (11, 40)),
        },
        wordings=(
            "A family pays {paid} dollars: {tickets} tickets of {price} dollars and a meal. What does the meal cost?",
            "Of {paid} dollars, {tickets} tickets at {price} dollars are paid, and a meal. What is its price?",
        ),
        reference_action="python[{paid} - {tickets} * {price}]",
        answer_of=lambda paid, tickets, price: str(sum([-price] * tickets, paid)),
        constraint=_comes_out,
    ),
    practised(
        name="steps_up_the_well",
        parameters={"depth": Int((20, 50), (100, 900)), "up": Int((6, 9), (12, 30)), "down": Int((3, 5), (4, 11))},
        wordings=(
            "A snail climbs {up} m by day and slips {down} m by night. How high is it after {depth} days and nights?",
            "By day {up} liters flow in, by night {down} liters out. How much is there after {depth} days and nights?",
        ),
        reference_action="python[({up} - {down}) * {depth}]",
        answer_of=lambda depth, up, down: str(up * depth - down * depth),
    ),
    practised(
        name="shared_bill",
        parameters={"bill": Int((40, 90), (200, 2000)), "tip": Int((5, 15), (20, 90)), "guests": Int((3, 6), (7, 20))},
        wordings=(
            "A bill of {bill} dollars and a tip of {tip} dollars are shared by {guests} guests. What does each pay?",
            "{guests} friends share {bill} dollars for dinner and {tip} dollars for the taxi. How much is it for each?",
        ),
        reference_action="python[({bill} + {tip}) / {guests}]",
        answer_of=lambda bill, tip, guests: quotient(bill + tip, guests),
    ),
    held_out(
        name="compound_interest",
        parameters={
            "money": Int((200, 900), (1000, 9000)),
            "rate": Int((3, 6), (7, 15)),
            "years": Int((3, 4), (5, 12)),
        },
        wordings=(
            "{money} dollars earn {rate} percent a year, compounded, for {years} years. What do they come to?",
            "A bank pays {rate} percent a year on {money} dollars. How much is there after {years} years?",
        ),
        reference_action="python[{money} * (1 + {rate} / 100) ** {years}]",
        answer_of=lambda money, rate, years: str(float(money * Fraction(100 + rate, 100) ** years)),
    ),
    held_out(
        name="tank_filling",
        parameters={"volume": Int((200, 500), (900, 9000)), "now": Int((20, 150), (200, 800)), "rate": COUNT},
        wordings=(
            "A tank of {volume} liters holds {now} and gets {rate} liters a minute. In how many minutes is it full?",
            "{now} of {volume} liters are in a tank; {rate} flow in each minute. How many minutes until it is full?",
        ),
        reference_action="python[({volume} - {now}) / {rate}]",
        answer_of=lambda volume, now, rate: quotient(volume - now, rate),
    ),
    held_out(
        name="catching_up",
        parameters={
            "ahead": Int((20, 60), (100, 900)),
            "fast": Int((30, 60), (70, 150)),
            "slow": Int((10, 29), (30, 69)),
        },
        wordings=(
            "A car at {fast} km/h follows a bus, {ahead} km ahead, at {slow} km/h. When does it catch up, in hours?",
            "Ann is {ahead} km ahead at {slow} km/h, Ben follows at {fast} km/h. After how many hours are they level?",
        ),
        reference_action="python[{ahead} / ({fast} - {slow})]",
        answer_of=lambda ahead, fast, slow: quotient(-ahead, slow - fast),
    ),
)
