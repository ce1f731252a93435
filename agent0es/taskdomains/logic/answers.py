"""What a student's answer says: yes or no, a number, a list, an assignment. Read character by character, bounded."""

import re
from collections.abc import Sequence

from agent0es.taskdomains.wrapping import closed

Value = bool | int | str | tuple["Value", ...]
"""Lists and tuples are tuples; a set is a tuple that starts with SET, in sorted order; a pair `p: 1` is (p, 1)."""

SET = "\0set"
DEEPEST = 4
MOST_ITEMS = 1000

YES = frozenset({"true", "yes", "yes it is", "yes it does", "yes they are", "yes it follows", "yes there is", "t"})
NO = frozenset(
    {
        "false",
        "no",
        "no it is not",
        "no it isn't",
        "no it does not",
        "no it doesn't",
        "no they are not",
        "no they aren't",
        "f",
    }
    | {"no there is not", "no there is none", "not true", "no there isn't"}
)
FOLLOWS = frozenset(
    {"valid", "entailed", "follows", "follow", "hold", "it follows", "it is valid", "tautology", "a tautology", "holds"}
)
FOLLOWS_NOT = frozenset(
    {
        "invalid",
        "not valid",
        "not entailed",
        "does not follow",
        "it does not follow",
        "it is not valid",
        "it is invalid",
    }
    | {"not a tautology"}
)
SATISFIABLE = frozenset({"satisfiable", "sat", "consistent", "it is satisfiable"})
SATISFIABLE_NOT = frozenset(
    {"unsatisfiable", "unsat", "inconsistent", "contradiction", "a contradiction", "not satisfiable", "not consistent"}
)
NONE = frozenset({"none", "no model", "no models", "no assignment", "no solution", "impossible", *SATISFIABLE_NOT})
"""What says that there is no model."""
PLAIN_YES, PLAIN_NO = frozenset({"true", "yes", "correct"}), frozenset({"false", "no", "incorrect"})
UNSURE = re.compile(r"\b(?:maybe|perhaps|possibly|probably|unknown|unclear|unsure|either|depends)\b")
NO_ANSWER = re.compile(
    r"\b(?:no (?:answer|idea)|(?:don't|do not) know|not sure|(?:cannot|can't) (?:tell|say))\b", re.IGNORECASE
)
SUBJECT = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|indeed) )?"
    r"(?:(?:(?:the|this) (?:formula|argument|sentence|statement|conclusion|entailment|set)|it|this|that|they|there)"
    r"(?: (?:always|also|indeed|logically))? ?)?(?:'s |(?:is|are|does|do|has|have) )?(?:(?:an?|also|logically) )*"
)
NEGATION = re.compile(r"(?:not|isn't|aren't|doesn't|don't|cannot be|can't be|never) (?:an? )?")
BETWEEN = re.compile(r"[.;,:\n]|\b(?:and|but|or|because|since|as|so)\b")
INVISIBLE = re.compile("[\ufeff\u200b\u2060]")
SPACES = re.compile("[\u00a0\u2002-\u200a\u202f]")
PROOF_MARKS = re.compile(r"\*\*|\$|`|\\[()\[\]]")
TABLE_ROW = re.compile(r"^\|\s{0,8}([0-9]{1,3})\.?\s{0,8}\|(.{1,200})\|([^|\n]{1,80})\|$")
NO_STEP = re.compile(
    r"(?:(?:formal )?proof|derivation|answer|q\.?e\.?d)[.:]?|[∎□■]|\|[\s|:-]+\||\|(?:[ A-Za-z#.]{1,20}\|){2,4}",
    re.IGNORECASE,
)
"""A line of a proof that is no step."""
WRAPPERS = (
    *(("**", "**"), ("__", "__"), ("*", "*"), ("$", "$"), ("`", "`"), ("\\(", "\\)"), ("\\[", "\\]")),
    ("\u201c", "\u201d"),
    *((f"\\{name}{{", "}") for name in ("boxed", "fbox", "text", "textbf", "mathrm", "mathbf", "texttt")),
    ("<answer>", "</answer>"),
)
"""What is put around an answer and says nothing."""

