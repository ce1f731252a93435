"""Fills a log with as many events as you like, of every kind and of the sizes that a real run has.

    python benchmarks/synthetic.py STORE [--events 1000000]

No model and no tool runs. Tasks are practised side by side, some attempts are cut off and made again, some
proposals are refused, some trainings fail; prompts share their long beginnings, as they do in a run.
"""

import argparse
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agent0es.domain import events as ev
from agent0es.domain.task import Solution, Task, Verification
from agent0es.log import EventLog, NewEvent

FAMILIES = ("product", "gcd", "percent_of", "word_count", "reverse_text", "list_sum", "celsius", "square_root")
APPEND = 2_000
"""Events of one append."""
TASKS, PROBLEMS, ATTEMPTS, IN_FLIGHT = 640, 236, 2, 16
"""Of one iteration; held-out problems; attempts at a task; tasks side by side."""
SYSTEM = "You solve problems with a Python tool. Write one call, read its observation, then answer.\n" * 5
TRACEBACK = "Traceback (most recent call last):\n" + '  File "agent0es/handlers/solve.py", line 61, in handle\n' * 6


def run(name: str, seed: int) -> Iterator[NewEvent]:
    """A run of three iterations, event after event."""
    rng = random.Random(seed)
    started = ev.RunStarted(
        seed=seed,
        configuration={"seed": seed, "curriculum": dict.fromkeys(FAMILIES, 0.5), "execution": {"iterations": 3}},
        code_version="0.1.0",
        weights={"smollm2-135m-instruct": f"{seed:064x}"},
    )
    yield NewEvent(f"run/{name}", started)
    serving = None
    for iteration in (1, 2, 3):
        yield NewEvent(f"run/{name}", ev.IterationStarted(iteration=iteration))
        skill = 0.35 + 0.15 * iteration
        numbers = range((iteration - 1) * TASKS + 1, iteration * TASKS + 1)
        yield from side_by_side(rng, [task(rng, name, n, iteration, serving, skill) for n in numbers])
        practised = ev.IterationCompleted(
            iteration=iteration, tasks=TASKS - 8, given_up=8, attempts=2 * TASKS - 16, solved=int(2 * TASKS * skill)
        )
        yield NewEvent(f"run/{name}", practised)
        adapter = f"student-{iteration}"
        if rng.random() < 0.1:
            failed = ev.TrainingFailed(adapter=adapter, role="student", iteration=iteration, reason="out of memory")
            yield NewEvent(f"adapter/{name}/{adapter}", failed)
            continue
        yield from trained(rng, name, adapter, iteration)
        own = {"adapter": adapter, "role": "student", "iteration": iteration}
        if rng.random() < 0.3:
            yield NewEvent(f"run/{name}", ev.AdapterRejected.model_validate({**own, "reason": "ahead by 0.004 only"}))
        else:
            serving = adapter
            promoted = {**own, "score": skill, "reason": "ahead by 0.150, the margin is 0.010"}
            yield NewEvent(f"run/{name}", ev.AdapterPromoted.model_validate(promoted))
    yield NewEvent(f"run/{name}", ev.RunCompleted(iterations=3, serving={"student": serving, "teacher": None}))


def side_by_side(rng: random.Random, scripts: list[Iterator[NewEvent]]) -> Iterator[NewEvent]:
    """The scripts' events, each in its own order, some scripts at once."""
    waiting = iter(scripts)
    going = list(islice(waiting, IN_FLIGHT))
    while going:
        place = rng.randrange(len(going))
        event = next(going[place], None)
        if event is not None:
            yield event
        elif (following := next(waiting, None)) is not None:
            going[place] = following
        else:
            going.pop(place)


