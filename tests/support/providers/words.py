"""What the providers' models write: words, which differ from prompt to prompt; the same again at temperature 0.

A token is a word with the space before it. Who needs other words gives a `Speak`.
"""

import hashlib
import itertools
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

WORDS = "one two three four five six seven eight nine ten eleven twelve".split()
LONGEST = 60
"""Words of an answer that nothing else ends."""
_TOKEN = re.compile(r"\s*\S+|\s+")
Speak = Callable[[Sequence[str]], str]
"""The texts of the turns, the system's first, to what the model writes. Must be a pure function."""


@dataclass(frozen=True)
class Written:
    """An answer, before a provider puts it in its own words."""

    tokens: list[str]
    logprobs: list[float]
    read: int
    """Tokens of the prompt."""
    ended: str
    """`stop`, `length`, or the stop string."""
    thought: list[str]
    """Tokens before the answer."""

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def count(self) -> int:
        return len(self.tokens) + len(self.thought)


_calls = itertools.count()


def write(
    said: Sequence[str],
    *,
    most: int,
    stops: Sequence[str] = (),
    greedy: bool = True,
    schema: dict[str, Any] | None = None,
    think: bool = False,
    speak: Speak | None = None,
) -> Written:
    """The answer to these texts, within `most` tokens, what was thought included, and before a stop string."""
    seed = hashlib.sha256(json.dumps([*said, 0 if greedy or speak else next(_calls)]).encode()).hexdigest()
    rng = random.Random(seed)
    thought = [" Let", " me", " count."][:most] if think else []
    words = rng.choices(WORDS, k=LONGEST)
    text = json.dumps(instance(schema), indent=1) if schema is not None else ", ".join(words)
    if speak is not None:
        text = speak(said)
        if schema is not None and [*schema["properties"]] == ["answer"]:  # it can't but keep to it
            text = json.dumps({"answer": json.loads(text)})
    tokens: list[str] = []
    ended = "length"
    for token in _TOKEN.findall(text):
        if len(tokens) + len(thought) >= most:
            break
        tokens.append(token)
        whole = "".join(tokens)
        if found := [stop for stop in stops if stop in whole]:
            ended = min(found, key=whole.find)
            kept = whole[: whole.find(ended)]
            tokens = _TOKEN.findall(kept)
            break
    else:
        ended = "stop"
    logprobs = [-rng.random() for _ in tokens]
    return Written(tokens, logprobs, max(1, sum(len(_TOKEN.findall(text)) for text in said)), ended, thought)


def instance(schema: dict[str, Any]) -> Any:
    """A value that fits a schema, of the few kinds that the tests ask for."""
    if "anyOf" in schema:
        return instance(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            return {name: instance(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema.get("items", {}))]
        case "integer" | "number":
            return schema.get("minimum", 7)
        case "boolean":
            return True
        case _:
            return schema.get("enum", ["one"])[0]