OPENING = {"[": "]", "(": ")", "{": "}"}
PIECE = re.compile(
    r"\s*(?:([\[\](){},;])|(:|=(?!=))|'([^']*)'|\"([^\"]*)\"|([^\[\](){},;:='\"\s](?:[^\[\](){},;:=\n]*[^\[\](){},;:=\s])?))"
)
WHOLE = re.compile(r"[+-]?(?:[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5})(?:\.0{1,6})?")
LEAD = re.compile(r"\*{0,2}(?:the )?(?:final )?(?:answer|result)(?: is|:)\s*:?\*{0,2}\s*", re.IGNORECASE)
IS_KIND = re.compile(
    r"([A-Za-z_]\w{0,30}) ?(?: is |:=|==?|:|->|→|↦|≡|↔)? ?(?:an? )?(knight|knave|true|false|[tf01])", re.IGNORECASE
)
LITERAL = re.compile(r"(not |¬ ?|~ ?|! ?)?([A-Za-z_]\w{0,30})", re.IGNORECASE)
LATEX_TRUTHS = {"\\top": "true", "⊤": "true", "\\bot": "false", "⊥": "false"}
TRUTH_IN_LATEX = re.compile(
    r"\\(?:text|mathrm|textbf|mathbf)\{\s{0,3}(true|false|[tf])\s{0,3}\}|(\\(?:top|bot)(?![A-Za-z])|[⊤⊥])", re.I
)
BITS = {"knight": 1, "knave": 0, "true": 1, "false": 0, "t": 1, "f": 0, "1": 1, "0": 0}
ALL_ARE = re.compile(r"(?:they are )?(?:both|all)(?: of them)?(?: are)? (knight|knave|true|false)s?", re.IGNORECASE)


class NoValue(Exception):
    """The text is not a value that is known here."""


def clean(text: str) -> str:
    """The answer without what says nothing: spaces around, `Answer:`, quotes, bold, boxes, a full stop at the end."""
    text = SPACES.sub(" ", INVISIBLE.sub("", text))
    for _ in range(8):
        before, text = text, _unwrapped(text.strip())
        if text == before:
            break
    return text


def _unwrapped(text: str) -> str:
    lead = LEAD.match(text)
    text = text[lead.end() :] if lead else text
    text = text.removesuffix(".").strip().strip("`$").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        return text[1:-1]
    for opening, closing in WRAPPERS:
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing):
            if closing == "}" and not closed(inner):
                continue
            if closing == "}" or (opening not in inner and closing not in inner):
                return inner
    return text


def clean_proof(text: str) -> str:
    """A proof without fences, headings, `QED`, and the marks of bold, mathematics and tables in its lines."""
    lines = [line.strip() for line in SPACES.sub(" ", INVISIBLE.sub("", text)).split("\n")]
    lines = [PROOF_MARKS.sub("", line).strip() for line in lines if not line.startswith(("```", "~~~"))]
    rows = [TABLE_ROW.sub(r"\1. \2 \3", line) for line in lines]
    return "\n".join(row for row in rows if not NO_STEP.fullmatch(row))


def words(text: str) -> str:
    """A short text in lower case, without punctuation; empty for one that shows something else than it holds."""
    return "" if not text.isprintable() else " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())


def claims(text: str, positive: frozenset[str], negative: frozenset[str]) -> set[bool | None]:
    """What each of the statements in a text says, as a yes or a no; None among them for what is not understood.

    `positive` and `negative` are the words that answer this question beside a plain yes and no: `it is not valid`
    says nothing about whether a formula is satisfiable.
    """
    if len(text) > 200 or not text.isprintable():
        return {None}
    pieces = [said for piece in BETWEEN.split(text.lower().replace("’", "'")) if (said := words(piece))]
    return {_claim(piece, positive, negative) for piece in pieces} or {None}


def _claim(said: str, positive: frozenset[str], negative: frozenset[str]) -> bool | None:
    if said in positive | negative:
        return said in positive
    core = said[subject.end() :] if (subject := SUBJECT.match(said)) is not None else said
    negation = NEGATION.match(core)
    core = core[negation.end() :] if negation is not None else core
    if core not in positive | negative:
        return None
    return (core in positive) is (negation is None)


def truth(text: str) -> bool | None:
    """What a plain yes or no says, `1` and `0` among them; None for anything else."""
    text = LATEX_TRUTHS.get(text, text)
    said = words(text) if len(text) < 60 else ""
    return True if said in YES or text == "1" else False if said in NO or text == "0" else None


def read_value(text: str) -> Value:
    """The value of an answer. Raises NoValue."""
    whole = WHOLE.fullmatch(text)
    if whole:
        return int(text.replace(",", "").partition(".")[0])
    pieces = _pieces(text)
    if not pieces:
        raise NoValue("nothing")
    value, end = _items(pieces, 0, "", 0)
    if end != len(pieces):
        raise NoValue("brackets do not match")
    return value[0] if len(value) == 1 else value


def _pieces(text: str) -> list[tuple[str, str]]:
    """Kind (a bracket, `,`, `:`, `word`, `quoted`) and text of each part."""
    found: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = PIECE.match(text, position)
        if match is None or len(found) > 4 * MOST_ITEMS:
            raise NoValue("no list")
        sign, colon, single, double, word = match.groups()
        if sign:
            found.append(("," if sign == ";" else sign, sign))
        elif colon:
            found.append((":", colon))
        elif word:
            found.append(("word", " ".join(word.split())))
        else:
            found.append(("quoted", single if single is not None else double))
        position = match.end()
    return found


