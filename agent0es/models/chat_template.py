"""How a model's prompts are written: by the template that comes with its weights, never by the backend.

A template is code from a stranger. It is rendered as `transformers` does: by jinja2's sandbox, with the same filters,
functions and settings, so that a model reads what it was trained on.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from agent0es.domain.prompt import Message
from agent0es.errors import ModelNotFound
from agent0es.models.base import RequestRefused
from agent0es.models.folder_template import hugging_face_template
from agent0es.models.gguf_file import GgufFile

ZERO_WIDTH_SPACE = "\u200b"
CONTROL_TOKEN, USER_DEFINED_TOKEN = 3, 4
"""Types of a token in GGUF that the tokenizer makes of its text wherever that stands. Some files have the marks of
turns as the second kind; most of that kind are ordinary words."""
SPECIAL_TOKENS = ("bos", "eos", "unknown", "padding")
"""As GGUF calls those that a template may name."""
_NAMES = {"unknown": "unk_token", "padding": "pad_token"}
_PROBE = "wsdlkfj"
"""A word that no template has a use for."""
_MARK = re.compile(r"<{1,2}[^<>\s]+>{1,2}|\[/?[A-Z_]+\]|^[ \t]*((?:#+ ?)?\w[\w ]{0,30}:)", re.MULTILINE)
"""What looks like the mark of a turn in the words of a template: `<|user|>`, `[/INST]`, `### Response:`, `USER:`."""
MOST_TURNS = 100_000
"""Of a template's loops and macros in one rendering: a second or two, and more than the longest chat needs."""
LARGEST = 10_000_000
"""Characters or items that a product may have, or its value."""
MOST_BITS = 64
"""Largest base and exponent."""
_WIDTH = re.compile(r"%[^%a-zA-Z]*(?:\d{5}|\*)")
"""A width in a format that makes a text of megabytes."""
_SIZED = (int, str, list, tuple)
TODAY = datetime(2024, 7, 26)
"""The day that templates are told, the one that llama's have where they are told none: with the real one the same
request would be another prompt tomorrow, so that no run could be made again."""


