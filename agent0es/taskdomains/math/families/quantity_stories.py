"""Short stories of two to five steps about amounts: sharing, growing, travelling, filling, comparing."""

from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="quantity_stories", split="practised")
held_out = partial(Family, group="quantity_stories", split="held_out")

FEW = Int((3, 9), (11, 40))
SOME = Int((12, 30), (60, 300))
MANY = Int((60, 120), (400, 2000))
TIMES = Int((3, 4), (5, 9))


def _more(what: str, larger: float, smaller: float) -> str | None:
    return None if larger > smaller else f"{what} must be more"


def _whole(number: int, parts: int) -> str | None:
    return f"{number} must be a multiple of {parts}" if number % parts else None


FAMILIES = (
    practised(
        name="three_collectors",
        parameters={"first": SOME, "times": TIMES, "less": FEW},
        wordings=(
            "Ann has {first} stamps. Bob has {times} times as many as Ann, and Cem has {less} fewer than Bob. "
            "How many stamps do the three have together?",
            "A red box holds {first} beads, a blue box {times} times as many, and a green box {less} fewer than "
            "the blue "
            "one. How many beads are in all three?",
        ),
        reference_action="python[{first} + {times} * {first} + {times} * {first} - {less}]",
        answer_of=lambda first, times, less: str(sum([first] * (2 * times + 1)) - less),
        constraint=lambda first, times, less: _more("what the second has", first * times, less),
    ),
    practised(
        name="half_of_another",
        parameters={"total": Int((24, 60), (200, 900)), "more": FEW},
        wordings=(
            "On Monday {total} people visit a museum. On Tuesday half as many come, and on Wednesday {more} more "
            "than on "
            "Tuesday. How many people come in the three days?",
            "A hiker walks {total} km in the first week, half of that in the second, and {more} km more than in "
            "the second "
            "in the third. How many km are that in all?",
        ),
        reference_action="python[{total} + {total} // 2 + {total} // 2 + {more}]",
        answer_of=lambda total, more: str(2 * total + more),
        constraint=lambda total, more: _whole(total, 2),
    ),
    practised(
        name="rows_less_broken",
        parameters={"rows": FEW, "each": FEW, "broken": Int((3, 8), (11, 60)), "boxes": TIMES},
        wordings=(
            "Each of {boxes} crates has {rows} layers of {each} glasses. {broken} glasses are broken. "
            "How many are whole?",
            "A hall has {boxes} blocks of {rows} rows with {each} seats. {broken} seats can't be used. "
            "How many can be used?",
        ),
        reference_action="python[{boxes} * {rows} * {each} - {broken}]",
        answer_of=lambda rows, each, broken, boxes: str(sum([rows * each] * boxes) - broken),
        constraint=lambda rows, each, broken, boxes: _more("the whole", boxes * rows * each, broken),
    ),
    practised(
        name="shared_after_giving",
        parameters={"had": MANY, "gave": SOME, "people": TIMES},
        wordings=(
            "Sara picks {had} apples. She gives {gave} to her neighbour and shares the rest equally among {people} "
            "baskets. How many apples are in a basket?",
            "Of {had} leaflets {gave} got wet. The others are shared equally by {people} helpers. "
            "How many does each of them get?",
        ),
        reference_action="python[({had} - {gave}) // {people}]",
        answer_of=lambda had, gave, people: str(next(n for n in range(had) if n * people == had - gave)),
        constraint=lambda had, gave, people: _more("what there was", had, gave) or _whole(had - gave, people),
    ),
    practised(
        name="pages_left",
        parameters={"pages": MANY, "a": FEW, "days": TIMES, "b": FEW, "more": TIMES},
        wordings=(
            "A book has {pages} pages. Paul reads {a} pages a day for {days} days, and then {b} pages a day for "
            "{more} "
            "days. How many pages are left?",
            "A tank holds {pages} liters. For {days} hours {a} liters an hour flow out, then for {more} hours "
            "{b} liters "
            "an hour. How many liters are left?",
        ),
        reference_action="python[{pages} - {a} * {days} - {b} * {more}]",
        answer_of=lambda pages, a, days, b, more: str(pages - sum([a] * days + [b] * more)),
        constraint=lambda pages, a, days, b, more: _more("the whole", pages, a * days + b * more),
    ),
    practised(
        name="part_of_a_class",
        parameters={"total": MANY, "share": Int((11, 40), (45, 90)), "left": TIMES},
        wordings=(
            "A school has {total} pupils. {share}% of them come by bus. Of the others, {left} come by car and "
            "the rest walk. "
            "How many walk?",
            "{total} seeds are sown; {share}% of them grow. Of those that don't, {left} are eaten by birds. "
            "How many of the seeds that don't grow are not eaten?",
        ),
        reference_action="python[{total} - {total} * {share} // 100 - {left}]",
        answer_of=lambda total, share, left: str(total * (100 - share) // 100 - left),
        constraint=lambda total, share, left: (
            _whole(total * share, 100) or _more("those others", total * (100 - share) // 100, left)
        ),
    ),
    practised(
        name="trip_in_two_parts",
        parameters={"a": Int((30, 50), (60, 120)), "h": TIMES, "b": Int((30, 50), (60, 120)), "k": TIMES},
        wordings=(
            "A car drives {h} hours at {a} km/h and then {k} hours at {b} km/h. "
            "What is its mean speed over the whole trip, in km/h?",
            "A ship sails {h} hours at {a} km/h and {k} hours at {b} km/h. How many km/h is that on average?",
        ),
        reference_action="python[({a} * {h} + {b} * {k}) / ({h} + {k})]",
        answer_of=lambda a, h, b, k: quotient(sum([a] * h + [b] * k), h + k),
    ),
    practised(
        name="time_at_two_speeds",
        parameters={"way": MANY, "a": Int((11, 20), (30, 60)), "faster": FEW},
        wordings=(
            "A road is {way} km long. By bicycle one makes {a} km/h, by moped {faster} km/h more. "
            "How many hours does the moped need for the road?",
            "A printer makes {a} pages a minute. A newer one makes {faster} more a minute. "
            "In how many minutes does the newer one print {way} pages?",
        ),
        reference_action="python[{way} / ({a} + {faster})]",
        answer_of=lambda way, a, faster: str(float(Fraction(way, faster + a))),
    ),
    practised(
        name="growing_each_week",
        parameters={"start": SOME, "each": FEW, "weeks": TIMES, "lost": FEW},
        wordings=(
            "A plant is {start} cm high and grows {each} cm a week for {weeks} weeks. Then {lost} cm are cut off. "
            "How high is it then, in cm?",
            "A club has {start} members. In each of {weeks} months {each} join; at the end {lost} leave. "
            "How many members are there?",
        ),
        reference_action="python[{start} + {each} * {weeks} - {lost}]",
        answer_of=lambda start, each, weeks, lost: str(start - lost + sum([each] * weeks)),
        constraint=lambda start, each, weeks, lost: _more("what there is", start + each * weeks, lost),
    ),
    practised(
        name="doubling_daily",
        parameters={"start": FEW, "days": Int((3, 4), (5, 8)), "taken": FEW},
        wordings=(
            "There are {start} water lilies on a pond. Their number doubles every day for {days} days; then "
            "{taken} are "
            "taken out. How many are left?",
            "A rumour is known to {start} people, and each day to twice as many. After {days} days {taken} of "
            "them have "
            "forgotten it. How many still know it?",
        ),
        reference_action="python[{start} * 2 ** {days} - {taken}]",
        answer_of=lambda start, days, taken: str((start << days) - taken),
        constraint=lambda start, days, taken: _more("what there is", start * 2**days, taken),
    ),
    practised(
        name="boxes_and_rest",
        parameters={"made": MANY, "box": Int((6, 9), (11, 30)), "load": TIMES},
        wordings=(
            "A factory makes {made} bulbs and packs them in boxes of {box}. A shelf takes {load} boxes. "
            "How many shelves are completely filled?",
            "{made} chairs are put in rows of {box}, and {load} rows make a block. How many whole blocks are there?",
        ),
        reference_action="python[{made} // {box} // {load}]",
        answer_of=lambda made, box, load: str(made // (box * load)),
    ),
    practised(
        name="ages_in_years",
        parameters={"child": Int((3, 5), (6, 10)), "times": TIMES, "years": FEW},
        wordings=(
            "Mia is {child} years old. Her uncle is {times} times as old. "
            "How old will the two be together in {years} years?",
            "A young tree is {child} years old, and the oak beside it {times} times that. "
            "What is the sum of their ages in {years} years?",
        ),
        reference_action="python[{child} + {times} * {child} + 2 * {years}]",
        answer_of=lambda child, times, years: str((child + years) + (times * child + years)),
    ),
    practised(
        name="team_and_time",
        parameters={"workers": FEW, "days": FEW, "more": FEW},
        wordings=(
            "{workers} workers build a wall in {days} days. {more} workers more come, all of the same speed. "
            "In how many days do they build such a wall together?",
            "{workers} pumps empty a pool in {days} hours. With {more} pumps more of the same kind, "
            "how many hours does it take?",
        ),
        reference_action="python[{workers} * {days} / ({workers} + {more})]",
        answer_of=lambda workers, days, more: quotient(sum([days] * workers), workers + more),
    ),
    practised(
        name="ratio_of_a_mixture",
        parameters={"a": TIMES, "b": Int((3, 5), (7, 13)), "total": MANY},
        wordings=(
            "Paint is mixed from {a} parts of blue and {b} parts of white. How many liters of blue are in "
            "{total} liters?",
            "For every {a} cats there are {b} dogs in a shelter. It has {total} cats and dogs. How many are cats?",
        ),
        reference_action="python[{total} // ({a} + {b}) * {a}]",
        answer_of=lambda a, b, total: str(total * a // (a + b)),
        constraint=lambda a, b, total: _whole(total, a + b),
    ),
    practised(
        name="between_first_and_last",
        parameters={"mean": Int((20, 50), (70, 300)), "count": TIMES, "first": SOME, "last": FEW},
        wordings=(
            "In {count} games a player scored {mean} points on average: {first} in the first and {last} in the last. "
            "How many did she score in all games between?",
            "A shop had {mean} customers a day on average in {count} days, {first} on the first day and {last} on the "
            "last. How many came on the days between, together?",
        ),
        reference_action="python[{mean} * {count} - {first} - {last}]",
        answer_of=lambda mean, count, first, last: str(sum([mean] * count) - (first + last)),
        constraint=lambda mean, count, first, last: _more("the sum", mean * count, first + last),
    ),
    practised(
        name="two_pools",
        parameters={"a": MANY, "out": Int((6, 9), (11, 20)), "b": SOME, "into": TIMES, "hours": TIMES},
        wordings=(
            "One tank holds {a} liters and loses {out} an hour. Another holds {b} liters and gains {into} an hour. "
            "How many liters more are in the first after {hours} hours?",
            "Village A has {a} people and loses {out} a year; village B has {b} and gains {into} a year. "
            "By how many people is A larger after {hours} years?",
        ),
        reference_action="python[{a} - {out} * {hours} - {b} - {into} * {hours}]",
        answer_of=lambda a, out, b, into, hours: str(a - b - sum([out + into] * hours)),
        constraint=lambda a, out, b, into, hours: _more("the first", a - out * hours, b + into * hours),
    ),
    practised(
        name="legs_in_a_stable",
        parameters={"horses": SOME, "times": Int((5, 6), (7, 9)), "men": Int((10, 11), (40, 50))},
        wordings=(
            "In a stable there are {horses} horses, {times} times as many hens, and {men} men. How many legs is that?",
            "A workshop has {horses} cars with four wheels, {times} times as many bicycles with two, and {men} "
            "carts with "
            "two wheels. How many wheels are there?",
        ),
        reference_action="python[4 * {horses} + 2 * {times} * {horses} + 2 * {men}]",
        answer_of=lambda horses, times, men: str(2 * (2 * horses + sum([horses] * times) + men)),
    ),
    practised(
        name="eaten_in_days",
        parameters={"cats": TIMES, "cans": TIMES, "have": MANY},
        wordings=(
            "Each of {cats} dogs eats {cans} cups of food a day. A sack holds {have} cups. "
            "For how many whole days does it last?",
            "{cats} stoves burn {cans} logs a day each. How many whole days do {have} logs last?",
        ),
        reference_action="python[{have} // ({cats} * {cans})]",
        answer_of=lambda cats, cans, have: str(have // cats // cans),
    ),
    practised(
        name="minutes_of_exercise",
        parameters={"minutes": Int((11, 25), (30, 90)), "days": Int((3, 4), (5, 7)), "weeks": FEW},
        wordings=(
            "Leo runs {minutes} minutes on {days} days of every week. How many hours is that in {weeks} weeks?",
            "A lamp burns {minutes} minutes on each of {days} evenings a week. "
            "For how many hours does it burn in {weeks} weeks?",
        ),
        reference_action="python[{minutes} * {days} * {weeks} / 60]",
        answer_of=lambda minutes, days, weeks: quotient(sum([minutes * days] * weeks), 60),
    ),
    held_out(
        name="left_of_a_cake",
        parameters={"cakes": FEW, "slices": Int((6, 8), (10, 24)), "guests": FEW, "each": TIMES},
        wordings=(
            "{cakes} cakes are cut into {slices} slices each. {guests} guests eat {each} slices each. "
            "How many slices are left?",
            "A shop gets {cakes} boxes of {slices} toys. To {guests} customers it sells {each} toys each. "
            "How many toys does it still have?",
        ),
        reference_action="python[{cakes} * {slices} - {guests} * {each}]",
        answer_of=lambda cakes, slices, guests, each: str(sum([slices] * cakes) - sum([each] * guests)),
        constraint=lambda cakes, slices, guests, each: _more("what there is", cakes * slices, guests * each),
    ),
    held_out(
        name="catching_up_on_foot",
        parameters={"lead": MANY, "fast": Int((11, 15), (30, 60)), "slow": Int((4, 9), (10, 25))},
        wordings=(
            "A thief is {lead} m ahead and runs {slow} m in the time in which a policeman runs {fast} m. "
            "How many such times does it take to catch him?",
            "Tim has {lead} points more than Ida. A round gives Tim {slow} points and Ida {fast}. "
            "After how many rounds do they have the same?",
        ),
        reference_action="python[{lead} // ({fast} - {slow})]",
        answer_of=lambda lead, fast, slow: str(lead // (fast - slow)),
        constraint=lambda lead, fast, slow: _more("the faster", fast, slow) or _whole(lead, fast - slow),
    ),
    held_out(
        name="fraction_of_the_rest",
        parameters={"total": MANY, "a": TIMES, "b": TIMES},
        wordings=(
            "Of {total} sweets, 1/{a} are eaten on Monday, and 1/{b} of the rest on Tuesday. How many are left?",
            "1/{a} of {total} letters are sent in the morning and 1/{b} of the others at noon. "
            "How many are still to be sent?",
        ),
        reference_action="python[{total} * ({a} - 1) * ({b} - 1) // ({a} * {b})]",
        answer_of=lambda total, a, b: str(total * (1 - Fraction(1, a)) * (1 - Fraction(1, b))),
        constraint=lambda total, a, b: _whole(total, a * b),
    ),
    held_out(
        name="fence_posts",
        parameters={"length": MANY, "width": SOME, "gap": TIMES},
        wordings=(
            "A garden of {length} by {width} m gets a fence all around it, with a post every {gap} m. "
            "How many posts are needed?",
            "Lamps stand every {gap} m along the whole edge of a park of {length} by {width} m. How many are there?",
        ),
        reference_action="python[(2 * {length} + 2 * {width}) // {gap}]",
        answer_of=lambda length, width, gap: str((length + width + length + width) // gap),
        constraint=lambda length, width, gap: _whole(2 * (length + width), gap),
    ),
)
