"""How what is known of a model is told: as facts for programs, and in lines for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent0es.cli.output import json_line, printable
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.runs.libraries import ListedModel
    from agent0es.runs.models import Capabilities, Checked

MARGIN = 10
"""Columns before what is said of a model."""
ABILITIES = {
    "logprobs": "log-probabilities",
    "structured_output": "JSON schema",
    "prefill": "continues a turn",
    "sampling": "temperature",
    "seeds": "seeds",
    "embeddings": "embeddings",
}
"""Capabilities in words."""


def facts(model: "ListedModel") -> dict[str, Any]:
    """A listed model, for programs."""
    return asdict(model)


def sized(size: int | None) -> str | None:
    """Bytes as a person reads them: `98 MB`, `1.1 GB`."""
    if size is None:
        return None
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def named_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """A name and its value a line, without those that nobody knows."""
    known = {name: value for name, value in told.items() if value not in (None, "")}
    margin = max(map(len, known))
    for name, value in known.items():
        text = value if isinstance(value, str) else json_line(value)
        yield f"{printable(name):<{margin}}  {printable(text)}"


def report(checked: "Checked") -> dict[str, Any]:
    """What came of a check, for programs."""
    settings, able = checked.model.settings, checked.capabilities
    return {
        "roles": list(checked.model.roles),
        "backend": settings.backend,
        "name": settings.name,
        "base_url": settings.base_url,
        "answers": checked.answered is not None,
        "model": None if checked.answered is None else checked.answered.model,
        "first_seconds": None if checked.first_seconds is None else round(checked.first_seconds, 3),
        "tokens_per_second": None if checked.tokens_per_second is None else round(checked.tokens_per_second, 1),
        "prompt_tokens": checked.prompt_tokens,
        "context": None if able is None else able.context,
        "capabilities": None if able is None else {**asdict(able), "adapters": sorted(able.adapters)},
        "problems": list(checked.problems),
        "warnings": list(checked.warnings),
    }


def lines(checked: "Checked", width: int | None) -> Iterator[str]:
    """What came of a check, for a terminal of that width or for none."""
    yield f"{' and '.join(checked.model.roles)}: {checked.model.place}"
    if checked.answered is not None and checked.capabilities is not None:
        speed = f"{checked.first_seconds:.1f} s to the first answer, then {checked.tokens_per_second:.3g} tokens/s"
        yield from _told("answers", f"{checked.answered.model}: {speed}", width)
        context = checked.capabilities.context
        known = "not known" if context is None else counted(context, "token")
        yield from _told("context", f"{known}; the longest prompt has {checked.prompt_tokens}", width)
        can, lacks = _abilities(checked.capabilities)
        yield from _told("can", ", ".join(can), width) if can else ()
        yield from _told("lacks", ", ".join(lacks), width) if lacks else ()
    for what, said in (("warning", checked.warnings), ("problem", checked.problems)):
        for one in said:
            yield from _told(what, one, width)


def _abilities(able: "Capabilities") -> tuple[Sequence[str], Sequence[str]]:
    """What a model can do, and what it can't, in words."""
    can = [words for name, words in ABILITIES.items() if getattr(able, name)]
    lacks = [words for name, words in ABILITIES.items() if not getattr(able, name)]
    served = f"adapters ({', '.join(sorted(able.adapters))})"
    return ([*can, served], lacks) if able.adapters else (can, [*lacks, "adapters"])


def _told(what: str, text: str, width: int | None) -> Iterator[str]:
    from agent0es.cli.layout import fold

    folded = [printable(text)] if width is None else fold(printable(text), width - MARGIN)
    for place, line in enumerate(folded):
        yield f"  {'' if place else what:<{MARGIN - 2}}{line}"
