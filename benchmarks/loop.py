"""How much of the engine's speed the loop keeps, in one run on one machine.

Prints, each as a ratio:
  1. generated tokens per second inside the loop over the raw engine given the same requests at the same concurrency
  2. attempts per hour over a sequential loop: one task and one request at a time
  3. generated tokens per second inside the loop over `transformers.generate` at batch 32 on the same prompts
  4. milliseconds per attempt outside models and sandbox: the loop on a scripted model and a tool that does nothing,
     when the tasks are embedded already; and the same when they have to be embedded

Usage: python benchmarks/loop.py [--tasks N] [--json]
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent0es.bootstrap import handlers, open_ports, open_store
from agent0es.configuration import Configuration, load_configuration
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.handlers.base import Ports
from agent0es.handlers.dispatcher import Dispatcher
from agent0es.log import Recorded
from agent0es.models import GenerationRequest, Message
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.embedding_cache import EMBEDDINGS_FILE
from agent0es.models.engine import EngineSettings
from agent0es.models.engine_process import KV_BLOCK
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import base_model_dir
from agent0es.runs.starting import NO_PARTS, start_run
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult, refused

BATCH = 32
SEQUENTIAL_TASKS = 6


class NoTool:
    """A tool that answers at once: what is left is the loop's own work."""

    name = "python"
    description = ""
    schema: Mapping[str, Any] = {}
    allowed = ()

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        return replace(refused("2"), status="ok")


async def practise(folder: Path, overrides: Sequence[str], *, fake_tool: bool = False) -> dict[str, Any]:
    """One iteration's practice in a fresh store: wall seconds, attempts, tokens and the student's requests."""
    configuration: Configuration = load_configuration(None, overrides, {})
    with open_store(folder, create=True) as log:
        run = "benchmark"
        start_run(log, run, configuration, NO_PARTS)
        async with open_ports(folder, log, run, configuration, lambda progress: None) as ports:
            if fake_tool:
                no_tools = {"python": NoTool(), "math": NoTool()}
                ports = replace(ports, toolbox=replace(ports.toolbox, tools=no_tools))
            await warm_up(ports)

            def stop_after_practice(recorded: Recorded, state: RunState) -> None:
                if isinstance(recorded.event, ev.IterationCompleted):
                    practice.cancel()

            dispatcher = Dispatcher(log, run, handlers(ports), configuration.execution, [stop_after_practice])
            began = time.perf_counter()
            practice = asyncio.create_task(dispatcher.run())
            with contextlib.suppress(asyncio.CancelledError):
                await practice
            seconds = time.perf_counter() - began
        calls = [r.event for r in log.read(run=run, types=["ModelCalled"]) if isinstance(r.event, ev.ModelCalled)]
        attempts = sum(1 for _ in log.read(run=run, types=["Verified"]))
        size = (folder / "log.db").stat().st_size
    return {
        "seconds": seconds,
        "attempts": attempts,
        "tokens": sum(call.completion_tokens for call in calls),
        "calls": calls,
        "bytes": size,
    }


async def warm_up(ports: Ports) -> None:
    """Load what is loaded lazily, so that it is not measured."""
    await ports.embedder.embed(["warm up"])
    await ports.models["student"].generate([GenerationRequest((Message("user", "warm up"),), 2)])


def part_messages(call: ev.ModelCalled) -> list[Message]:
    """The turns that other prompts begin with too."""
    return list(call.prompt.messages[: len(call.prompt.opening)])


def rendered(template: ChatTemplate, call: ev.ModelCalled) -> str:
    """The prompt as the model read it."""
    return template.render(call.prompt.messages, call.prompt.begun)


