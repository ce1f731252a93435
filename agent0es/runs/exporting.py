"""A trained adapter of a run in a file of its own, for programs that are not of this project."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from agent0es.errors import StoreError, UnknownName, UserError, nearest
from agent0es.files import replacing

if TYPE_CHECKING:  # the command line reads the forms, and starts faster without the rest
    from agent0es.domain.adapter import Adapter
    from agent0es.domain.values import Role
    from agent0es.log import EventLog
    from agent0es.models.artifacts import Artifacts
    from agent0es.models.gguf_file import GgufFile

Form = Literal["merged-q8_0", "merged-f16", "lora-gguf", "peft", "ollama"]
"""What an adapter can be exported to: one GGUF with its base, in Q8_0 or F16; GGUF beside its base; PEFT's folder; a
folder with a GGUF and the Modelfile of which Ollama makes a model."""
FORMS: tuple[Form, ...] = get_args(Form)
GGUF, MODELFILE, CARD = "model.gguf", "Modelfile", "README.md"
"""Names in a folder."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    size: int
    """Bytes."""
    model: str | None = None
    """A name for it on an Ollama server, where it is for one."""


def export_adapter(log: "EventLog", store: Path, run: str, name: str, form: Form, output: Path) -> Exported:
    """Write an adapter to `output`: a folder for `peft` and `ollama`, else a file; and its card, README.md in the
    folder, or beside the file under its name and `.md`.

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
        if form in ("peft", "ollama"):
            with _new_folder(output) as folder:
                (folder / CARD).write_text(card, encoding="utf-8")
                if form == "peft":
                    shutil.copytree(artifacts.peft, folder, dirs_exist_ok=True)
                    return Exported(_size(folder))
                return _for_ollama(log, _base(log, store, run, adapter), artifacts, run, name, adapter.role, folder)
        _must_be_free(output)
        size = _write(_base(log, store, run, adapter), artifacts, form, output.resolve())
        with replacing(output.with_name(f"{output.name}.md")) as file:
            file.write(card.encode())
        return Exported(size)
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


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder that has its name only when all is in it. Raises UserError where something has the name."""
    if output.exists():
        raise UserError(f"{output}: is there already; name a folder that is not")
    beside = output.with_name(f".{output.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


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
    if weights.path.is_dir():
        raise UserError(
            f"{weights.path}: a folder of Hugging Face, and GGUFs are made from a GGUF; export to peft, which "
            "llama.cpp's convert_lora_to_gguf.py reads"
        )
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


def _for_ollama(
    log: "EventLog", base: "GgufFile", artifacts: "Artifacts", run: str, name: str, role: "Role", folder: Path
) -> Exported:
    """The merged GGUF, and a Modelfile by which it is asked as in its run."""
    from agent0es.models.made_once import sha256_of
    from agent0es.models.ollama.shown import exported_name
    from agent0es.runs.exporting_ollama import modelfile_of
    from agent0es.runs.settings import configuration_of

    _write(base, artifacts, "merged-q8_0", folder / GGUF)
    text = modelfile_of(configuration_of(log, run), role, base, GGUF)
    (folder / MODELFILE).write_text(text, encoding="utf-8")
    return Exported(_size(folder), exported_name(name, sha256_of(folder / GGUF)))
