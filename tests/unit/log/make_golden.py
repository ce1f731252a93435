"""Write the golden file of every event version that has none: `python -m tests.unit.log.make_golden`.

A golden file is kept for ever. When the shape of an event changes, raise its version, write an upcaster, and run
this for the new version.
"""

import json
import typing
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agent0es.domain.events import Event
from agent0es.log.mapper import encode_content

FOLDER = Path(__file__).with_name("golden")


def shape(model: type[BaseModel]) -> Any:
    """The JSON schema without what is there for readers only."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: strip(item)
                for key, item in value.items()
                if not (key in ("title", "description") and isinstance(item, str))
            }
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(model.model_json_schema())


def example(annotation: Any, name: str) -> Any:
    """Some value of a type: made up, but the same every time."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return example(arguments[0], name)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, UnionType):
        return example(next(kind for kind in arguments if kind is not NoneType), name)
    if origin is tuple:
        return [example(kind, name) for kind in arguments if kind is not Ellipsis]
    if origin is list:
        return [example(arguments[0], name)]
    if origin is dict:
        return {"a key": example(arguments[1], name)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {field: example(_annotation(info), field) for field, info in annotation.model_fields.items()}
    return {int: 3, float: 0.5, bool: True, str: f"some {name} – ü", Any: {"nested": [1, 2.5, None]}}[annotation]


def _annotation(info: FieldInfo) -> Any:
    return info.annotation


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for model in typing.get_args(Event):
        event = model.model_validate(example(model, ""))
        path = FOLDER / f"{event.type}@{event.version}.json"
        if path.exists():
            continue
        content = encode_content(event)
        golden = {"content": json.loads(content.data), "content_hash": content.sha256, "shape": shape(model)}
        path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