@dataclass(frozen=True)
class ChatTemplate:
    """The chat format of one model. A value: pure, and known without loading the weights."""

    source: str
    """The template, in Jinja."""
    control_tokens: tuple[str, ...]
    """What the tokenizer turns into a control token wherever it stands in a text."""
    special_tokens: tuple[tuple[str, str], ...] = ()
    """Names that the template may use, such as `bos_token`, and the tokens."""

    @classmethod
    def of(cls, file: GgufFile) -> "ChatTemplate":
        """The template in a GGUF. Raises ModelNotFound when there is none, or none that can be used."""
        data = file.metadata
        source = data.get("tokenizer.chat_template")
        if not isinstance(source, str):
            raise ModelNotFound(
                f"{file.path}: it has no chat template (tokenizer.chat_template), so nobody knows how to talk to the "
                "model; take a file of an instruct model"
            )
        tokens: Sequence[str] = data.get("tokenizer.ggml.tokens", ())
        kinds: Sequence[int] = data.get("tokenizer.ggml.token_type", ())
        control = tuple(
            token
            for token, kind in zip(tokens, kinds, strict=False)
            if kind == CONTROL_TOKEN or (kind == USER_DEFINED_TOKEN and token.strip() == token and token in source)
        )
        places = {name: data.get(f"tokenizer.ggml.{name}_token_id") for name in SPECIAL_TOKENS}
        special = tuple(
            (_NAMES.get(name, f"{name}_token"), tokens[place])
            for name, place in places.items()
            if place is not None and 0 <= place < len(tokens)
        )
        return cls(source, control, special)._usable(file.path)

    @classmethod
    def of_folder(cls, folder: Path) -> "ChatTemplate":
        """The template in a Hugging Face folder. Raises ModelNotFound when there is none, or none that can be used."""
        return cls(*hugging_face_template(folder))._usable(folder)

    def _usable(self, path: Path) -> "ChatTemplate":
        """Itself. Raises ModelNotFound for a template that can't render two turns."""
        try:
            self.end_of_turn  # noqa: B018
        except RequestRefused as error:
            raise ModelNotFound(f"{path}: {error}") from None
        return self

    def render(self, messages: Sequence[Message], prefill: str = "") -> str:
        """The prompt, which ends where the assistant continues after `prefill`. No text in it can open or end a turn.

        Raises RequestRefused where the template refuses the messages.
        """
        return self._render(messages, begin_turn=True) + self.neutralise(prefill)

    def beginning(self, messages: Sequence[Message]) -> str:
        """What prompts have in common whose first messages are these; empty where nobody can tell.

        Some templates refuse messages among which there is no user's, or none at all.
        """
        if not messages:
            return ""
        try:
            alone = self._render(messages, begin_turn=False)
            longer = self._render([*messages, Message("user", _PROBE)], begin_turn=True)
        except RequestRefused:
            return ""
        return alone if longer.startswith(alone) else ""

    @cached_property
    def end_of_turn(self) -> str:
        """What the model writes when its turn is over: what follows it, up to the first control token."""
        rendered = self._render([Message("user", "?"), Message("assistant", _PROBE)], begin_turn=False)
        if _PROBE not in rendered:
            raise RequestRefused("its chat template leaves the assistant's words out")
        after = rendered.rpartition(_PROBE)[2]
        ends = [at + len(token) for token in self.control_tokens if (at := after.find(token)) >= 0]
        return after[: min(ends)] if ends else dict(self.special_tokens).get("eos_token", "")

    @property
    def thinks(self) -> bool:
        """Whether it knows what a model thinks before it answers, between `<think>` and `</think>`."""
        return "<think" in self.source

    @property
    def other_ends(self) -> tuple[str, ...]:
        """The end of a turn where it is another token than the one at which every engine stops."""
        eos = dict(self.special_tokens).get("eos_token", "")
        return () if not self.end_of_turn or (eos and self.end_of_turn.endswith(eos)) else (self.end_of_turn,)

    def neutralise(self, text: str) -> str:
        """The text with control tokens, and other marks of turns, broken by a zero-width space."""
        return self._control.sub(r"\1" + ZERO_WIDTH_SPACE, text) if self._control is not None else text

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """What opens or ends a turn, but is ordinary text to the tokenizer: `[/INST]` of llama 2, `<|user|>` of
        TinyLlama. They are found in what the template writes around the messages."""
        turns = [{"role": role, "content": _PROBE} for role in ("system", "user", "assistant", "user")]
        try:
            written = self._filled(turns if self._takes_system else turns[1:], begin_turn=True)
        except RequestRefused:
            return ()
        for token in (_PROBE, *sorted(self.control_tokens, key=len, reverse=True)):
            written = written.replace(token, "\n")
        return tuple(sorted({mark[1] or mark[0] for mark in _MARK.finditer(written)}))

    @cached_property
    def _control(self) -> re.Pattern[str] | None:
        """The first character of a control token or a mark, before the rest of it."""
        breakable = [token for token in (*self.control_tokens, *self.marks) if len(token) > 1]
        rests = "|".join(f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in breakable)
        return re.compile(f"({rests})") if rests else None

    @cached_property
    def _takes_system(self) -> bool:
        """Whether a system turn reaches the model. Some templates refuse it, others leave it out."""
        turns = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "?"}]
        try:
            return _PROBE in self._filled(turns, begin_turn=True)
        except RequestRefused:
            return False

    def _render(self, messages: Sequence[Message], *, begin_turn: bool) -> str:
        turns = [{"role": role, "content": self.neutralise(text)} for role, text in messages]
        if turns and turns[0]["role"] == "system" and not self._takes_system:
            system, *turns = turns
            if turns:  # the user says it then
                turns[0] = {**turns[0], "content": f"{system['content']}\n\n{turns[0]['content']}"}
        return self._filled(turns, begin_turn=begin_turn)

    def _filled(self, turns: Sequence[Mapping[str, str]], *, begin_turn: bool) -> str:
        values = {"tools": None, "documents": None, **dict(self.special_tokens)}
        try:
            environment, template = _compiled(self.source)
            environment.left = MOST_TURNS
            return template.render(messages=turns, add_generation_prompt=begin_turn, **values)
        except Exception as error:  # noqa: BLE001 - a template is a stranger's program
            words = " ".join(str(error).split())[:200]
            raise RequestRefused(f"its chat template can't be used: {type(error).__name__}: {words}") from None


