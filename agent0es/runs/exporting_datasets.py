"""What can be learnt from a run, in files for other trainers: JSON lines, or Parquet."""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from agent0es.errors import StoreError, UnknownName, UserError, nearest

if TYPE_CHECKING:  # the command line reads the formats, and starts faster without the rest
    from agent0es.configuration import Configuration
    from agent0es.domain import events as ev
    from agent0es.log import EventLog, History
    from agent0es.projections.datasets import Selection
    from agent0es.projections.examples import Example, Rows
    from agent0es.projections.export_rows import Row

Format = Literal[
    "prompt-completion", "conversational", "preference", "unpaired-preference", "prompt-only", "trajectories"
]
"""What a row is: one of the shapes that TRL reads, or a trajectory as `export trajectories` has it."""
FORMATS: tuple[Format, ...] = get_args(Format)
LINES = (".jsonl", ".ndjson", ".json", "")
"""How the names of files of JSON lines end."""
PARQUET = ".parquet"
OF_TEACHER = ("prompt-completion", "conversational")
"""What a teacher's rows can be: it has one proposal for a task, and no attempts."""
OPEN = ("parameters", "breakdown")
"""Keys of a trajectory whose values have keys of their own in each, which a column can't: in Parquet they are JSON."""
NOTHING: dict[str, str] = {
    "preference": "no task that is learnt from has a right and a wrong attempt",
    "prompt-only": "no task was tried",
}


class _Source(NamedTuple):
    """What is exported from."""

    history: "History"
    configuration: "Configuration"
    """Of the run that chose the dataset, or would."""
    role: "ev.Role"
    iteration: int
    position: int | None
    """That of DatasetBuilt; None for what would be chosen now."""
    built: "ev.DatasetBuilt | None"
    rows: "Rows"


