"""Histories that a run could have: every kind of event, tasks side by side, now and then a crash or a refusal."""

import random
from collections.abc import Sequence
from functools import reduce

from agent0es.domain import events as ev
from agent0es.domain.adapter import follow, predecessor
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.task import Scalar, Solution, Task, Verification
from agent0es.domain.tries import Try, as_measured
from agent0es.log.records import NewEvent

FAMILIES = ("gcd", "percent", "word_count")
LONG = "A long text. " * 40
"""Over 200 bytes, so the log keeps it by reference."""

TRY = Try("POST /v1/chat/completions", 1_700_000_000.5, 503, "busy", 0.5)
PROMPT = Prompt(opening=(Part(role="system", text=LONG),), turns=(Part(role="user", text="short"),))


def history(rng: random.Random, run: str, *, iterations: int = 1, tasks: int = 3, attempts: int = 2) -> list[NewEvent]:
    """A whole run, in an order in which its log could be."""
    events: list[NewEvent] = [
        NewEvent(
            f"run/{run}",
            ev.RunStarted(seed=7, configuration={"seed": 7, "note": LONG}, code_version="0.1.0", weights={"m": "ab"}),
        )
    ]
    serving: str | None = None
    for iteration in range(1, iterations + 1):
        events.append(NewEvent(f"run/{run}", ev.IterationStarted(iteration=iteration)))
        first = (iteration - 1) * tasks + 1
        scripts = [task(rng, run, n, iteration, attempts, serving) for n in range(first, first + tasks)]
        events += interleave(rng, scripts)
        done = [e.event for script in scripts for e in script if isinstance(e.event, ev.TaskCompleted)]
        events.append(
            NewEvent(
                f"run/{run}",
                ev.IterationCompleted(
                    iteration=iteration,
                    tasks=len(done),
                    given_up=tasks - len(done),
                    attempts=sum(e.attempts for e in done),
                    solved=sum(e.solved for e in done),
                ),
            )
        )
        trained, serving = adapter(rng, run, iteration, serving)
        events += trained
        watched, serving = guarded(random.Random(f"{run} {iteration}"), run, iteration, serving, events)
        events += watched
    events.append(NewEvent(f"run/{run}", ev.Retracted(what="1", reason=LONG, actor="somebody")))
    events.append(
        NewEvent(f"run/{run}", ev.RunCompleted(iterations=iterations, serving={"student": serving, "teacher": None}))
    )
    return events


def interleave(rng: random.Random, scripts: Sequence[Sequence[NewEvent]]) -> list[NewEvent]:
    """All events of the scripts, each script in its own order."""
    left = [list(script) for script in scripts if script]
    mixed = []
    while left:
        script = rng.choice(left)
        mixed.append(script.pop(0))
        if not script:
            left.remove(script)
    return mixed


def task(
    rng: random.Random, run: str, number: int, iteration: int, attempts: int, adapter: str | None
) -> list[NewEvent]:
    """One task, from the request to its completion or to its being given up."""
    stream = f"task/{run}/{number}"
    family = rng.choice(FAMILIES)
    requested = ev.TaskRequested(
        task=number,
        iteration=iteration,
        domain="math",
        source="families",
        families={family: 0.5},
        novelty_bar=0.1,
        seed=number,
    )
    events = [NewEvent(stream, requested), NewEvent(stream, called("teacher", number, None, None, '{"family": "gcd"}'))]
    if rng.random() < 0.3:
        last = rng.random() < 0.3
        refused = ev.ProposalRejected(
            task=number,
            iteration=iteration,
            reason="unreadable",
            detail="no JSON",
            text=rng.choice(["\x1b[31mred", LONG]),
            tries_left=0 if last else 2,
        )
        events.append(NewEvent(stream, refused))
        if last:
            return events
    events.append(NewEvent(stream, proposed(rng, number, iteration, family, attempts)))
    if rng.random() < 0.1:
        failed = ev.HandlerFailed(handler="solve", cause=1, task=number, error="ValueError: no", traceback=LONG)
        return [*events, NewEvent(f"run/{run}", failed)]
    names, solved = [], 0
    scripts = []
    for k in range(1, attempts + 1):
        name, correct = f"{number}/{k}", rng.random() < 0.5
        script: list[NewEvent] = []
        if rng.random() < 0.2:
            script += attempt(rng, run, name, number, correct, adapter)[: rng.randrange(1, 4)]
            gone = ev.AttemptAbandoned(attempt=name, task=number, retried_as=f"{name}.1", reason="killed")
            script.append(NewEvent(f"attempt/{run}/{name}", gone))
            name = f"{name}.1"
        scripts.append(script + attempt(rng, run, name, number, correct, adapter))
        names.append(name)
        solved += correct
    events += interleave(rng, scripts)
    for role, name in [*(("student", name) for name in names), ("teacher", None)]:
        components = {"correctness": 1.0, "novelty": 0.25}
        rewarded = {"role": role, "task": number, "attempt": name, "components": components, "total": rng.random()}
        events.append(NewEvent(stream, ev.RewardAssigned.model_validate(rewarded)))
    completed = ev.TaskCompleted(
        task=number, iteration=iteration, family=family, difficulty=0.5, attempts=attempts, solved=solved
    )
    return [*events, NewEvent(stream, completed)]


