"""Words and phrases, written in the description in single quotes."""

from functools import partial

from agent0es.taskdomains.base import Choice, Family, Int
from agent0es.taskdomains.math.families.common import word, words

practised = partial(Family, group="strings", split="practised")
held_out = partial(Family, group="strings", split="held_out")
validation = partial(Family, group="strings", split="validation")

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _upper(text: str) -> str:
    return "".join(chr(ord(letter) - 32) if letter in LETTERS else letter for letter in text)


def _one_of_length(text: str, pick: str) -> str | None:
    """A reason when several words are the longest or the shortest."""
    lengths = sorted(map(len, text.split()), reverse=pick == "longest")
    return f"two words are the {pick}" if lengths[0] == lengths[1] else None


FAMILIES = (
    practised(
        name="word_reversal",
        parameters={"word": word()},
        wordings=("Reverse the word '{word}'.", "Write '{word}' backwards."),
        reference_action='python["{word}"[::-1]]',
        answer_of=lambda word: "".join(reversed(word)),
    ),
    practised(
        name="upper_case",
        parameters={"text": words((1, 2), (3, 4))},
        wordings=("Write '{text}' in upper case.", "Convert '{text}' to upper case."),
        reference_action='python["{text}".upper()]',
        answer_of=_upper,
    ),
    practised(
        name="text_length",
        parameters={"text": words((1, 2), (3, 5))},
        wordings=("Find the length of '{text}'.", "How many characters are in '{text}'?"),
        reference_action='python[len("{text}")]',
        answer_of=lambda text: str(sum(1 for _ in text)),
    ),
    practised(
        name="vowel_count",
        parameters={"word": word((4, 6), (8, 10))},
        wordings=("Count the vowels (aeiou) in '{word}'.", "How many vowels (aeiou) are in the word '{word}'?"),
        reference_action='python[sum(c in "aeiou" for c in "{word}")]',
        answer_of=lambda word: str(sum(map(word.count, "aeiou"))),
    ),
    practised(
        name="first_letters",
        parameters={"count": Int((2, 3), (4, 6)), "word": word((4, 6), (8, 10))},
        wordings=("What are the first {count} letters of '{word}'?", "Write the first {count} letters of '{word}'."),
        reference_action='python["{word}"[:{count}]]',
        answer_of=lambda count, word: "".join(letter for i, letter in enumerate(word) if i < count),
    ),
    practised(
        name="replace_spaces",
        parameters={"text": words(), "mark": Choice(("-", "_", "+", "/", ".", "*"))},
        wordings=("Replace the spaces in '{text}' with '{mark}'.", "Write '{text}' with '{mark}' in place of spaces."),
        reference_action='python["{text}".replace(" ", "{mark}")]',
        answer_of=lambda text, mark: mark.join(text.split()),
    ),
    practised(
        name="word_repetition",
        parameters={"word": word((3, 4), (5, 7)), "count": Int((3, 4), (5, 9))},
        wordings=("Repeat the word '{word}' {count} times.", "Write '{word}' {count} times without spaces."),
        reference_action='python["{word}" * {count}]',
        answer_of=lambda word, count: "".join(word for _ in range(count)),
    ),
    practised(
        name="sort_letters",
        parameters={"word": word()},
        wordings=("Sort the letters of '{word}'.", "Write the letters of '{word}' in sorted order."),
        reference_action='python["".join(sorted("{word}"))]',
        answer_of=lambda word: "".join(letter * word.count(letter) for letter in LETTERS),
    ),
    practised(
        name="word_count",
        parameters={"text": words((2, 5), (5, 9))},
        wordings=("Count the words in '{text}'.", "How many words are in '{text}'?"),
        reference_action='python[len("{text}".split())]',
        answer_of=lambda text: str(text.count(" ") + 1),
    ),
    practised(
        name="longest_word",
        parameters={"text": words()},
        wordings=("Find the longest word in '{text}'.", "Which word of '{text}' is the longest?"),
        reference_action='python[max("{text}".split(), key=len)]',
        answer_of=lambda text: sorted(text.split(), key=len)[-1],
        constraint=lambda text: _one_of_length(text, "longest"),
    ),
    held_out(
        name="letter_occurrences",
        parameters={"letter": Choice(tuple("aceilnorst")), "text": words((2, 3), (4, 6))},
        wordings=("Count the letter '{letter}' in '{text}'.", "How many times does '{letter}' occur in '{text}'?"),
        reference_action='python["{text}".count("{letter}")]',
        answer_of=lambda letter, text: str(sum(letter == other for other in text)),
        constraint=lambda letter, text: None if letter in text else "the letter does not occur",
    ),
    held_out(
        name="last_letters",
        parameters={"count": Int((2, 3), (4, 6)), "word": word((4, 6), (8, 10))},
        wordings=("What are the last {count} letters of '{word}'?", "Write the last {count} letters of '{word}'."),
        reference_action='python["{word}"[-{count}:]]',
        answer_of=lambda count, word: "".join(reversed([*reversed(word)][:count])),
    ),
    held_out(
        name="first_and_last_letter",
        parameters={"word": word()},
        wordings=(
            "Join the first and the last letter of '{word}'.",
            "Write the first and the last letter of '{word}'.",
        ),
        reference_action='python["{word}"[0] + "{word}"[-1]]',
        answer_of=lambda word: "".join(word[i] for i in (0, len(word) - 1)),
    ),
    held_out(
        name="every_second_letter",
        parameters={"word": word((4, 6), (8, 10))},
        wordings=("Write every second letter of '{word}', from the first.", "Take every 2nd letter of '{word}'."),
        reference_action='python["{word}"[::2]]',
        answer_of=lambda word: "".join(letter for i, letter in enumerate(word) if i % 2 == 0),
    ),
    held_out(
        name="sort_letters_descending",
        parameters={"word": word()},
        wordings=(
            "Sort the letters of '{word}' in reverse order.",
            "Write the letters of '{word}' sorted from z to a.",
        ),
        reference_action='python["".join(sorted("{word}", reverse=True))]',
        answer_of=lambda word: "".join(letter * word.count(letter) for letter in LETTERS[::-1]),
    ),
    held_out(
        name="concatenation",
        parameters={"word": word(), "other": word()},
        wordings=(
            "Join the words '{word}' and '{other}' without a space.",
            "Write '{word}' and '{other}' as one word.",
        ),
        reference_action='python["{word}" + "{other}"]',
        answer_of=lambda word, other: "".join((word, other)),
    ),
    held_out(
        name="shortest_word",
        parameters={"text": words()},
        wordings=("Find the shortest word in '{text}'.", "Which word of '{text}' is the shortest?"),
        reference_action='python[min("{text}".split(), key=len)]',
        answer_of=lambda text: sorted(text.split(), key=len)[0],
        constraint=lambda text: _one_of_length(text, "shortest"),
    ),
    validation(
        name="title_case",
        parameters={"text": words()},
        wordings=("Write '{text}' in title case.", "Convert '{text}' to title case."),
        reference_action='python["{text}".title()]',
        answer_of=lambda text: " ".join(_upper(item[0]) + item[1:] for item in text.split()),
    ),
    validation(
        name="last_word",
        parameters={"text": words()},
        wordings=("What is the last word of '{text}'?", "Write the last word of '{text}'."),
        reference_action='python["{text}".split()[-1]]',
        answer_of=lambda text: text[text.rindex(" ") + 1 :],
    ),
)
