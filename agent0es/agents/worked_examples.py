"""Worked examples for those who answer in one turn: ours, about things that no benchmark asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worked:
    """A problem, how one thinks about it, what computes it, and the answer."""

    question: str
    thinking: str
    program: str
    """Of a problem that asks for a function, that function."""
    answer: str
    """Empty where the function is the answer."""


STORIES = (
    Worked(
        (
            "A beekeeper fills 14 crates with 18 jars each and 3 crates with 25 jars each. She gives 27 jars "
            "away. How many jars are left?"
        ),
        (
            "14 crates of 18 jars are 14 * 18 = 252 jars, and 3 crates of 25 are 3 * 25 = 75. Together they "
            "are 252 + 75 = 327 jars. Without the 27 that she gives away 327 - 27 = 300 are left."
        ),
        "filled = 14 * 18 + 3 * 25\nprint(filled - 27)",
        "300",
    ),
    Worked(
        (
            "A ferry ticket costs 12 euros for adults and half of that for children. A group of 5 adults and "
            "8 children has a voucher of 20 euros. What does the group still have to pay, in euros?"
        ),
        (
            "A child pays 12 / 2 = 6 euros. The adults pay 5 * 12 = 60 and the children 8 * 6 = 48, together "
            "60 + 48 = 108. With the voucher 108 - 20 = 88 are left to pay."
        ),
        "adult = 12\nchild = adult / 2\ntotal = 5 * adult + 8 * child\nprint(round(total - 20))",
        "88",
    ),
    Worked(
        (
            "A tank of 900 litres is one third full. A pump brings 40 litres a minute, and 10 litres a "
            "minute leak out. After how many minutes is the tank full?"
        ),
        (
            "The tank holds 900 / 3 = 300 litres, so 900 - 300 = 600 are missing. Each minute it gains 40 - "
            "10 = 30 litres. That takes 600 / 30 = 20 minutes."
        ),
        "missing = 900 - 900 / 3\nprint(round(missing / (40 - 10)))",
        "20",
    ),
    Worked(
        (
            "Mira reads 15% of a book of 240 pages on Monday and twice as many pages on Tuesday. How many "
            "pages has she still to read?"
        ),
        (
            "15% of 240 are 0.15 * 240 = 36 pages. On Tuesday she reads 2 * 36 = 72. Together that is 36 + "
            "72 = 108, so 240 - 108 = 132 pages are left."
        ),
        "monday = 240 * 15 / 100\ntuesday = 2 * monday\nprint(round(240 - monday - tuesday))",
        "132",
    ),
    Worked(
        (
            "In an orchard there are 3 times as many pear trees as plum trees, and 14 more apple trees than "
            "plum trees. There are 89 trees in all. How many apple trees are there?"
        ),
        (
            "With p plum trees there are 3 * p pear trees and p + 14 apple trees: p + 3 * p + p + 14 = 89, "
            "so 5 * p = 75 and p = 15. So there are 15 + 14 = 29 apple trees."
        ),
        "plum = (89 - 14) / (1 + 3 + 1)\nprint(round(plum + 14))",
        "29",
    ),
    Worked(
        (
            "A courier earns 9 dollars an hour on weekdays and half as much again on Sundays. Last week he "
            "worked 6 hours on each of 4 weekdays and 5 hours on Sunday. How much did he earn, in dollars?"
        ),
        (
            "On weekdays he earns 4 * 6 * 9 = 216 dollars. On Sunday an hour brings 9 * 1.5 = 13.5, so 5 "
            "hours bring 67.5. Together that is 216 + 67.5 = 283.5."
        ),
        "weekdays = 4 * 6 * 9\nsunday = 5 * 9 * 1.5\nprint(weekdays + sunday)",
        "283.5",
    ),
    Worked(
        (
            "Three cousins share 84 marbles. Ola gets twice as many as Per, and Siv gets 4 more than Per. "
            "How many does Ola get?"
        ),
        (
            "If Per gets x, Ola gets 2 * x and Siv x + 4: x + 2 * x + x + 4 = 84, so 4 * x = 80 and x = 20. "
            "Ola gets 2 * 20 = 40."
        ),
        "per = (84 - 4) / 4\nprint(round(2 * per))",
        "40",
    ),
    Worked(
        (
            "A train leaves at 8:50 and arrives at 11:20. On the way it stops 4 times for 5 minutes each. "
            "For how many minutes does it move?"
        ),
        (
            "From 8:50 to 11:20 it is 2 hours and 30 minutes, which are 150 minutes. The stops take 4 * 5 = "
            "20 minutes. So it moves for 150 - 20 = 130 minutes."
        ),
        "travel = (11 * 60 + 20) - (8 * 60 + 50)\nprint(travel - 4 * 5)",
        "130",
    ),
)
"""Word problems with several steps."""

FUNCTIONS = (
    Worked(
        (
            "Complete this Python function: write the whole of it.\n"
            "```python\n"
            "def longest_run(text):\n"
            '    """The length of the longest run of one and the same letter.\n'
            '    >>> longest_run(\'abbbc\')\n    3\n    """\n```'
        ),
        ("I count how long the run is that ends at each letter, and keep the longest one. An empty text has none."),
        (
            "def longest_run(text):\n"
            "    longest = run = 0\n"
            "    before = None\n"
            "    for letter in text:\n"
            "        run = run + 1 if letter == before else 1\n"
            "        longest = max(longest, run)\n        before = letter\n    return longest"
        ),
        "",
    ),
    Worked(
        (
            "Write a Python function overlap(a, b) that returns the numbers that are in both lists, in the "
            "order of the first, each once. For example, overlap([3, 1, 3, 2], [2, 3]) gives [3, 2]."
        ),
        ("I go through the first list and keep a number if it is in the second one and not kept yet."),
        (
            "def overlap(a, b):\n"
            "    kept = []\n"
            "    for number in a:\n"
            "        if number in b and number not in kept:\n            kept.append(number)\n    return kept"
        ),
        "",
    ),
    Worked(
        (
            "Write a Python function grade(points, bounds) that returns how many of the bounds are reached. "
            "For example, grade(55, [20, 50, 80]) gives 2."
        ),
        "A bound is reached if the points are at least as many; I count those.",
        "def grade(points, bounds):\n    return sum(points >= bound for bound in bounds)",
        "",
    ),
    Worked(
        (
            "Write a Python function initials(name) that returns the first letters of the words of a name, "
            "in capitals, with a dot after each. For example, initials('ada king') gives 'A.K.'."
        ),
        ("I split the name at its spaces, and join the first letter of each word in capitals with a dot behind it."),
        "def initials(name):\n    return ''.join(word[0].upper() + '.' for word in name.split())",
        "",
    ),
)
"""Functions to write."""