def proposed(rng: random.Random, number: int, iteration: int, family: str, attempts: int) -> ev.TaskProposed:
    return ev.TaskProposed(
        task=number,
        iteration=iteration,
        proposal=Task(
            domain="math",
            family=family,
            parameters={"a": 48, "b": 36},
            wording=0,
            description=rng.choice([f"What is the greatest common divisor of 48 and 36? ({number})", LONG]),
            reference="12",
            reference_action="python[math.gcd(48, 36)]",
            difficulty=0.5,
        ),
        novelty=0.75,
        nearest=number - 1 or None,
        attempts=attempts,
        seed=number,
        demonstrations=3,
    )


def called(
    role: str,
    number: int | None,
    attempt: str | None,
    adapter: str | None,
    text: str,
    prompt: Prompt = PROMPT,
) -> ev.ModelCalled:
    return ev.ModelCalled.model_validate(
        {
            "role": role,
            "task": number,
            "attempt": attempt,
            "model": "tiny",
            "adapter": adapter,
            "prompt": prompt,
            "text": text,
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "finish_reason": "stop",
            "temperature": 0.6,
            "seed": 11,
            "mean_logprob": -0.25,
        }
    )


def attempt(
    rng: random.Random, run: str, name: str, number: int | None, correct: bool, adapter: str | None
) -> list[NewEvent]:
    """An attempt with a tool call, up to its judgement."""
    stream = f"attempt/{run}/{name}"
    code = rng.choice(["math.gcd(48, 36)", f"# {LONG}\nmath.gcd(48, 36)"])
    answer = "12" if correct else rng.choice(["13", None])
    events: list[ev.Event] = [
        ev.AttemptStarted(attempt=name, task=number, seed=5, adapter=adapter, demonstrations=3),
        called("student", number, name, adapter, f"Action: python[{code}]\n"),
        ev.ToolRequested(
            call=f"{name}#1",
            attempt=name,
            tool="python",
            input=code,
            purpose="solution",
            timeout_seconds=5.0,
            memory_limit_mb=512,
        ),
        ev.ToolCalled(
            call=f"{name}#1",
            attempt=name,
            tool="python",
            status="ok",
            output=rng.choice(["12", LONG]),
            exit_code=0,
            tier="t",
        ),
        called("student", number, name, adapter, f"Answer: {answer}"),
        *reflections(name, number, adapter, answer),
        ev.SolutionSubmitted(
            attempt=name,
            task=number,
            solution=Solution(answer=answer, confidence=0.8, tool_calls=1, tool_errors=0, observed=correct),
        ),
        ev.Verified(
            attempt=name,
            task=number,
            verification=Verification(
                correct=correct if answer else None,
                score=float(correct),
                confidence=1.0,
                method="exact",
                explanation="12 is 12" if correct else "13 is not 12",
            ),
            second_instance=True if correct else None,
            majority_key=answer,
        ),
    ]
    measured: dict[type, dict[str, Scalar]] = {
        ev.ModelCalled: {"seconds": 0.125, **as_measured((TRY,) if name.endswith("/2") else ())},
        ev.ToolCalled: {
            "wall_seconds": 0.125,
            "cpu_seconds": 0.0625,
            "peak_memory_mb": 13.5,
            "stdout_bytes": 3,
            "stderr_bytes": 0,
        },
    }
    return [NewEvent(stream, event, measured.get(type(event), {})) for event in events]


def reflections(name: str, number: int | None, adapter: str | None, answer: str | None) -> list[ev.Event]:
    """What the first attempt at a task says of its answer."""
    if answer is None or not name.endswith("/1"):
        return []
    asked = called("student", number, name, adapter, "90").model_copy(update={"question": "confidence"})
    return [asked, ev.Reflected(attempt=name, task=number, question="confidence", confidence=0.9)]