def _items(pieces: Sequence[tuple[str, str]], at: int, closing: str, depth: int) -> tuple[tuple[Value, ...], int]:
    """The items up to the closing bracket, and where it stands."""
    if depth > DEEPEST:
        raise NoValue("too deep")
    items: list[Value] = []
    while at < len(pieces) and pieces[at][0] != closing:
        value, at = _item(pieces, at, depth)
        if at < len(pieces) and pieces[at][0] == ":":
            other, at = _item(pieces, at + 1, depth)
            value = (value, other)
        items.append(value)
        if at < len(pieces) and pieces[at][0] == ",":
            at += 1
        elif at < len(pieces) and pieces[at][0] != closing:
            raise NoValue("a comma is missing")
    return tuple(items), at


def _item(pieces: Sequence[tuple[str, str]], at: int, depth: int) -> tuple[Value, int]:
    if at >= len(pieces):
        raise NoValue("it ends too early")
    kind, text = pieces[at]
    if kind in OPENING:
        items, at = _items(pieces, at + 1, OPENING[kind], depth + 1)
        if at >= len(pieces):
            raise NoValue("brackets do not match")
        if kind == "{":
            return (SET, *sorted(set(items), key=repr)), at + 1
        return items, at + 1
    if kind == "word":
        return _scalar(text), at + 1
    if kind == "quoted":
        return text, at + 1
    raise NoValue("no list")


def _scalar(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


def same(given: Value, true: Value) -> bool:
    """Whether two values say the same. Inside a list, 1 is True; on their own they are not."""
    if isinstance(given, tuple) and isinstance(true, tuple):
        if (given[:1] == (SET,)) != (true[:1] == (SET,)):
            return False
        return len(given) == len(true) and all(
            a == b if isinstance(a, bool | int) and isinstance(b, bool | int) else same(a, b)
            for a, b in zip(given, true, strict=True)
        )
    if isinstance(given, bool) or isinstance(true, bool):
        return given is true
    return given == true


def text_of(value: Value) -> str:
    """One text for values that say the same."""
    if isinstance(value, tuple):
        if value[:1] == (SET,):
            return "{" + ",".join(map(text_of, value[1:])) + "}"
        return "[" + ",".join(str(int(v)) if isinstance(v, bool) else text_of(v) for v in value) + "]"
    return str(value)


def read_assignment(text: str, names: Sequence[str]) -> dict[str, int]:
    """Names to 0 and 1, from `(1, 0)`, `{'p': 1, 'q': 0}`, `p = 1, q = 0`, `p, not q` or `A is a knight, B a knave`.

    Raises NoValue for anything else, for a name that is not among `names` and for one that gets two values.
    """
    text = TRUTH_IN_LATEX.sub(lambda found: f" {found[1] or LATEX_TRUTHS[found[2]]} ", text).replace("\\ ", " ")
    text = re.sub(" {2,}", " ", text).strip()
    inner = text[1:-1] if len(text) > 1 and OPENING.get(text[0]) == text[-1] else text
    items = [item.strip().strip("'\"`") for item in re.split(r"[,;\n]|\band\b|∧|&", inner) if item.strip()]
    items = [re.sub(r"['\"`]\s*:", ":", item) for item in items]
    if (alike := ALL_ARE.fullmatch(text)) is not None:
        return {name: BITS[alike[1].lower()] for name in names}
    if len(items) == 1 and len(names) > 1 and re.fullmatch(rf"[01]{{{len(names)}}}", items[0]):
        items = list(items[0])
    if len(items) == len(names) and all(item.lower() in ("0", "1", "true", "false", "t", "f") for item in items):
        return {name: BITS[item.lower()] for name, item in zip(names, items, strict=True)}
    found: dict[str, int] = {}
    known = {name.lower(): name for name in names}
    for item in items[: MOST_ITEMS + 1]:
        name, bit = _named_bit(item)
        if name not in names:
            name = known.get(name.lower(), name)
        if name not in names:
            raise NoValue(f"there is no {name[:30]}")
        if found.setdefault(name, bit) != bit:
            raise NoValue(f"{name} has two values")
    if not found:
        raise NoValue("it gives no values")
    return found


def _named_bit(item: str) -> tuple[str, int]:
    if len(item) > 80:
        raise NoValue("it is no list of values")
    kind = IS_KIND.fullmatch(item)
    if kind and kind[1].lower() not in ("not", "is"):
        return kind[1], BITS[kind[2].lower()]
    literal = LITERAL.fullmatch(item)
    if literal is None:
        raise NoValue("it is no list of values")
    return literal[2], 0 if literal[1] else 1
