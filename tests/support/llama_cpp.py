"""What llama.cpp, an engine of others, makes of a file: the judge of what is exported. Needs `xllamacpp`."""

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class LlamaServer:
    """A real llama-server in this process, which ends with the object."""

    def __init__(self, gguf: Path, lora: Path | None = None, context: int = 512, threads: int = 1) -> None:
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path = str(gguf)
        settings.n_ctx, settings.n_parallel = context, 1
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.warmup = False
        settings.verbosity = -1
        if lora is not None:
            settings.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
        self._server = xllamacpp.Server(settings)

    def ask(self, path: str, **content: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._server.listening_address}{path}",
            json.dumps(content).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            answered: dict[str, Any] = json.load(answer)
            return answered

    def tokens(self, text: str) -> list[int]:
        """With control tokens where the text has them."""
        found: list[int] = self.ask("/tokenize", content=text, add_special=False, parse_special=True)["tokens"]
        return found

    def distribution(self, ids: Sequence[int], vocabulary: int, printable: int) -> Tensor:
        """Log-probabilities of all tokens after these, shape (vocabulary,).

        They are given with a token that is written: `printable` is the one, for of half a character it has none.
        """
        answer = self.ask(
            "/completion", prompt=list(ids), n_predict=1, temperature=0, n_probs=vocabulary, cache_prompt=False,
            logit_bias=[[printable, 1000.0]],
        )  # fmt: skip
        found = torch.full((vocabulary,), torch.nan)
        for one in answer["completion_probabilities"][0]["top_logprobs"]:
            found[one["id"]] = one["logprob"]
        return found
