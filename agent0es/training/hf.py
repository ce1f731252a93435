"""The engine `hf`: what transformers loads is trained by PEFT, on a GPU where there is one (`peft_policy.py`)."""

from pathlib import Path
from typing import ClassVar

from agent0es.configuration import TrainingSettings
from agent0es.models.artifacts import FORMS, Artifacts, Form
from agent0es.models.base import Weights
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.training.engine import Opened
from agent0es.training.trainable import why_not_folder, why_not_gguf, why_not_installed


class HuggingFace:
    """`training.engine: hf`."""

    name: ClassVar[str] = "hf"

    def forms(self, base: Weights | None) -> frozenset[Form]:
        """As the port says: of a Hugging Face folder PEFT's alone, since nobody serves a GGUF beside it."""
        return frozenset({"peft"}) if base is not None and base.path.is_dir() else FORMS

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        """As the port says."""
        if why := why_not_installed(settings):
            return why
        return (why_not_folder if base.path.is_dir() else why_not_gguf)(base, settings)

    def open(self, base: Path, cache: Path, settings: TrainingSettings) -> Opened:
        """As the port says. `cache` keeps a GGUF as a Hugging Face folder, made once. Raises ModelNotFound."""
        from transformers import AutoTokenizer

        from agent0es.models.weights import base_model_dir
        from agent0es.training.peft_policy import PeftPolicy

        folder = base if base.is_dir() else base_model_dir(cache, base)
        template = ChatTemplate.of_folder(base) if base.is_dir() else ChatTemplate.of(GgufFile.open(base))
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        whole = tokenizer.backend_tokenizer
        whole.no_truncation()  # which some folders ask for
        whole.no_padding()
        return Opened(PeftPolicy(folder, settings), whole, template)

    def derive(self, base: Path, artifacts: Artifacts) -> None:
        """As the port says: of a folder nothing follows."""
        from agent0es.training.export.gguf import derive

        if not base.is_dir():
            derive(GgufFile.open(base), artifacts)