def export_dataset(
    log: "EventLog",
    run: str,
    form: Format,
    output: Path,
    *,
    adapter: str | None = None,
    role: "ev.Role" = "student",
    iteration: int | None = None,
) -> dict[str, Any]:
    """Write what an adapter learnt, or what a role would learn now of the practice up to an iteration (by default the
    last that ended), to `output`. Returns what was written, as values of JSON.

    Raises UnknownName, UserError where there is nothing, StoreError where the log doesn't give what the adapter learnt.
    """
    suffix = output.suffix.lower()
    if suffix != PARQUET and suffix not in LINES:
        raise UserError(f"{output}: is it JSON lines or Parquet? Name a file that ends in .jsonl or .parquet")
    source = _of_adapter(log, run, adapter) if adapter is not None else _now(log, run, role, iteration)
    _must_be_a_format_of(source, form)
    if source.role == "teacher" and form not in OF_TEACHER:
        raise UserError(f"{form} is made of attempts, and the teacher makes none; choose {' or '.join(OF_TEACHER)}")
    rows, selection = _rows(source, form)
    if not rows:
        from agent0es.domain.text import left_out

        why = NOTHING.get(form, "nothing in it can be learnt from")
        rest = f" (left out: {left_out(selection.left_out)})" if selection.left_out else ""
        raise UserError(f"run {run}, {source.role}, iteration {source.iteration}: no row for {form}: {why}{rest}")
    content = _parquet(rows) if suffix == PARQUET else _lines(rows)
    _write(output, content)
    return {
        "run": run,
        "adapter": adapter,
        "role": source.role,
        "iteration": source.iteration,
        "format": form,
        "rows": len(rows),
        "tasks": len({row["task"]["id"] if form == "trajectories" else row["task"] for row in rows}),
        "thought": selection.thought,
        "left_out": selection.left_out,
        "dataset_sha256": source.built.sha256 if source.built else None,
        "path": str(output),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def gives_other_rows_now(log: "EventLog", run: str, adapter: str) -> bool:
    """Whether the log gives other rows now than an adapter learnt from: what students are told, or the rules by which
    rows are chosen, have changed since. Raises UnknownName."""
    from agent0es import bootstrap
    from agent0es.decisions.train import dataset_of
    from agent0es.projections.datasets import events_of_dataset

    source = _of_adapter(log, run, adapter)
    assert source.built is not None, "it is an adapter's"
    domains = bootstrap.practised_domains(source.configuration)
    recorded = events_of_dataset(source.history, source.iteration, source.position)
    return dataset_of(source.role, recorded, domains, source.configuration, source.rows).sha256 != source.built.sha256


def _of_adapter(log: "EventLog", run: str, adapter: str) -> _Source:
    """What an adapter in a run's history learnt, in the run that trained it, by the settings of its training."""
    from agent0es.decisions.train import as_requested
    from agent0es.domain import events as ev
    from agent0es.log import History
    from agent0es.projections.state import state_at
    from agent0es.runs.settings import configuration_of

    found = {
        r.event.adapter: (r.run, r.position, r.event)
        for r in History.of(log, run).read(types=["DatasetBuilt"])
        if isinstance(r.event, ev.DatasetBuilt)
    }
    if adapter not in found:
        raise UnknownName(f"run {run} has no adapter {adapter!r}; {nearest(adapter, list(found))}")
    builder, position, built = found[adapter]
    requested = state_at(log, builder).adapters[adapter].requested
    configuration = as_requested(configuration_of(log, builder), requested)
    return _Source(History.of(log, builder), configuration, built.role, built.iteration, position, built, built.rows)


def _now(log: "EventLog", run: str, role: "ev.Role", iteration: int | None) -> _Source:
    """What a role would learn if its dataset was built now."""
    from agent0es.domain import events as ev
    from agent0es.log import History
    from agent0es.runs.settings import configuration_of

    history = History.of(log, run)
    ended = [
        r.event.iteration
        for r in history.read(types=["IterationCompleted"])
        if isinstance(r.event, ev.IterationCompleted)
    ]
    if not ended:
        raise UserError(f"run {run} has ended no iteration yet, so there is nothing to learn from; let it go on")
    if iteration is not None and iteration not in ended:
        raise UnknownName(f"run {run} has ended no iteration {iteration}; it has ended {max(ended)} of them")
    chosen = max(ended) if iteration is None else iteration
    return _Source(history, configuration_of(log, run), role, chosen, None, None, "filtered")


def _must_be_a_format_of(source: _Source, form: Format) -> None:
    """Raises UserError for what an adapter did not learn: rows of right attempts, where it learnt from others too."""
    built = source.built
    if built is None or (built.rows, form) == ("pairs", "preference"):
        return
    what = {"pairs": "pairs; choose preference, or", "groups": "groups of attempts, for which there is no format;"}
    if built.rows in what:
        raise UserError(
            f"{built.adapter} learnt by {built.method} from {what[built.rows]} leave --adapter out for what could be "
            "learnt now"
        )


def _rows(source: _Source, form: Format) -> "tuple[list[Row], Selection]":
    """The rows, and what they were chosen from."""
    from agent0es import bootstrap
    from agent0es.decisions import train
    from agent0es.projections import export_rows as shapes
    from agent0es.projections.datasets import Selection, build, events_of_dataset, select
    from agent0es.projections.examples import attempted, task_examples, wrong_examples
    from agent0es.projections.practice import practice

    role, configuration, rows = source.role, source.configuration, source.rows
    domains = bootstrap.practised_domains(configuration)
    recorded = list(events_of_dataset(source.history, source.iteration, source.position))
    practised = practice(recorded)
    prompt_of = train.prompts_of(role, domains, configuration, in_turns=True)

    def selected(examples: "Iterable[Example]", capped: bool = True) -> "Selection":
        return select(list(examples), practised.doubtful, role, configuration, rows, capped=capped)

    if source.built is not None and rows == "pairs":
        learnt = train.dataset_of(role, recorded, domains, configuration, rows)
        _must_be_what_was_learnt(source.built, learnt.sha256)
        attempts = {example.source: example for example in attempted(practised)}
        met = ((attempts[right], attempts[wrong]) for right, wrong in (pair.sources for pair in learnt.examples))
        return list(shapes.preference(met, prompt_of)), Selection((), learnt.thought, dict(learnt.left_out))
    right = train.examples_of(role, practised, configuration, rows)
    plain = shapes.right_as_a_whole(right)
    wrong = [example for example in wrong_examples(practised) if not example.thought and shapes.said(example)]
    if form == "preference":
        both = {example.task for example in wrong}
        selection = selected(example for example in plain if example.task in both)
        pairs = shapes.pairs(selection.chosen, wrong, configuration.seed)
        return list(shapes.preference(pairs, prompt_of)), selection
    if form == "unpaired-preference":
        selection = selected(plain)
        found = shapes.unpaired_preference(selection.chosen, selected(wrong).chosen, prompt_of)
        return list(found), selection
    if form == "prompt-only":
        selection = selected(task_examples(practised), capped=False)
        return list(shapes.prompt_only(selection.chosen, practised, prompt_of)), selection
    selection = selected(right)
    if source.built is not None:
        _must_be_what_was_learnt(
            source.built, build(selection, train.prompts_of(role, domains, configuration), rows).sha256
        )
    if form == "trajectories":
        return _trajectories(source.history, selection.chosen), selection
    shape = shapes.conversational if form == "conversational" else shapes.prompt_completion
    return list(shape(selection.chosen, prompt_of)), selection


def _must_be_what_was_learnt(built: "ev.DatasetBuilt", sha256: str) -> None:
    if sha256 != built.sha256:
        raise StoreError(
            f"the log gives other examples now ({sha256}) than {built.adapter} learnt from ({built.sha256}): this "
            "version of agent0es, or of a plug-in, chooses or asks otherwise. Leave --adapter out for what it chooses"
        )


def _trajectories(history: "History", chosen: "Iterable[Example]") -> "list[Row]":
    from agent0es.projections.trajectories import trajectories

    names = {example.source for example in chosen}
    return [one for one in trajectories(history, include_retracted=True) if one["attempt"] in names]


def _lines(rows: "Iterable[Row]") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(rows: "Iterable[Row]") -> bytes:
    import pyarrow
    import pyarrow.parquet

    content = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([_closed(row) for row in rows]), content)
    return content.getvalue()


def _closed(value: Any) -> Any:
    """The value with JSON in place of what has other keys in each row."""
    if isinstance(value, list):
        return [_closed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: json.dumps(inner, ensure_ascii=False) if key in OPEN else _closed(inner) for key, inner in value.items()
    }


def _write(output: Path, content: bytes) -> None:
    from agent0es.files import replacing

    with replacing(output) as file:
        file.write(content)
