"""How fast LoRA training is beside TRL's SFTTrainer, and beside what the processor can do, in one run on one machine.

The same weights, rows, batches, adapters at the start and settings; each trainer has processes of its own, they take
turns, and each counts with its best round. Prints tokens a second of the rows as they stand in the dataset, the ratio,
both losses step by step (they must agree: the same examples teach the same), the peak memory of each process, and what
share of the time `torch.mm` alone would need for the engine's products with frozen weights, on the shapes that occur.
On a machine that does other work, only the ratio of CPU times says something.

Two kinds of rows: `guide` as `configs/qwen.yaml` makes them (two domains, long prompts that the rows of a domain share,
short answers), and `short`, a word problem without a guide and a program.

Settings of both: LoRA on all linear layers of the last two thirds of the blocks, AdamW (0.9, 0.999, 1e-8, no weight
decay), a constant rate, gradients clipped to a norm of 1, batches in the order of the dataset, loss on the assistant's
tokens. TRL's defaults: bf16 autocast, gradient checkpointing, `optim=adamw_torch_fused`, no packing (it needs
FlashAttention), padding to the longest row. Not its defaults: `max_length` is 2,048 instead of 1,024, so that no
row is cut off, and its frozen weights are in bf16, which is faster than the fp32 or fp16 of the files. `--also`
measures it without gradient checkpointing as well.

    pip install '.[dev]'
    python benchmarks/training.py [--model small|qwen] [--weights FILE.gguf] [--cache DIR] [--kinds guide,short]
                                  [--batch N] [--steps N] [--rounds N] [--also] [--json]
"""

import argparse
import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agent0es.agents.student_prompt import as_turns, opening
from agent0es.bootstrap import practised_domains
from agent0es.configuration import Configuration, TrainingSettings
from agent0es.configuration.loading import load_configuration
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.training.examples import Example
from agent0es.training.methods.rft import Rft
from agent0es.training.packing import pack

MODELS = {"small": "smollm2-135m-instruct", "qwen": "qwen2.5-coder-1.5b-instruct"}
SIZES = {"small": (8, 4, 3), "qwen": (4, 2, 1)}
"""Rows a batch, batches, rounds: what takes less than a quarter of an hour on two cores."""
CONFIGURATION = Path(__file__).parent.parent / "configs" / "qwen.yaml"
SYSTEM = "Write one Python program in a fenced block that prints the answer to the question, and nothing else."
AGREE = 0.03
"""How far the losses of a step may be apart: bf16 is exact to 0.004, and TRL adds blocks up in it."""

Job = dict[str, Any]


def guide_rows(count: int) -> Iterator[Job]:
    """Worked examples of both domains, as attempts that were right."""
    domains = practised_domains(load_configuration(CONFIGURATION, environment={})).values()
    examples = [[(domain, shown) for shown in domain.mixed_demonstrations(count)] for domain in domains]
    for domain, shown in itertools.islice(itertools.cycle(itertools.chain(*zip(*examples, strict=False))), count):
        prompt = opening(domain.system, (), shown.description, guide=domain.shown, in_turns=True)
        turns = [{"role": m.role, "content": m.content} for m in prompt.messages]
        *said, answer = as_turns(shown)
        turns += [{"role": part.role, "content": part.text, "trainable": part.role == "assistant"} for part in said]
        yield {"messages": turns, "segments": [[answer.text, True]]}


def short_rows(count: int) -> Iterator[Job]:
    """Word problems of two to nine sentences, and a program each."""
    rng = random.Random(0)
    for _ in range(count):
        name, thing = rng.choice(("Ana", "Tom", "Mira", "Jon")), rng.choice(("stamps", "marbles", "apples", "cards"))
        start = rng.randrange(20, 90)
        told, lines = [f"{name} has {start} {thing}."], [f"{thing} = {start}"]
        for _ in range(rng.randrange(1, 9)):
            how, n = rng.choice(("buys", "finds", "loses", "gives away")), rng.randrange(2, 20)
            told.append(f"Then {name} {how} {n} {thing} at the market.")
            lines.append(f"{thing} {'+' if how in ('buys', 'finds') else '-'}= {n}  # {how}")
        question = " ".join([*told, f"How many {thing} does {name} have in the end?"])
        program = "\n".join(["```python", *lines, f"print({thing})", "```"])
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        yield {"messages": messages, "segments": [[program, True]]}


KINDS = {"guide": guide_rows, "short": short_rows}


def settings() -> TrainingSettings:
    """Of both trainers: those of the default, with the rate that a large model bears."""
    return Configuration().training.model_copy(update={"learning_rate": 2e-4})


def first_values(shapes: Mapping[str, int], rank: int) -> dict[str, Tensor]:
    """A of each adapted layer by its path, as PEFT would draw them, from its number of inputs. B is zero."""
    drawn = torch.Generator().manual_seed(0)
    return {
        path: (torch.rand(rank, shapes[path], generator=drawn) * 2 - 1) / math.sqrt(shapes[path])
        for path in sorted(shapes)
    }