def adapter(rng: random.Random, run: str, iteration: int, serving: str | None) -> tuple[list[NewEvent], str | None]:
    """Training, evaluation and the gate; the events, and who serves after them."""
    name = f"student-{iteration}"
    stream, own = f"adapter/{run}/{name}", {"adapter": name, "role": "student", "iteration": iteration}
    asked = {"replaces": None, "settings": {"rank": 16}}
    events = [
        *([NewEvent(stream, ev.TrainingRequested.model_validate({**own, **asked}))] if iteration == 2 else []),
        NewEvent(
            stream,
            ev.DatasetBuilt.model_validate(
                {**own, "examples": 2, "sha256": "d" * 64, "per_family": {"gcd": 2}, "sources": ("1/1", "2/1")}
            ),
        ),
    ]
    if rng.random() < 0.3:
        failed = ev.TrainingFailed.model_validate({**own, "reason": "2 examples are too few"})
        return [*events, NewEvent(stream, failed)], serving
    begun = {
        "dataset_sha256": "d" * 64,
        "base_sha256": "b" * 64,
        "settings": {"rank": 16, "target_modules": ["q", "v"]},
    }
    trained = {
        "path": f"adapters/{run}/{name}",
        "files": {"adapter/adapter_model.safetensors": "a" * 64, "merged.gguf": "e" * 64},
        "steps": 3,
        "loss": (2.0, 1.5, 1.0),
    }
    events += [
        NewEvent(stream, ev.TrainingStarted.model_validate({**own, **begun})),
        NewEvent(stream, ev.TrainingProgressed.model_validate({**own, **progressed(1)}), {"tokens_per_second": 70.5}),
        NewEvent(stream, ev.MicroBatchHalved.model_validate({**own, "micro_batch": 4, "reason": "no memory"})),
        NewEvent(stream, ev.TrainingProgressed.model_validate({**own, **progressed(3)})),
        NewEvent(stream, ev.AdapterTrained.model_validate({**own, **trained}), {"seconds": 57.5}),
        *attempt(rng, run, f"eval/{name}/{17}", None, True, name),
        NewEvent(stream, ev.AdapterEvaluated.model_validate({**own, **scores(name)})),
    ]
    if rng.random() < 0.5:
        no = ev.AdapterRejected.model_validate({**own, "reason": "not better by the margin"})
        return [*events, NewEvent(f"run/{run}", no)], serving
    yes = ev.AdapterPromoted.model_validate({**own, "score": 0.6, "reason": "better by 0.3"})
    return [*events, NewEvent(f"run/{run}", yes)], name


def guarded(
    rng: random.Random, run: str, iteration: int, serving: str | None, before: Sequence[NewEvent]
) -> tuple[list[NewEvent], str | None]:
    """What the guard says after an iteration; the events, and who serves after them."""
    counts = {"proposals": 3, "repeats": 1, "computed": 2, "confirmed": 1, "doubted": 0, "answers": 6}
    practice = ev.PracticeMeasured(iteration=iteration, **counts, diversity=0.6, log_probability=-0.1)
    if serving is None or rng.random() < 0.8:
        return [NewEvent(f"run/{run}", practice)], serving
    about = {"iteration": iteration, "role": "student"}
    alarm = {**about, "kind": "answers", "value": 0.0, "reference": 0.001, "message": "all alike"}
    to = predecessor(reduce(follow, (one.event for one in before), {}), serving)
    back = {**about, "adapter": serving, "to": to, "reason": "all alike"}
    said = (practice, ev.AlarmRaised.model_validate(alarm), ev.AdapterRolledBack.model_validate(back))
    return [NewEvent(f"run/{run}", event) for event in said], to


def progressed(step: int) -> dict[str, object]:
    figures = {"loss": 2.0 / step, "gradient_norm": 1.5, "learning_rate": 0.001, "metrics": {"kl": 0.25}}
    return {"step": step, "steps": 3, "tokens": 100 * step, **figures}


def scores(name: str) -> dict[str, object]:
    def score(arm: str, split: str, correct: int) -> dict[str, object]:
        by_family = {"gcd": (correct, 6), "percent": (0, 4)}
        return {
            "arm": arm,
            "split": split,
            "correct": correct,
            "problems": 10,
            "low": 0.1,
            "high": 0.7,
            "by_family": by_family,
        }

    splits = ("practised", "held_out")
    return {
        "scores": tuple(score(arm, split, n) for split in splits for arm, n in (("base-zero-shot", 1), (name, 6))),
        "comparisons": tuple(
            {
                "split": split,
                "baseline": "base-zero-shot",
                "arm": name,
                "difference": 0.5,
                "low": 0.2,
                "high": 0.8,
                "p_value": 0.02,
                "better": 6,
                "worse": 1,
            }
            for split in splits
        ),
    }
