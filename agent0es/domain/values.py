"""The base of every value that the domain passes around: frozen, strict about unknown fields."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["teacher", "student"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Value(BaseModel):
    """An immutable value. Two values are equal when their fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
