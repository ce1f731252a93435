"""What all sections of the configuration have in common."""

from typing import Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from agent0es.configuration.sources import short

Names = TypeVar("Names", bound=tuple[str, ...] | None)


def _each_once(names: Names) -> Names:
    """Refuse a name that is given twice."""
    if names is not None:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{short(name)} is given twice")
    return names


EachOnce = AfterValidator(_each_once)


class Section(BaseModel):
    """Part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truths_are_no_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes` and `no` as truths, and Python takes these for 1 and 0."""
        numbers = (int, float, int | None, float | None)
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation in numbers:
            raise ValueError(f"must be a number, not {str(value).lower()}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _beside_the_defaults(cls, data: Any) -> Any:
        """Where only some keys of an inner section are given, the others keep the defaults of this place: the student's
        stop strings stay when its temperature is set. An empty section has all its defaults."""
        if not isinstance(data, dict):
            return data
        filled = {}
        for name, field in cls.model_fields.items():
            given = {} if name in data and data[name] is None else data.get(name)
            if isinstance(field.default, Section) and isinstance(given, dict):
                filled[name] = {**dict(field.default), **given}
        return data | filled
