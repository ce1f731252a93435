"""JSON schemas for servers that take none but an object's, as OpenAI's own does: others stand within one. Pure."""

import json
from collections.abc import Mapping
from typing import Any

INNER = "answer"
"""The one property of an object that stands around a value."""


def is_object(schema: Mapping[str, Any] | None) -> bool:
    """Whether it can be sent as it is."""
    return schema is None or schema.get("type") == "object"


def as_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, or one of an object that holds its value alone."""
    if is_object(schema):
        return dict(schema)
    return {"type": "object", "properties": {INNER: schema}, "required": [INNER], "additionalProperties": False}


def out_of_object(text: str) -> str:
    """The value in such an object, as JSON; the text itself where it holds none, or was cut off."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(value, dict) or value.keys() != {INNER}:
        return text
    return json.dumps(value[INNER], ensure_ascii=False)
