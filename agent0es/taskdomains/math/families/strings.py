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
    practised(
        name="capitalisation",
        parameters={"word": word()},
        wordings=("Capitalize the word '{word}'.", "Write '{word}' with a capital letter first."),
        reference_action='python["{word}".capitalize()]',
        answer_of=lambda word: _upper(word[0]) + word[1:],
    ),
    practised(
        name="word_list",
        parameters={"text": words()},
        wordings=("Split '{text}' into a list of words.", "List the words of '{text}'."),
        reference_action='python["{text}".split()]',
        answer_of=lambda text: "['" + text.replace(" ", "', '") + "']",
    ),
    practised(
        name="sorted_words",
        parameters={"text": words()},
        wordings=("List the words of '{text}' in alphabetical order.", "Sort the words of '{text}'."),
        reference_action='python[sorted("{text}".split())]',
        answer_of=lambda text: str(sorted(text.split(), reverse=True)[::-1]),
    ),
    practised(
        name="letter_list",
        parameters={"word": word()},
        wordings=("List the letters of '{word}'.", "Split '{word}' into a list of letters."),
        reference_action='python[list("{word}")]',
        answer_of=lambda word: "['" + "', '".join(word) + "']",
    ),
    practised(
        name="longest_word_length",
        parameters={"text": words()},
        wordings=("How long is the longest word in '{text}'?", "Find the length of the longest word of '{text}'."),
        reference_action='python[max(len(w) for w in "{text}".split())]',
        answer_of=lambda text: str(sorted(map(len, text.split()))[-1]),
    ),
    practised(
        name="letter_removal",
        parameters={"letter": Choice(tuple("aceilnorst")), "word": word((4, 6), (8, 10))},
        wordings=("Remove the letter '{letter}' from '{word}'.", "Write '{word}' without the letter '{letter}'."),
        reference_action='python["{word}".replace("{letter}", "")]',
        answer_of=lambda letter, word: "".join(other for other in word if other != letter),
        constraint=lambda letter, word: None if letter in word else "the letter does not occur",
    ),
    practised(
        name="joined_letters",
        parameters={"mark": Choice(("-", "_", "+", "/", ".", "*")), "word": word()},
        wordings=("Put '{mark}' between the letters of '{word}'.", "Join the letters of '{word}' with '{mark}'."),
        reference_action='python["{mark}".join("{word}")]',
        answer_of=lambda mark, word: word[0] + "".join(mark + letter for letter in word[1:]),
    ),
    practised(
        name="letter_position",
        parameters={"letter": Choice(tuple("aceilnorst")), "word": word((4, 6), (8, 10))},
        wordings=("At which index is '{letter}' in '{word}'?", "Find the index of the letter '{letter}' in '{word}'."),
        reference_action='python["{word}".index("{letter}")]',
        answer_of=lambda letter, word: str(len(word.partition(letter)[0])),
        constraint=lambda letter, word: None if letter in word else "the letter does not occur",
    ),
    practised(
        name="character_code",
        parameters={"letter": Choice(tuple(LETTERS))},
        wordings=("What is the character code of '{letter}'?", "Find the ASCII code (ord) of '{letter}'."),
        reference_action='python[ord("{letter}")]',
        answer_of=lambda letter: str(97 + LETTERS.index(letter)),
    ),
    practised(
        name="character_of_code",
        parameters={"code": Int((97, 110), (97, 122))},
        wordings=("Which character has the code {code}?", "Find the character (chr) of the ASCII code {code}."),
        reference_action="python[chr({code})]",
        answer_of=lambda code: LETTERS[code - 97],
    ),
    practised(
        name="different_letters",
        parameters={"word": word((4, 6), (8, 10))},
        wordings=("How many different letters are in '{word}'?", "Count the different letters of '{word}'."),
        reference_action='python[len(set("{word}"))]',
        answer_of=lambda word: str(sum(1 for letter in LETTERS if letter in word)),
    ),
    practised(
        name="letter_at_index",
        parameters={"index": Int((1, 2), (3, 5)), "word": word((4, 6), (8, 10))},
        wordings=("Which letter is at index {index} of '{word}'?", "Write the letter at index {index} of '{word}'."),
        reference_action='python["{word}"[{index}]]',
        answer_of=lambda index, word: dict(enumerate(word))[index],
    ),
    practised(
        name="zero_padding",
        parameters={"width": Int((4, 6), (8, 12)), "n": Int((3, 99), (100, 9999))},
        wordings=("Pad {n} with zeros to {width} digits.", "Write {n} with leading zeros, {width} digits in all."),
        reference_action="python[str({n}).zfill({width})]",
        answer_of=lambda width, n: "0" * (width - len(str(n))) + str(n),
    ),
    practised(
        name="word_order_reversal",
        parameters={"text": words()},
        wordings=("Write the words of '{text}' in reverse order.", "Reverse the order of the words of '{text}'."),
        reference_action='python[" ".join("{text}".split()[::-1])]',
        answer_of=lambda text: " ".join(reversed(text.split())),
    ),
    practised(
        name="initials",
        parameters={"text": words()},
        wordings=("Write the first letter of each word of '{text}'.", "What are the initials of '{text}'?"),
        reference_action='python["".join(w[0] for w in "{text}".split())]',
        answer_of=lambda text: "".join(b for a, b in zip(" " + text, text, strict=False) if a == " "),
    ),
    practised(
        name="letter_count",
        parameters={"text": words()},
        wordings=("How many letters are in '{text}', without spaces?", "Count the letters of '{text}' but no spaces."),
        reference_action='python[len("{text}".replace(" ", ""))]',
        answer_of=lambda text: str(sum(map(len, text.split()))),
    ),
    practised(
        name="long_word_count",
        parameters={"letters": Int((3, 3), (3, 4)), "text": words((3, 5), (6, 9))},
        wordings=(
            "How many words of '{text}' have more than {letters} letters?",
            "Count the words in '{text}' that are longer than {letters} letters.",
        ),
        reference_action='python[len([w for w in "{text}".split() if len(w) > {letters}])]',
        answer_of=lambda letters, text: str(sum(1 for item in text.split() if item[letters:])),
    ),
    practised(
        name="word_lengths",
        parameters={"text": words()},
        wordings=("List the lengths of the words of '{text}'.", "How long is each word of '{text}'? Write a list."),
        reference_action='python[[len(w) for w in "{text}".split()]]',
        answer_of=lambda text: str([sum(1 for _ in item) for item in text.split()]),
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
