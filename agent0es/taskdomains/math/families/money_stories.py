"""Short stories of two to five steps about money: shopping, wages, prices that change, saving."""

from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="money_stories", split="practised")
held_out = partial(Family, group="money_stories", split="held_out")

FEW = Int((3, 9), (11, 40))
PRICE = Int((3, 9), (12, 60))
MONEY = Int((100, 200), (1500, 5000))
SHARE = Int((11, 25), (30, 75))


def _more(what: str, larger: float, smaller: float) -> str | None:
    return None if larger > smaller else f"{what} must come to more"


FAMILIES = (
    practised(
        name="change_of_two_goods",
        parameters={"paid": MONEY, "a": FEW, "p": PRICE, "b": FEW, "q": PRICE},
        wordings=(
            "Maria buys {a} notebooks for ${p} each and {b} pens for ${q} each. She pays with ${paid}. "
            "How much change does she get, in dollars?",
            "A coach has ${paid} to spend. He buys {a} balls at ${p} each, then {b} shirts that cost ${q} each. "
            "How many dollars are left?",
        ),
        reference_action="python[{paid} - {a} * {p} - {b} * {q}]",
        answer_of=lambda paid, a, p, b, q: str(paid - sum([p] * a + [q] * b)),
        constraint=lambda paid, a, p, b, q: _more("what was paid", paid, a * p + b * q),
    ),
    practised(
        name="weeks_of_wages",
        parameters={
            "hours": Int((3, 6), (7, 12)),
            "wage": PRICE,
            "days": Int((3, 5), (6, 7)),
            "weeks": Int((3, 6), (8, 50)),
        },
        wordings=(
            "Omar works {hours} hours a day, {days} days a week. He is paid ${wage} an hour. "
            "How many dollars does he earn in {weeks} weeks?",
            "A machine is rented for ${wage} an hour. It runs {hours} hours on each of {days} days a week. "
            "What does the rent for {weeks} weeks come to, in dollars?",
        ),
        reference_action="python[{hours} * {days} * {wage} * {weeks}]",
        answer_of=lambda hours, wage, days, weeks: str(sum([hours * wage] * (days * weeks))),
    ),
    practised(
        name="profit_of_a_stall",
        parameters={"made": Int((20, 40), (90, 400)), "price": PRICE, "cost": Int((10, 30), (80, 300)), "days": FEW},
        wordings=(
            "Each day a stall sells {made} sandwiches for ${price} each and spends ${cost} on food. "
            "What is its profit in {days} days, in dollars?",
            "Lena sells {made} cups of lemonade a day at ${price} a cup; sugar and lemons cost her ${cost} a day. "
            "How many dollars does she gain in {days} days?",
        ),
        reference_action="python[({made} * {price} - {cost}) * {days}]",
        answer_of=lambda made, price, cost, days: str(sum([price] * made * days) - days * cost),
        constraint=lambda made, price, cost, days: _more("what is sold", made * price, cost),
    ),
    practised(
        name="discount_then_several",
        parameters={"price": Int((20, 60), (80, 400)), "off": SHARE, "count": FEW},
        wordings=(
            "A jacket costs ${price}. In a sale everything is {off}% off. "
            "How many dollars do {count} such jackets cost in the sale?",
            "The normal price of a ticket is ${price}. Members get {off}% off. "
            "A club of members buys {count} tickets. How much does it pay in dollars?",
        ),
        reference_action="python[{price} * (100 - {off}) * {count} / 100]",
        answer_of=lambda price, off, count: quotient(price * 100 * count - price * off * count, 100),
    ),
    practised(
        name="saving_for_a_goal",
        parameters={"goal": MONEY, "has": Int((20, 60), (100, 900)), "week": PRICE},
        wordings=(
            "Tom wants a bicycle for ${goal}. He has ${has} and saves ${week} every week. "
            "After how many weeks does he have exactly enough?",
            "A class needs ${goal} for a trip. There are ${has} in the box, and each week ${week} come in. "
            "How many weeks does it take until they have the money?",
        ),
        reference_action="python[({goal} - {has}) // {week}]",
        answer_of=lambda goal, has, week: str(next(n for n in range(goal) if has + n * week >= goal)),
        constraint=lambda goal, has, week: (
            _more("the goal", goal, has) or ("the weeks must come out" if (goal - has) % week else None)
        ),
    ),
    practised(
        name="price_each_after_coupon",
        parameters={"count": FEW, "price": PRICE, "coupon": Int((5, 12), (20, 90)), "people": Int((3, 5), (6, 12))},
        wordings=(
            "{people} friends order {count} pizzas at ${price} each. They have a coupon for ${coupon} and share the "
            "rest equally. How many dollars does each of them pay?",
            "A box of {count} books at ${price} each is ordered with a voucher of ${coupon}. {people} readers share "
            "what remains to be paid. What does one of them pay in dollars?",
        ),
        reference_action="python[({count} * {price} - {coupon}) / {people}]",
        answer_of=lambda count, price, coupon, people: quotient(sum([price] * count) - coupon, people),
        constraint=lambda count, price, coupon, people: _more("the order", count * price, coupon),
    ),
    practised(
        name="sold_in_parts",
        parameters={"stock": Int((60, 120), (300, 900)), "left": Int((5, 20), (40, 200)), "a": PRICE, "b": PRICE},
        wordings=(
            "A baker has {stock} rolls. He sells all but {left} of them for ${a} each, and the last {left} for "
            "${b} each. How many dollars does he take?",
            "Of {stock} tickets, {left} are sold at the reduced price of ${b} and all others at ${a}. "
            "What do the tickets bring in, in dollars?",
        ),
        reference_action="python[({stock} - {left}) * {a} + {left} * {b}]",
        answer_of=lambda stock, left, a, b: str(stock * a - left * a + sum([b] * left)),
        constraint=lambda stock, left, a, b: _more("the stock", stock, left),
    ),
    practised(
        name="twice_the_price",
        parameters={"price": PRICE, "times": Int((3, 4), (5, 9)), "a": FEW, "b": FEW},
        wordings=(
            "A tulip costs ${price}. A rose costs {times} times as much. "
            "Ben buys {a} tulips and {b} roses. How many dollars does he spend?",
            "A child's ticket is ${price} and a grown-up's is {times} times that. "
            "What do {a} children and {b} grown-ups pay together, in dollars?",
        ),
        reference_action="python[{a} * {price} + {b} * {times} * {price}]",
        answer_of=lambda price, times, a, b: str(sum([price] * (a + b * times))),
    ),
    practised(
        name="cheaper_by_so_much",
        parameters={"price": Int((20, 40), (70, 300)), "less": Int((3, 9), (11, 60)), "a": FEW, "b": FEW},
        wordings=(
            "A chair costs ${price}, and a stool costs ${less} less. "
            "What do {a} chairs and {b} stools cost, in dollars?",
            "Entry is ${price} at the weekend and ${less} less on a weekday. Nina goes {a} times at the weekend and "
            "{b} times on weekdays. How many dollars does she pay in all?",
        ),
        reference_action="python[{a} * {price} + {b} * ({price} - {less})]",
        answer_of=lambda price, less, a, b: str(sum([price] * (a + b)) - less * b),
        constraint=lambda price, less, a, b: _more("the price", price, less),
    ),
    practised(
        name="overtime",
        parameters={"normal": Int((20, 30), (35, 45)), "extra": Int((3, 6), (8, 20)), "wage": PRICE, "more": PRICE},
        wordings=(
            "Rosa gets ${wage} an hour for the first {normal} hours of a week, and ${more} more than that for each "
            "hour after them. This week she worked {extra} hours after the first {normal}. "
            "What does she earn in dollars?",
            "A plumber takes ${wage} an hour for the first {normal} hours, and ${more} an hour more after them. "
            "A job takes {normal} hours and then {extra} hours more. What does it cost in dollars?",
        ),
        reference_action="python[{normal} * {wage} + {extra} * ({wage} + {more})]",
        answer_of=lambda normal, extra, wage, more: str(sum([wage] * (normal + extra)) + more * extra),
    ),
    practised(
        name="spent_a_fraction",
        parameters={"money": Int((60, 200), (600, 6000)), "part": Int((3, 4), (5, 9)), "spent": FEW},
        wordings=(
            "Ali gets ${money}. He puts 1/{part} of it in the bank and spends ${spent} of the rest. "
            "How many dollars are still in his pocket?",
            "From ${money} of takings, 1/{part} goes to the owner, and ${spent} of what is left are paid for "
            "cleaning. "
            "How many dollars remain?",
        ),
        reference_action="python[{money} - {money} // {part} - {spent}]",
        answer_of=lambda money, part, spent: str(money * (part - 1) // part - spent),
        constraint=lambda money, part, spent: (
            _more("the money", money * (part - 1) // part, spent)
            or ("the part must be a whole number" if money % part else None)
        ),
    ),
    practised(
        name="tax_on_top",
        parameters={"a": FEW, "p": PRICE, "b": FEW, "q": PRICE, "tax": Int((5, 9), (11, 25))},
        wordings=(
            "Kim buys {a} plates at ${p} and {b} cups at ${q}. A tax of {tax}% is added to the sum. "
            "What does she pay in dollars?",
            "Dinner is {a} meals at ${p} and {b} drinks at ${q}, with a tip of {tax}% on all of it. "
            "How many dollars is that?",
        ),
        reference_action="python[({a} * {p} + {b} * {q}) * (100 + {tax}) / 100]",
        answer_of=lambda a, p, b, q, tax: quotient((sum([p] * a) + sum([q] * b)) * (100 + tax), 100),
    ),
    practised(
        name="packs_needed",
        parameters={
            "guests": Int((12, 30), (60, 300)),
            "each": Int((3, 4), (5, 9)),
            "pack": Int((6, 9), (11, 24)),
            "price": PRICE,
        },
        wordings=(
            "Each of {guests} guests eats {each} buns. Buns come in packs of {pack}, and a pack costs ${price}. "
            "How many dollars do the buns cost?",
            "{guests} children need {each} sheets of card each. A pack has {pack} sheets and costs ${price}. "
            "How many dollars must the school spend?",
        ),
        reference_action="python[-(-{guests} * {each} // {pack}) * {price}]",
        answer_of=lambda guests, each, pack, price: str((guests * each + pack - 1) // pack * price),
    ),
    practised(
        name="two_subscriptions",
        parameters={"a": PRICE, "b": PRICE, "months": FEW, "fee": Int((11, 30), (50, 200))},
        wordings=(
            "A gym costs ${a} a month, and ${fee} once at the start. A second gym costs ${b} a month and has no fee. "
            "How many dollars more does the first one cost over {months} months?",
            "Plan A is ${a} a month with a fee of ${fee} to join; plan B is ${b} a month. "
            "By how many dollars is plan A dearer after {months} months?",
        ),
        reference_action="python[{fee} + {a} * {months} - {b} * {months}]",
        answer_of=lambda a, b, months, fee: str(fee + sum([a - b] * months)),
        constraint=lambda a, b, months, fee: _more("the first", fee + a * months, b * months),
    ),
    practised(
        name="bought_and_sold",
        parameters={"count": FEW, "cost": PRICE, "gain": SHARE},
        wordings=(
            "A shop buys {count} lamps for ${cost} each and sells them for {gain}% more. "
            "What is its profit on all of them, in dollars?",
            "A farmer buys {count} calves at ${cost} each. A year later he sells all of them at a gain of {gain}%. "
            "How many dollars does he gain?",
        ),
        reference_action="python[{count} * {cost} * {gain} / 100]",
        answer_of=lambda count, cost, gain: quotient(sum([cost * gain] * count), 100),
    ),
    practised(
        name="dozens_of_eggs",
        parameters={
            "hens": Int((21, 30), (41, 60)),
            "eggs": Int((3, 4), (5, 7)),
            "eaten": Int((8, 10), (11, 15)),
            "price": Int((12, 14), (16, 20)),
            "days": Int((31, 40), (61, 90)),
        },
        wordings=(
            "{hens} hens lay {eggs} eggs a day each. The family eats {eaten} eggs a day and sells the others for "
            "${price} "
            "each. How many dollars does it take in {days} days?",
            "Every day {hens} trees give {eggs} kg of fruit each; {eaten} kg are kept and the rest is sold for "
            "${price} "
            "a kg. What does that bring in {days} days, in dollars?",
        ),
        reference_action="python[({hens} * {eggs} - {eaten}) * {price} * {days}]",
        answer_of=lambda hens, eggs, eaten, price, days: str(sum([eggs] * hens * days) * price - eaten * price * days),
        constraint=lambda hens, eggs, eaten, price, days: _more("what is laid", hens * eggs, eaten),
    ),
    held_out(
        name="instalments",
        parameters={"price": MONEY, "down": Int((20, 60), (200, 900)), "months": FEW},
        wordings=(
            "A sofa costs ${price}. Ines pays ${down} at once and the rest in {months} equal parts. "
            "How many dollars is one part?",
            "Of a bill of ${price}, ${down} are paid now; what remains is split over {months} months. "
            "What is to be paid each month, in dollars?",
        ),
        reference_action="python[({price} - {down}) / {months}]",
        answer_of=lambda price, down, months: quotient(price - down, months),
        constraint=lambda price, down, months: _more("the price", price, down),
    ),
    held_out(
        name="two_discounts",
        parameters={"price": Int((40, 90), (200, 900)), "first": SHARE, "second": Int((4, 9), (11, 20))},
        wordings=(
            "A coat of ${price} is reduced by {first}%. At the till another {second}% is taken off the reduced "
            "price. "
            "What does it cost then, in dollars?",
            "A flight costs ${price}. There is {first}% off, and then a code takes {second}% off what is left. "
            "How many dollars is that?",
        ),
        reference_action="python[{price} * (100 - {first}) * (100 - {second}) / 10000]",
        answer_of=lambda price, first, second: str(
            float(price * (1 - Fraction(first, 100)) * (1 - Fraction(second, 100)))
        ),
    ),
    held_out(
        name="break_even",
        parameters={
            "cost": Int((200, 400), (1000, 9000)),
            "price": Int((20, 30), (50, 90)),
            "each": Int((3, 9), (11, 40)),
        },
        wordings=(
            "A band pays ${cost} for a hall. Tickets are ${price}, and each guest's meal costs the band ${each}. "
            "From how many guests on does it lose nothing?",
            "A mould costs ${cost}. Each toy is sold for ${price}, and its plastic costs ${each}. "
            "How many toys must be sold at least so that nothing is lost?",
        ),
        reference_action="python[-(-{cost} // ({price} - {each}))]",
        answer_of=lambda cost, price, each: str(next(n for n in range(cost + 1) if n * price >= cost + n * each)),
        constraint=lambda cost, price, each: _more("the price", price, each),
    ),
    held_out(
        name="exchange_there_and_back",
        parameters={"money": MONEY, "rate": Int((3, 6), (11, 20)), "spent": Int((40, 90), (500, 3000)), "fee": FEW},
        wordings=(
            "For a dollar one gets {rate} crowns. Jan changes {money} dollars, spends {spent} crowns and changes the "
            "rest back at the same rate, for a fee of {fee} dollars. How many dollars does he get?",
            "A game gives {rate} coins for a dollar. Eva buys coins for {money} dollars, uses {spent} of them, and is "
            "paid back the others, less {fee} dollars for the trouble. How many dollars is that?",
        ),
        reference_action="python[({money} * {rate} - {spent}) / {rate} - {fee}]",
        answer_of=lambda money, rate, spent, fee: str(float(money - fee - Fraction(spent, rate))),
        constraint=lambda money, rate, spent, fee: _more("what was changed", money * rate, spent + fee * rate),
    ),
)
