"""What a task of several stages is judged by: milestones, as JSON in `Task.reference`."""

from typing import Literal

from pydantic import Field, ValidationError

from agent0es.domain.values import Value

Format = Literal["text", "number", "numbers", "lines", "csv", "json"]


class Milestone(Value):
    """One thing that is checked."""

    name: str
    """Short, for the breakdown: `sum.txt`."""
    kind: Literal["file", "answer", "follows", "unchanged"]
    """file: a file says what is expected. answer: the answer does. follows: the answer, or the file `into`, is what
    `derivation` makes of the file as the student left it, right or wrong. unchanged: a file that was there at the start
    is as it was."""
    path: str = ""
    """The file, of all kinds but `answer`."""
    format: Format = "text"
    """How what is compared is read: numbers and lines one a line, csv as rows of cells."""
    expect: str = ""
    """What is expected, in that format."""
    derivation: tuple[str, ...] = ()
    """See `derivation.derive`."""
    into: str = ""
    """The file that follows; empty for the answer."""


class Reference(Value):
    """The milestones, in the order of the stages."""

    milestones: tuple[Milestone, ...] = Field(min_length=1)


def read_reference(text: str) -> Reference:
    """The milestones of a reference. Raises ValueError where the text is not one."""
    try:
        return Reference.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"reference: {where + ': ' if where else ''}{first['msg']}") from error