def batches_of(job: Job) -> list[list[Example]]:
    rows = [Example(tuple(row["ids"]), tuple(row["trainable"])) for row in job["rows"]]
    return [rows[at : at + job["batch"]] for at in range(0, len(rows), job["batch"])]


def ours(job: Job) -> Job:
    from agent0es.training.packed import Packed

    used = settings()
    network: Any = Packed().open(Path(job["weights"]), Path(job["cache"]), used).policy
    begin = first_values({path: a.shape[1] for path, (a, _) in network.adapters.items()}, used.rank)
    for path, (a, _) in network.adapters.items():
        a.data.copy_(begin[path])
    optimizer = torch.optim.AdamW(network.parameters, lr=used.learning_rate, weight_decay=0.0)
    losses: list[float] = []
    taken: list[tuple[float, float]] = []
    for batch in batches_of(job):
        clock = Clock()
        loss = -network.log_probabilities(batch).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        taken.append(clock.read())
    peak = peak_memory()
    config = json.loads((Path(job["folder"]) / "config.json").read_text())
    least, operations = products(config, batches_of(job), network.first_adapted, network.precision)
    return {
        "losses": losses,
        **totals(taken),
        "peak": peak,
        "precision": network.precision,
        "share": least / sum(seconds for seconds, _ in taken),
        "gflops": operations / least / 1e9,
    }


def products(
    config: Mapping[str, Any], batches: Sequence[Sequence[Example]], first: int, precision: str
) -> tuple[float, float]:
    """Seconds that `torch.mm` takes for the products with frozen weights that these batches need, and how many
    floating-point operations those are (two a multiply-add). Adapters and attention are left out."""
    width, inner, head, layers = (
        config[name] for name in ("hidden_size", "intermediate_size", "head_dim", "num_hidden_layers")
    )
    heads, keys = config["num_attention_heads"], config["num_key_value_heads"]
    # (inputs, outputs) of q, k and v; o; gate and up; down
    shapes = [(width, (heads + 2 * keys) * head), (heads * head, width), (width, 2 * inner), (inner, width)]
    seconds = operations = 0.0
    for batch in batches:
        packed = pack(batch)
        tokens, labels = len(packed.ids), len(packed.labels)
        done = [(tokens, *shape, layers) for shape in shapes] + [(labels, width, config["vocab_size"], 1)]
        # Backwards to all inputs of adapted blocks but the first one's, which nothing before it needs.
        done += [(tokens, n, m, layers - first - (shape == 0)) for shape, (m, n) in enumerate(shapes)]
        done += [(labels, config["vocab_size"], width, 1)]
        for m, k, n, times in done:
            seconds += times * product_seconds(m, k, n, precision)
            operations += times * 2.0 * m * k * n
    return seconds, operations


def product_seconds(m: int, k: int, n: int, precision: str) -> float:
    """Of the best of three."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    x, weight = torch.rand(m, k).to(dtype), torch.rand(k, n).to(dtype)
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        torch.mm(x, weight)
        taken.append(time.perf_counter() - began)
    return min(taken)


def theirs(job: Job) -> Job:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    used, config = settings(), json.loads((Path(job["folder"]) / "config.json").read_text())
    layers = config["num_hidden_layers"]
    rows = [
        {
            "input_ids": row["ids"],
            "labels": [token if learn else -100 for token, learn in zip(row["ids"], row["trainable"], strict=True)],
        }
        for row in job["rows"]
    ]
    taken: list[tuple[float, float]] = []

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.clock = Clock()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            taken.append(self.clock.read())

    with tempfile.TemporaryDirectory() as output:
        trainer = SFTTrainer(
            job["folder"],
            SFTConfig(
                output_dir=output,
                model_init_kwargs={"dtype": "bfloat16"},
                gradient_checkpointing=job["checkpointing"],
                max_length=2048,
                per_device_train_batch_size=job["batch"],
                num_train_epochs=1,
                learning_rate=used.learning_rate,
                lr_scheduler_type="constant",
                train_sampling_strategy="sequential",
                dataset_kwargs={"skip_prepare_dataset": True},
                logging_steps=1,
                report_to="none",
                save_strategy="no",
                use_cpu=True,
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(job["folder"]),
            callbacks=[Watch()],
            peft_config=LoraConfig(
                r=used.rank,
                lora_alpha=used.alpha,
                target_modules=list(used.target_modules),
                layers_to_transform=list(range(int(used.frozen_share * layers), layers)),
            ),
        )
        found = {
            name.removeprefix("base_model.model."): module.lora_A["default"].weight
            for name, module in trainer.model.named_modules()
            if hasattr(module, "lora_A")
        }
        begin = first_values({path: a.shape[1] for path, a in found.items()}, used.rank)
        for path, a in found.items():
            a.data.copy_(begin[path])
        trainer.train()
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return {"losses": losses, **totals(taken), "peak": peak_memory(), "precision": "bf16 autocast"}


class Clock:
    """Seconds since it was made: of the wall, and of this process's threads together."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        wall, cpu = self._began
        return time.perf_counter() - wall, time.process_time() - cpu


