"""How far an exported adapter is from the adapter under PEFT: differences of the log-probabilities of given tokens.

Each form is read by llama.cpp (`pip install llama-cpp-python`): merged in F16, merged in Q8_0, and LoRA GGUF on its
base, in the file's own quantization and in F16. Beside them the base without an adapter in llama.cpp and in PEFT, which
is what the engine alone makes of the same weights, and how much the adapter changes. PEFT computes in fp32 on the
folder that training starts from. llama.cpp rounds what it multiplies with a matrix too, to 8 bits for Q8_0 and less, to
fp16 for F16: so the merged files are computed in fp32 as well, which shows what a file alone is off.

Usage: python benchmarks/export.py [MODEL] [--adapter FOLDER] [--cache FOLDER] [--tokens N] [--threads N]

MODEL is the name of a published model or the path of a GGUF. Without --adapter, a random one is taken: rank 16 on all
linear layers, each matrix moved by a tenth of its own spread. Memory: 8 GB for 1.5 billion parameters.
"""

import argparse
import multiprocessing
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent0es.models.gguf_file import GgufFile
from agent0es.models.hugging_face_folder import write_folder
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.training.export.adapter import read_adapter
from agent0es.training.export.gguf import write_lora, write_merged

LENGTH = 129
"""Tokens of a text, the first of which has no probability."""
MOVED = 0.1
"""Spread of what a random adapter adds, as a share of the matrix's own."""
Scores = npt.NDArray[np.float32]
"""Log-probability of each token but the first, (texts, LENGTH - 1)."""


def texts(folder: Path, count: int) -> list[list[int]]:
    """Prose, tables, commands and code: this project's own pages and benchmarks, from the beginning of a line."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    root = Path(__file__).parents[1]
    found: list[list[int]] = []
    for file in (*sorted((root / "docs").glob("*.md")), *sorted((root / "benchmarks").glob("*.py"))):
        content = file.read_text(encoding="utf-8")
        starts = [match.start() for match in re.finditer(r"^\S", content, re.MULTILINE)]
        ids = tokenizer.encode(content[starts[len(starts) // 3] :], add_special_tokens=False).ids[:LENGTH]
        if len(ids) == LENGTH:
            found.append(ids)
    return found[:count]


def under_peft(
    folder: Path, adapter: Path, rows: list[list[int]], threads: int | None, make: bool
) -> tuple[Scores, Scores]:
    """(with the adapter, without it). Makes a random adapter first where asked."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads or torch.get_num_threads())
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if make:
        model: Any = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
        for module in model.modules():
            if hasattr(module, "lora_B") and "default" in module.lora_B:
                a, b = module.lora_A["default"].weight.data, module.lora_B["default"].weight.data
                b.normal_()
                added = module.scaling["default"] * (b @ a).std()
                b.mul_(MOVED * module.base_layer.weight.std() / added)
        model.save_pretrained(adapter)
    else:
        model = PeftModel.from_pretrained(base, adapter)
    model.eval()

    with model.disable_adapter():
        without = scored(model, rows)
    return scored(model, rows), without


def scored(model: Any, rows: list[list[int]]) -> Scores:
    import torch

    with torch.inference_mode():
        logprobs = [model(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1) for ids in rows]
    return np.stack([
        one.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].numpy() for one, ids in zip(logprobs, rows, strict=True)
    ])  # fmt: skip


def in_fp32(gguf: Path, rows: list[list[int]], threads: int | None) -> Scores:
    """A merged file's own values, in transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads or torch.get_num_threads())
    folder = gguf.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    write_folder(GgufFile.open(gguf), folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return scored(model, rows)


def in_llama_cpp(gguf: Path, lora: Path | None, rows: list[list[int]], threads: int | None) -> Scores:
    from llama_cpp import Llama

    model = Llama(
        str(gguf), n_ctx=LENGTH, n_batch=LENGTH, logits_all=True, verbose=False, lora_path=lora and str(lora),
        n_threads=threads, n_threads_batch=threads,
    )  # fmt: skip
    found = []
    for ids in rows:
        model.reset()
        model.eval(ids)
        logits = np.asarray(model.scores[: LENGTH - 1], dtype=np.float64)
        logits -= logits.max(-1, keepdims=True)
        logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        found.append(logprobs[np.arange(LENGTH - 1), ids[1:]].astype(np.float32))
    return np.stack(found)


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own, which gives its memory back."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def forms(base: GgufFile, adapter: Path, folder: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """(what it is, model, adapter beside it); a file is written when it is due, and removed when it was read."""
    additions, merged, lora = read_adapter(adapter), folder / "merged.gguf", folder / "lora.gguf"
    write_merged(base, merged, additions, "F16")
    yield "merged F16", merged, None
    write_merged(base, merged, additions, "Q8_0")
    yield "merged Q8_0", merged, None
    write_lora(base, lora, additions)
    yield "LoRA GGUF, base as it is", base.path, lora
    yield "no adapter, base as it is", base.path, None
    write_merged(base, merged, {}, "F16")
    yield "LoRA GGUF, base in F16", merged, lora


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model", nargs="?", default="smollm2-135m-instruct")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("store/base"))
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument(
        "--threads", type=int, help="1 on a machine that has other work: more would wait for each other"
    )
    given = parser.parse_args()
    weights = find_weights(given.model, given.cache)
    folder, base = base_model_dir(given.cache, weights.path), GgufFile.open(weights.path)
    rows = texts(folder, -(-given.tokens // (LENGTH - 1)))
    with tempfile.TemporaryDirectory(dir=given.cache) as made:
        adapter = given.adapter or Path(made) / "adapter"
        expected, without = alone(under_peft, folder, adapter, rows, given.threads, given.adapter is None)
        print(f"{weights.name}, {adapter if given.adapter else 'a random adapter'}, {expected.size} tokens")
        print(f"{'':28} {'largest':>8} {'99%':>8} {'mean':>8}   difference of log-probabilities to PEFT in fp32")
        for name, gguf, lora in forms(base, adapter, Path(made)):
            found = alone(in_llama_cpp, gguf, lora, rows, given.threads)
            said(name, found - (without if name.startswith("no adapter") else expected))
            if name.startswith("merged"):
                said(f"{name}, in fp32", alone(in_fp32, gguf, rows, given.threads) - expected)
        said("what the adapter changes", expected - without)


def said(name: str, difference: Scores) -> None:
    off = np.abs(difference)
    print(f"{name:28} {off.max():8.4f} {np.quantile(off, 0.99):8.4f} {off.mean():8.4f}", flush=True)


if __name__ == "__main__":
    main()