def task(
    rng: random.Random, run: str, number: int, iteration: int, adapter: str | None, skill: float
) -> Iterator[NewEvent]:
    """From the request to the completion."""
    stream, family = f"task/{run}/{number}", FAMILIES[number % len(FAMILIES)]
    a, b = rng.randrange(10**4), rng.randrange(10**4)
    yield NewEvent(
        stream,
        ev.TaskRequested(
            task=number,
            iteration=iteration,
            domain="math",
            source="families",
            families={family: 0.5, rng.choice(FAMILIES): 0.25},
            novelty_bar=0.001,
            seed=rng.getrandbits(31),
        ),
    )
    text = f'{{"family": "{family}", "a": {a}, "b": {b}}}'
    yield NewEvent(stream, called(rng, "teacher", number, None, None, f"Families: {family}", text), {"seconds": 0.42})
    if rng.random() < 0.08:
        left = rng.randrange(3)
        yield NewEvent(
            stream,
            ev.ProposalRejected(
                task=number, iteration=iteration, reason="duplicate", detail="asked before", text=text, tries_left=left
            ),
        )
        if left == 0:
            return
    proposal = Task(
        domain="math",
        family=family,
        parameters={"a": a, "b": b},
        wording=0,
        description=f"A shop sells {a} boxes with {b} pens each. How many pens are that? Then apply {family}.",
        reference=str(a * b),
        reference_action=f"python[{a} * {b}]",
        difficulty=rng.random(),
    )
    proposed = ev.TaskProposed(
        task=number,
        iteration=iteration,
        proposal=proposal,
        novelty=rng.random(),
        nearest=number - 1 or None,
        attempts=ATTEMPTS,
        seed=rng.getrandbits(31),
        demonstrations=4,
    )
    yield NewEvent(stream, proposed)
    if rng.random() < 0.002:
        failed = ev.HandlerFailed(handler="solve", cause=1, task=number, error="ValueError: no", traceback=TRACEBACK)
        yield NewEvent(f"run/{run}", failed)
        return
    solved = 0
    for k in range(ATTEMPTS):
        name, correct = f"{number}/{k}", rng.random() < skill
        if rng.random() < 0.01:
            yield from islice(attempt(rng, run, name, number, adapter, proposal, correct), 2)
            again = ev.AttemptAbandoned(
                attempt=name, task=number, retried_as=f"{name}.1", reason="the run was interrupted"
            )
            yield NewEvent(f"attempt/{run}/{name}", again)
            name += ".1"
        yield from attempt(rng, run, name, number, adapter, proposal, correct)
        components = {"correctness": float(correct), "novelty": 0.25, "tool_use": 0.1, "uncertainty": rng.random()}
        rewarded = ev.RewardAssigned(
            role="student", task=number, attempt=name, components=components, total=0.5 * correct + 0.3 * rng.random()
        )
        yield NewEvent(stream, rewarded)
        solved += correct
    components = {"correctness": solved / ATTEMPTS, "novelty": 0.25, "tool_use": 0.1, "uncertainty": rng.random()}
    yield NewEvent(
        stream,
        ev.RewardAssigned(role="teacher", task=number, attempt=None, components=components, total=rng.random()),
    )
    yield NewEvent(
        stream,
        ev.TaskCompleted(
            task=number,
            iteration=iteration,
            family=family,
            difficulty=proposal.difficulty,
            attempts=ATTEMPTS,
            solved=solved,
        ),
    )


def attempt(
    rng: random.Random, run: str, name: str, number: int | None, adapter: str | None, task: Task, correct: bool
) -> Iterator[NewEvent]:
    """A call of the model, one of the tool, the answer, the judgement; a second instance where it was right."""
    stream, answer = f"attempt/{run}/{name}", task.reference if correct else str(rng.randrange(10**6))
    code = task.reference_action.removeprefix("python[").removesuffix("]")
    prompt = f"{task.description}\n"
    yield NewEvent(
        stream,
        ev.AttemptStarted(attempt=name, task=number, seed=rng.getrandbits(31), adapter=adapter, demonstrations=4),
    )
    action = called(rng, "student", number, name, adapter, prompt, f"Action: python[{code}]\n")
    yield NewEvent(stream, action, {"seconds": round(rng.random(), 4)})
    yield from tool(rng, stream, name, "1", code, answer)
    final = called(rng, "student", number, name, adapter, f"{prompt}Action: python[{code}]\n", f"Answer: {answer}")
    yield NewEvent(stream, final, {"seconds": round(rng.random(), 4)})
    solution = Solution(answer=answer, confidence=rng.random(), tool_calls=1, tool_errors=0, observed=True)
    yield NewEvent(stream, ev.SolutionSubmitted(attempt=name, task=number, solution=solution))
    if correct and number is not None:
        yield from tool(rng, stream, name, "s", code, answer)
    judged = Verification(
        correct=correct,
        score=float(correct),
        confidence=1.0,
        method="numeric",
        explanation=f"{answer} {'is' if correct else 'is not'} {task.reference}",
    )
    verified = ev.Verified(
        attempt=name, task=number, verification=judged, second_instance=correct or None, majority_key=answer
    )
    yield NewEvent(stream, verified)


def tool(rng: random.Random, stream: str, attempt: str, kind: str, code: str, output: str) -> Iterator[NewEvent]:
    call, drawn = f"{attempt}#{kind}", rng.random()
    purpose = "second_instance" if kind == "s" else "solution"
    yield NewEvent(
        stream,
        ev.ToolRequested(
            call=call,
            attempt=attempt,
            tool="python",
            input=code,
            purpose=purpose,  # type: ignore[arg-type]
            timeout_seconds=5.0,
            memory_limit_mb=512,
        ),
    )
    measured = {
        "wall_seconds": round(0.03 + 0.02 * drawn, 4),
        "cpu_seconds": round(0.02 + 0.01 * drawn, 4),
        "peak_memory_mb": 13.5,
        "stdout_bytes": len(output),
        "stderr_bytes": 0,
    }
    status, output = ("error", f"{TRACEBACK}NameError: {drawn}") if drawn < 0.05 else ("ok", f"{output}\n")
    yield NewEvent(
        stream,
        ev.ToolCalled.model_validate(
            {
                "call": call,
                "attempt": attempt,
                "tool": "python",
                "status": "timeout" if drawn < 0.004 else status,
                "output": output,
                "exit_code": 0,
                "tier": "bubblewrap",
            }
        ),
        measured,
    )


