"""The engine `packed`: GGUFs of the llama and qwen2 architectures on a CPU, without padding (`network.py`)."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from agent0es.configuration import TrainingSettings
from agent0es.models.artifacts import FORMS, Artifacts, Form
from agent0es.models.base import Weights
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.training.engine import Opened
from agent0es.training.trainable import why_not_gguf, why_not_installed

if TYPE_CHECKING:
    from agent0es.training.network import Precision

OTHER = "training.engine: hf"
"""What to choose where this one can't train."""
WORTH_IT = 1.3
"""bf16 is taken where it is so many times as fast: it is 2 times with AVX512_BF16, and slower than fp32 without."""


class Packed:
    """`training.engine: packed`."""

    name: ClassVar[str] = "packed"

    def forms(self, base: Weights | None) -> frozenset[Form]:
        """As the port says."""
        return FORMS

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        """As the port says."""
        if base.path.is_dir():
            return f"{base.name}: {self.name} trains from a GGUF file, and this is a Hugging Face folder; set {OTHER}"
        if settings.peft_method != "lora":
            return f"training.peft_method: {self.name} trains lora alone; set {OTHER} for {settings.peft_method}"
        if settings.gradient_checkpointing:
            return f"training.gradient_checkpointing: {self.name} has none; leave it out, or set {OTHER}"
        return why_not_installed(settings) or why_not_gguf(base, settings)

    def open(self, base: Path, cache: Path, settings: TrainingSettings) -> Opened:
        """As the port says. `cache` keeps the base in the form that training needs, made once (540 MB for the embedded
        one)."""
        from tokenizers import Tokenizer

        from agent0es.models.weights import base_model_dir
        from agent0es.training.network import Network

        folder = base_model_dir(cache, base)
        network = Network(
            folder,
            settings.target_modules,
            rank=settings.rank,
            alpha=settings.alpha,
            dropout=settings.dropout,
            precision=faster_precision() if settings.precision == "auto" else settings.precision,
            frozen_share=settings.frozen_share,
        )
        template = ChatTemplate.of(GgufFile.open(base))
        return Opened(network, Tokenizer.from_file(str(folder / "tokenizer.json")), template)

    def derive(self, base: Path, artifacts: Artifacts) -> None:
        """As the port says."""
        from agent0es.training.export.gguf import derive

        derive(GgufFile.open(base), artifacts)


def faster_precision() -> "Precision":
    """Time a multiplication of the embedded model's size in both precisions, in CPU time of one thread: whatever else
    runs on the machine must not decide."""
    import torch

    from agent0es.training.network import PRECISIONS

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = {}
    for name, precision in PRECISIONS.items():
        x, weight = torch.ones(512, 576, dtype=precision), torch.ones(576, 1536, dtype=precision)
        rounds = []
        for _ in range(10):
            begin = time.thread_time()
            x @ weight
            rounds.append(time.thread_time() - begin)
        seconds[name] = min(rounds)
    torch.set_num_threads(threads)
    return "bf16" if seconds["fp32"] > WORTH_IT * seconds["bf16"] else "fp32"