def raw_engine(calls: Sequence[ev.ModelCalled], concurrency: int, weights: Path) -> float:
    """Tokens per second of the OpenVINO pipeline alone, in a bare loop, given the loop's requests, as many at once.

    As in the loop, what prompts begin with is read once, and that time counts.
    """
    import openvino
    import openvino_genai

    settings = EngineSettings()
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.max_num_seqs = settings.max_batch
    scheduler.max_num_batched_tokens = settings.max_batched_tokens
    scheduler.num_kv_blocks = -(-settings.cache_tokens // KV_BLOCK)
    scheduler.enable_prefix_caching = True
    pipeline = openvino_genai.ContinuousBatchingPipeline(str(weights), scheduler, "CPU", {})
    tokenizer = pipeline.get_tokenizer()
    waiting, running, tokens = list(enumerate(calls))[::-1], [], 0
    began = time.perf_counter()
    one_token = openvino_genai.GenerationConfig(max_new_tokens=1, apply_chat_template=False)
    template = ChatTemplate.of(GgufFile.open(weights))
    heads = dict.fromkeys(template.beginning(part_messages(call)) for call in calls)
    for number, head in enumerate(heads, start=len(calls)):
        ids = tokenizer.encode(head, add_special_tokens=False).input_ids
        whole = ids.shape[1] // KV_BLOCK * KV_BLOCK
        if whole:
            reading = pipeline.add_request(number, openvino.Tensor(ids.data[:, :whole].copy()), one_token)
            while reading.get_status() == openvino_genai.GenerationStatus.RUNNING:
                pipeline.step()
    while waiting or running:
        while waiting and len(running) < concurrency:
            number, call = waiting.pop()
            config = openvino_genai.GenerationConfig(
                max_new_tokens=max(1, call.completion_tokens),
                do_sample=call.temperature > 0,
                rng_seed=call.seed,
                logprobs=1,
                apply_chat_template=False,
            )
            if call.temperature > 0:
                config.temperature = call.temperature
            running.append(pipeline.add_request(number, rendered(template, call), config))
        pipeline.step()
        ended = [handle for handle in running if handle.get_status() != openvino_genai.GenerationStatus.RUNNING]
        tokens += sum(len(output.generated_ids) for handle in ended for output in handle.read_all())
        running = [handle for handle in running if handle not in ended]
    return tokens / (time.perf_counter() - began)


def transformers_generate(calls: Sequence[ev.ModelCalled], base_dir: Path, template: ChatTemplate) -> float:
    """Tokens per second of `transformers.generate` in fp32, batch 32, on the same prompts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_dir, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(base_dir, dtype=torch.float32)
    batch = tokenizer([rendered(template, call) for call in calls[:BATCH]], return_tensors="pt", padding=True)
    new_tokens = 24
    with torch.inference_mode():
        began = time.perf_counter()
        model.generate(**batch, min_new_tokens=new_tokens, max_new_tokens=new_tokens, do_sample=False)
        return float(BATCH * new_tokens / (time.perf_counter() - began))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=264)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    defaults = Configuration().execution
    concurrency = min(EngineSettings().max_batch, defaults.tasks_in_flight * defaults.attempts)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        loop = asyncio.run(practise(root / "loop", [f"execution.tasks_per_iteration={arguments.tasks}"]))
        [served] = (root / "loop" / "base").glob("*.gguf")
        raw = raw_engine(loop["calls"], concurrency, served)
        sequential = asyncio.run(
            practise(
                root / "sequential",
                [f"execution.tasks_per_iteration={SEQUENTIAL_TASKS}", "execution.deterministic=true"],
            )
        )
        scripted = [f"models.{role}.{key}" for role in ("teacher", "student") for key in ("backend=scripted",)]
        names = [f"models.{role}.name=tests.support.scripted:respond" for role in ("teacher", "student")]
        settings = [*scripted, *names, f"execution.tasks_per_iteration={arguments.tasks}"]
        embedding = asyncio.run(practise(root / "embedding", settings, fake_tool=True))
        (root / "alone").mkdir()
        shutil.copy(root / "embedding" / EMBEDDINGS_FILE, root / "alone")
        alone = asyncio.run(practise(root / "alone", settings, fake_tool=True))
        students = [call for call in loop["calls"] if call.role == "student"]
        reference = transformers_generate(students, base_model_dir(root), ChatTemplate.of(GgufFile.open(served)))
    in_loop = loop["tokens"] / loop["seconds"]
    per_hour = 3600 * loop["attempts"] / loop["seconds"]
    sequential_per_hour = 3600 * sequential["attempts"] / sequential["seconds"]
    result = {
        "loop_tokens_per_second": round(in_loop, 1),
        "raw_engine_tokens_per_second": round(raw, 1),
        "loop_over_raw": round(in_loop / raw, 3),
        "attempts_per_hour": round(per_hour),
        "sequential_attempts_per_hour": round(sequential_per_hour),
        "loop_over_sequential": round(per_hour / sequential_per_hour, 1),
        "transformers_tokens_per_second": round(reference, 1),
        "loop_over_transformers": round(in_loop / reference, 1),
        "overhead_ms_per_attempt": round(1000 * alone["seconds"] / alone["attempts"], 2),
        "with_embeddings_ms_per_attempt": round(1000 * embedding["seconds"] / embedding["attempts"], 2),
        "log_bytes_per_task": round(loop["bytes"] / arguments.tasks),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    width = max(map(len, result))
    for name, value in result.items():
        print(f"{name:<{width}}  {value}")


if __name__ == "__main__":
    main()
