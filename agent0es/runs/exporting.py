"""A trained adapter of a run in a file of its own, for programs that are not of this project."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from agent0es.errors import StoreError, UnknownName, UserError, nearest
from agent0es.files import replacing

if TYPE_CHECKING:  # the command line reads the forms, and starts faster without the rest
    from agent0es.domain.adapter import Adapter
    from agent0es.log import EventLog
    from agent0es.models.artifacts import Artifacts
    from agent0es.models.gguf_file import GgufFile

Form = Literal["merged-q8_0", "merged-f16", "lora-gguf", "peft"]
"""What an adapter can be exported to: one GGUF with its base, in Q8_0 or F16; GGUF beside its base; PEFT's folder."""
FORMS: tuple[Form, ...] = get_args(Form)


def export_adapter(log: "EventLog", store: Path, run: str, name: str, form: Form, output: Path) -> int:
    """Write an adapter to `output`: a folder for `peft`, else a file; and its card, README.md in the folder, or beside
    the file under its name and `.md`. Returns its size in bytes.

    It appears whole or not at all. Only an adapter whose files are those of the log is exported. Raises UnknownName,
    StoreError, ModelNotFound, and UserError for what can't be exported.
    """
    from agent0es.log.sqlite import explain_os_error
    from agent0es.models.deployments import artifacts_of
    from agent0es.projections.state import state_at
    from agent0es.provenance.card import card_of

    adapters = state_at(log, run).adapters
    if (adapter := adapters.get(name)) is None:
        raise UnknownName(f"run {run} has no adapter {name!r}; {nearest(name, list(adapters))}")
    if adapter.trained is None:
        raise UserError(f"adapter {name} was not trained ({adapter.outcome}), so there is nothing to export")
    artifacts, card = artifacts_of(store, adapter.trained), card_of(log, run, name)
    _check(artifacts)
    try:
        if form == "peft":
            return _copy(artifacts, card, output)
        _must_be_free(output)
        size = _write(_base(log, store, run, adapter), artifacts, form, output.resolve())
        with replacing(output.with_name(f"{output.name}.md")) as file:
            file.write(card.encode())
        return size
    except OSError as error:
        raise StoreError(explain_os_error(error, output)) from None
    except ValueError as error:
        raise UserError(str(error)) from None


def _check(artifacts: "Artifacts") -> None:
    """Raises StoreError unless PEFT's files are those that were trained."""
    from agent0es.models.artifacts import PEFT, compare

    for name, recorded in artifacts.files.items():
        if name.startswith(f"{PEFT}/"):
            verdict, _ = compare(artifacts.folder / name, recorded)
            if verdict != "same":
                raise StoreError(
                    f"{artifacts.folder / name} is {verdict}, not what was trained; restore it from a copy"
                )


def _copy(artifacts: "Artifacts", card: str, output: Path) -> int:
    if output.exists():
        raise UserError(f"{output}: is there already; name a folder that is not")
    beside = output.with_name(f".{output.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(artifacts.peft, beside)
    (beside / "README.md").write_text(card, encoding="utf-8")
    beside.rename(output)
    return sum(file.stat().st_size for file in output.iterdir())


def _must_be_free(output: Path) -> None:
    """Nothing but a GGUF is written over. Raises UserError."""
    from agent0es.models.gguf_file import MAGIC

    if output.is_dir():
        raise UserError(f"{output}: is a folder; name a file in it")
    if output.exists():
        if output.is_file():
            with output.open("rb") as file:
                if file.read(len(MAGIC)) == MAGIC:
                    return
        raise UserError(f"{output}: is there already, and is no GGUF; name another file")


def _base(log: "EventLog", store: Path, run: str, adapter: "Adapter") -> "GgufFile":
    """The weights that the adapter was trained on. Raises UserError where they are not at hand."""
    from agent0es import bootstrap
    from agent0es.models.gguf_file import GgufFile
    from agent0es.runs.settings import configuration_of

    settings = getattr(configuration_of(log, run).models, adapter.role)
    weights = bootstrap.model_of(adapter.role, settings, store).weights
    if weights is None:
        raise UserError(f"models.{adapter.role}: {settings.name} has no file of weights here; export to peft instead")
    wanted = adapter.training.base_sha256 if adapter.training else None
    if weights.sha256 != wanted:
        raise UserError(f"{weights.path}: its sha256 is {weights.sha256}, but the adapter was trained on {wanted}")
    return GgufFile.open(weights.path)


def _write(base: "GgufFile", artifacts: "Artifacts", form: Form, output: Path) -> int:
    from agent0es.training.export.adapter import read_adapter
    from agent0es.training.export.gguf import write_lora, write_merged

    additions = read_adapter(artifacts.peft)
    if form == "lora-gguf":
        write_lora(base, output, additions)
    else:
        write_merged(base, output, additions, "F16" if form == "merged-f16" else "Q8_0")
    return output.stat().st_size
