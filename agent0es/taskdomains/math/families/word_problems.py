"""Short stories. A model of 135M parameters fails at most of them: they are here to be honest about that."""

from functools import partial

from agent0es.taskdomains.base import Family, Int

practised = partial(Family, group="word_problems", split="practised")
held_out = partial(Family, group="word_problems", split="held_out")

FAMILIES = (
    practised(
        name="pens_in_boxes",
        parameters={"boxes": Int((3, 9), (12, 40)), "pens": Int((4, 12), (15, 60)), "extra": Int((3, 12), (15, 90))},
        wordings=(
            "Tom has {boxes} boxes of {pens} pens and {extra} more pens. How many pens does he have?",
            "There are {boxes} boxes with {pens} pens each, and {extra} extra pens. How many pens in all?",
        ),
        reference_action="python[{boxes} * {pens} + {extra}]",
        answer_of=lambda boxes, pens, extra: str(sum([pens] * boxes) + extra),
    ),
    practised(
        name="change",
        parameters={
            "money": Int((100, 150), (1000, 2000)),
            "items": Int((3, 8), (11, 20)),
            "price": Int((3, 12), (15, 45)),
        },
        wordings=(
            "You have {money} dollars and buy {items} books for {price} dollars each. How much is left?",
            "You pay with {money} dollars for {items} pens at {price} dollars each. How much change do you get?",
        ),
        reference_action="python[{money} - {items} * {price}]",
        answer_of=lambda money, items, price: str(money - sum([price] * items)),
    ),
    practised(
        name="two_purchases",
        parameters={
            "apples": Int((3, 9), (12, 40)),
            "price": Int((2, 9), (11, 30)),
            "pears": Int((3, 9), (12, 40)),
            "cost": Int((2, 9), (11, 30)),
        },
        wordings=(
            "{apples} apples cost {price} cents each and {pears} pears cost {cost} cents each. What is the total?",
            "Eve buys {apples} apples at {price} cents and {pears} pears at {cost} cents each. How much is that?",
        ),
        reference_action="python[{apples} * {price} + {pears} * {cost}]",
        answer_of=lambda apples, price, pears, cost: str(sum([price] * apples) + sum([cost] * pears)),
    ),
    practised(
        name="people_in_buses",
        parameters={"buses": Int((3, 9), (12, 40)), "seats": Int((20, 50), (40, 90)), "empty": Int((3, 15), (5, 19))},
        wordings=(
            "Each of {buses} buses has {seats} seats, and {empty} of them are empty. How many people ride?",
            "{buses} buses of {seats} seats drive with {empty} empty seats each. How many people are in them?",
        ),
        reference_action="python[{buses} * ({seats} - {empty})]",
        answer_of=lambda buses, seats, empty: str(buses * seats - buses * empty),
    ),
    held_out(
        name="savings",
        parameters={
            "weekly": Int((10, 30), (40, 200)),
            "weeks": Int((4, 9), (11, 40)),
            "spent": Int((5, 35), (50, 400)),
        },
        wordings=(
            "Ann saves {weekly} dollars a week for {weeks} weeks and spends {spent} dollars. How much is left?",
            "After {weeks} weeks of saving {weekly} dollars each, Ann spends {spent} dollars. What remains?",
        ),
        reference_action="python[{weekly} * {weeks} - {spent}]",
        answer_of=lambda weekly, weeks, spent: str(sum([weekly] * weeks, -spent)),
    ),
    held_out(
        name="fair_shares",
        parameters={
            "red": Int((10, 40), (100, 900)),
            "blue": Int((10, 40), (100, 900)),
            "children": Int((3, 5), (6, 20)),
        },
        wordings=(
            "There are {red} red and {blue} blue balls for {children} children. How many whole balls does each get?",
            "{red} red and {blue} blue balls are shared by {children} children. How many whole balls does each get?",
        ),
        reference_action="python[({red} + {blue}) // {children}]",
        answer_of=lambda red, blue, children: str(divmod(red + blue, children)[0]),
    ),
)