def called(
    rng: random.Random, role: str, number: int | None, attempt: str | None, adapter: str | None, asked: str, text: str
) -> ev.ModelCalled:
    return ev.ModelCalled.model_validate(
        {
            "role": role,
            "task": number,
            "attempt": attempt,
            "model": "smollm2-135m-instruct",
            "adapter": adapter,
            "prompt": {
                "opening": [{"role": "system", "text": SYSTEM}],
                "turns": [{"role": "user", "text": asked}],
                "prefill": [{"text": "Action:", "trainable": True}],
            },
            "text": text,
            "prompt_tokens": 200 + len(asked) // 4,
            "completion_tokens": 1 + len(text) // 4,
            "finish_reason": "stop",
            "temperature": 0.6,
            "seed": rng.getrandbits(31),
            "mean_logprob": -round(rng.random(), 4),
        }
    )


def trained(rng: random.Random, run: str, adapter: str, iteration: int) -> Iterator[NewEvent]:
    """Dataset, training, held-out answers of two arms, their scores."""
    stream, own = f"adapter/{run}/{adapter}", {"adapter": adapter, "role": "student", "iteration": iteration}
    sources = tuple(f"{n}/0" for n in range(1, 513))
    built = {**own, "examples": 512, "sha256": f"{rng.getrandbits(256):064x}", "sources": sources}
    yield NewEvent(
        stream, ev.DatasetBuilt.model_validate({**built, "per_family": dict.fromkeys(FAMILIES, 512 // len(FAMILIES))})
    )
    begun = {"dataset_sha256": built["sha256"], "base_sha256": "b" * 64, "settings": {"rank": 16, "alpha": 32}}
    yield NewEvent(stream, ev.TrainingStarted.model_validate({**own, **begun}))
    done = {
        "path": f"adapters/{run}/{adapter}",
        "files": {"adapter/adapter_model.safetensors": "a" * 64, "merged.gguf": "e" * 64},
        "steps": 130,
        "loss": tuple(round(2.0 * 0.96**step, 4) for step in range(130)),
    }
    yield NewEvent(stream, ev.AdapterTrained.model_validate({**own, **done}), {"seconds": 57.5})
    task = Task(
        domain="math",
        family="gcd",
        parameters={"a": 48, "b": 36},
        wording=0,
        description="What is the greatest common divisor of 48 and 36?",
        reference="12",
        reference_action="python[math.gcd(48, 36)]",
        difficulty=0.5,
    )
    arms = {"base-few-shot": 0.1, adapter: 0.8}
    yield from side_by_side(
        rng,
        [
            attempt(rng, run, f"eval-{adapter}/{arm}/{n}", None, adapter, task, rng.random() < share)
            for arm, share in arms.items()
            for n in range(PROBLEMS)
        ],
    )
    scores = [
        {
            "arm": arm,
            "split": split,
            "correct": int(PROBLEMS // 2 * share),
            "problems": PROBLEMS // 2,
            "low": share - 0.05,
            "high": share + 0.05,
            "by_family": {family: (int(14 * share), 14) for family in FAMILIES},
        }
        for arm, share in arms.items()
        for split in ("practised", "held_out")
    ]
    lead = {"baseline": "base-few-shot", "arm": adapter, "difference": 0.7, "low": 0.6, "high": 0.8, "p_value": 0.001}
    lead |= {"better": 12, "worse": 1}
    comparisons = [{**lead, "split": split} for split in ("practised", "held_out")]
    evaluated = {**own, "scores": scores, "comparisons": comparisons}
    yield NewEvent(stream, ev.AdapterEvaluated.model_validate(evaluated))


def events(count: int, seed: int = 0) -> Iterator[NewEvent]:
    """`count` events of as many runs as it takes."""
    every = (event for number in range(count) for event in run(f"run-{number:03}", seed + number))
    return islice(every, count)


def fill(path: Path, count: int, seed: int = 0) -> None:
    """Append `count` events to the log at `path`."""
    source = events(count, seed)
    with EventLog.open(path) as log:
        [cause] = log.append([NewEvent("run/synthetic", ev.IterationStarted(iteration=1))], handler="synthetic")
        while batch := list(islice(source, min(APPEND, count - log.head()))):
            log.append(batch, handler="synthetic", cause=cause)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    fill(options.store / "log.db", options.events)
    elapsed = time.perf_counter() - begin
    size = (options.store / "log.db").stat().st_size
    print(f"{options.events:,} events in {elapsed:.0f} s, {size / options.events:,.0f} bytes each on disk")


if __name__ == "__main__":
    main()