def totals(taken: Sequence[tuple[float, float]]) -> Job:
    return {"seconds": sum(wall for wall, _ in taken), "cpu": sum(cpu for _, cpu in taken)}


def peak_memory() -> int:
    """Bytes of this process."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def in_a_process(side: str, job: Job) -> Job:
    """What one trainer measures; its own words go to this process's standard error."""
    with tempfile.TemporaryDirectory() as folder:
        file, result = Path(folder) / "job.json", Path(folder) / "result.json"
        file.write_text(json.dumps(job))
        command = [sys.executable, __file__, "--side", side, "--job", str(file), "--result", str(result)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        done: Job = json.loads(result.read_text())
        return done


def compare(kind: str, job: Job, rounds: int, sides: Sequence[str]) -> Job:
    """The best round of each."""
    tokens = sum(len(row["ids"]) for row in job["rows"])
    read = sum(len(pack(batch).ids) for batch in batches_of(job))
    best: dict[str, Job] = {}
    # The faster one goes first and last, so that it has seen the machine before and after.
    for side in [*list(sides) * rounds, sides[0]]:
        done = in_a_process(side, {**job, "checkpointing": side != "trl-kept"})
        if side not in best or done["seconds"] < best[side]["seconds"]:
            best[side] = done
        rate = tokens / done["seconds"]
        print(f"# {kind}: {side} {rate:.1f} tokens/s", file=sys.stderr, flush=True)
    mine = best["agent0es"]
    for side, other in best.items():
        other["tokens_per_second"] = tokens / other["seconds"]
        apart = [abs(a - b) / a for a, b in zip(mine["losses"], other["losses"], strict=True)]
        if max(apart) > AGREE:
            raise SystemExit(f"{kind}: the losses of agent0es and {side} differ: {mine['losses']}, {other['losses']}")
    return {"kind": kind, "rows": len(job["rows"]), "tokens": tokens, "read": read, "batch": job["batch"], **best}


def show(found: Job) -> str:
    """A few lines for people."""
    mine, trl = found["agent0es"], found["trl"]
    lines = [
        f"{found['kind']}: {found['rows']} rows of {found['tokens'] / found['rows']:.0f} tokens in batches of "
        f"{found['batch']}; agent0es reads {found['read']} of {found['tokens']} tokens",
    ]
    for side in ("agent0es", "trl", "trl-kept"):
        if side in found:
            one = found[side]
            ratio = mine["tokens_per_second"] / one["tokens_per_second"]
            losses = " ".join(f"{loss:.3f}" for loss in one["losses"])
            lines.append(
                f"  {side:9} {one['tokens_per_second']:7.1f} tokens/s  {one['peak'] / 2**30:5.1f} GiB  ratio "
                f"{ratio:5.2f}, of CPU time {one['cpu'] / mine['cpu']:5.2f}  {one['precision']}  losses {losses}"
            )
    lines.append(
        f"  torch.mm alone: {mine['gflops']:.0f} GFLOP/s on these shapes, {mine['share']:.2f} of agent0es' time; "
        f"memory {mine['peak'] / trl['peak']:.2f} of TRL's; 500 rows of 400 tokens at this rate: "
        f"{200_000 / mine['tokens_per_second'] / 60:.0f} minutes"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=MODELS, default="small")
    parser.add_argument("--weights", help="the model's GGUF file; without it, that of the installed package")
    parser.add_argument(
        "--cache", type=Path, default=Path("store/base"), help="where the base is kept in the form of training"
    )
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--also", action="store_true", help="TRL without gradient checkpointing, too")
    parser.add_argument("--json", action="store_true")
    for hidden in ("--side", "--job", "--result"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.side:
        job = json.loads(Path(told.job).read_text())
        done = ours(job) if told.side == "agent0es" else theirs(job)
        Path(told.result).write_text(json.dumps(done))
        return
    batch, steps, rounds = (
        given or usual for given, usual in zip((told.batch, told.steps, told.rounds), SIZES[told.model], strict=True)
    )
    weights = find_weights(told.weights or MODELS[told.model], told.cache).path
    folder = base_model_dir(told.cache, weights)
    from tokenizers import Tokenizer

    template, tokenizer = ChatTemplate.of(GgufFile.open(weights)), Tokenizer.from_file(str(folder / "tokenizer.json"))
    sides = ["agent0es", "trl", *(["trl-kept"] if told.also else [])]
    for kind in told.kinds.split(","):
        with tempfile.TemporaryDirectory() as made:
            dataset = Path(made) / "dataset.jsonl"
            dataset.write_text("".join(json.dumps(row) + "\n" for row in KINDS[kind](batch * steps)))
            rows = [unit.examples[0] for unit in Rft().read(dataset, template, tokenizer, settings())]
        job = {
            "rows": [{"ids": row.ids, "trainable": row.trainable} for row in rows],
            "batch": batch,
            "weights": str(weights),
            "folder": str(folder),
            "cache": str(told.cache),
        }
        found = compare(kind, job, rounds, sides)
        print(json.dumps({"model": told.model, **found}) if told.json else f"{told.model}, {show(found)}", flush=True)


if __name__ == "__main__":
    main()