@lru_cache(maxsize=8)
def _compiled(source: str) -> "tuple[_Environment, Template]":
    """The template as a program, and what counts its turns. Raises TemplateError."""
    environment = _Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": _raise,
        "strftime_now": TODAY.strftime,
        "dict": _Dict(),
        "namespace": _Namespace,
    }
    return environment, environment.from_string(source)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, in which nothing goes on for ever either: a template has so many turns of loops and calls of macros,
    and computes with small numbers."""

    intercepted_binops = frozenset({"*", "**", "%"})
    left = 0
    """Turns that the rendering may still take."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        sizes = [abs(one) if isinstance(one, int) else len(one) for one in (left, right) if isinstance(one, _SIZED)]
        widths = _WIDTH.findall(left) if isinstance(left, str) else ()
        if (
            (operator == "*" and math.prod(sizes) > LARGEST)
            or (operator == "**" and max(sizes, default=0) > MOST_BITS)
            or (operator == "%" and widths)
        ):
            raise SecurityError(f"a chat template may not compute so large a thing with {operator}")
        return super().call_binop(context, operator, left, right)

    def turn(self) -> str:
        """Count one turn."""
        self.left -= 1
        if self.left < 0:
            raise SecurityError(f"a chat template may take {MOST_TURNS} turns of its loops and macros")
        return ""

    def counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items of a loop, each of which is a turn, also one that the loop's condition leaves out."""
        for item in items:
            self.turn()
            yield item

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The program, with its turns counted. A name in it can't stand for what counts."""
        tree = super()._parse(source, name, filename)
        loops = list(tree.find_all(nodes.For))
        blocks: list[nodes.For | nodes.Macro | nodes.CallBlock] = [*loops, *tree.find_all(nodes.Macro)]
        blocks += tree.find_all(nodes.CallBlock)
        for loop in loops:
            loop.iter = nodes.Call(nodes.EnvironmentAttribute("counted"), [loop.iter], [], None, None)
        for block in blocks:
            count = nodes.Call(nodes.EnvironmentAttribute("turn"), [], [], None, None)
            block.body.insert(0, nodes.ExprStmt(count))
        tree.set_lineno(1)  # of the new nodes: the others have one
        tree.set_environment(self)
        return tree


class _Generation(Extension):
    """`{% generation %}`, with which a template marks what the assistant says. Nothing follows from it here."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Dict:
    """`dict` without its attributes."""

    def __call__(self, *arguments: Any, **values: Any) -> dict[Any, Any]:
        return dict(*arguments, **values)

    def fromkeys(self, *arguments: Any) -> dict[Any, Any]:
        return dict.fromkeys(*arguments)


class _Namespace(Namespace):
    """`namespace` that takes no name with an underscore in front. `namespace(self=…)` works, as in jinja2."""

    def __init__(*arguments: Any, **values: Any) -> None:
        self, *rest = arguments
        for name in (attributes := dict(*rest, **values)):
            _check_name(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a chat template may not set {name!r}")


def _raise(message: str) -> None:
    raise TemplateError(message)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Without jinja2's escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
