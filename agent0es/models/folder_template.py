"""What a Hugging Face folder says of a model's chat format, read without the library."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent0es.errors import ModelNotFound

_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")
"""Special tokens that a template may name."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no such file. Raises ModelNotFound for anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelNotFound(f"{path}: can't be read: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(value, dict):
        raise ModelNotFound(f"{path}: it must hold one JSON object")
    return value


def hugging_face_template(folder: Path) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The template, the control tokens, and the special tokens by name. Raises ModelNotFound."""
    settings = read_json(folder / "tokenizer_config.json")
    source = _template(folder, settings)
    added = dict(_added(settings, read_json(folder / "tokenizer.json")))
    control = tuple(
        token for token, special in added.items() if special or (token.strip() == token and token in source)
    )
    named = read_json(folder / "special_tokens_map.json") | settings
    special = tuple((name, token) for name in _NAMES if (token := _text(named.get(name))))
    return source, tuple(dict.fromkeys([*control, *(token for _, token in special)])), special


def _template(folder: Path, settings: dict[str, Any]) -> str:
    """`chat_template.jinja`, or what older folders have in their settings: one template, or several with names."""
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except FileNotFoundError:
        found = settings.get("chat_template") or read_json(folder / "chat_template.json").get("chat_template")
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{folder / 'chat_template.jinja'}: can't be read: {error}") from None
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    if not isinstance(found, str):
        raise ModelNotFound(
            f"{folder}: it has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json), so "
            "nobody knows how to talk to the model; take an instruct model"
        )
    return found


def _added(settings: dict[str, Any], tokenizer: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """What the tokenizer makes a token of wherever it stands in a text, and whether it is a special one."""
    known = settings.get("added_tokens_decoder")
    listed = tokenizer.get("added_tokens")
    for token in (*(known.values() if isinstance(known, dict) else ()), *(listed if isinstance(listed, list) else ())):
        if isinstance(token, dict) and (text := _text(token)):
            yield text, token.get("special") is True
    more = settings.get("extra_special_tokens") or settings.get("additional_special_tokens")
    for token in more.values() if isinstance(more, dict) else more if isinstance(more, list) else ():
        if text := _text(token):
            yield text, True


def _text(token: object) -> str:
    """A token, which is written as a text or as an object."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""
