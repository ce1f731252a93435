"""The tool that calls others: several steps in sequence, results under names, and the workdir put back on failure."""

import dataclasses
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent0es.domain.text import storable
from agent0es.sandbox import Sandbox
from agent0es.tools.base import NO_FILES, Tool, ToolLimits, ToolResult, ToolStatus, WrittenFile, refused
from agent0es.tools.program import INPUT_LIMIT_BYTES, TRUNCATED
from agent0es.tools.registry import load_tools

OnError = Literal["rollback_plan", "rollback_step", "keep"]
POLICIES: tuple[OnError, ...] = ("rollback_plan", "rollback_step", "keep")
MAX_STEPS = 16
NAME = re.compile(r"[A-Za-z_]\w{0,31}")
USE = re.compile(r"\$\{([A-Za-z_]\w{0,31})\}")
LINE = re.compile(
    r"[ \t]{0,8}(?:[0-9]{1,2}[.)][ \t]{0,4})?(?:Action:[ \t]{0,4})?"
    r"(?:([A-Za-z_]\w{0,31})[ \t]*=[ \t]*)?([a-z]\w{0,31})\["
)
ON_ERROR = re.compile(r"[ \t]{0,8}on_error[ \t]{0,4}[:=][ \t]{0,4}(\w{1,32})[ \t]*")


class PlanError(Exception):
    """A text that is no plan, in one line."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a plan."""

    tool: str
    input: str
    """`${name}` in it stands for what the step of that name gave."""
    name: str
    """Under which later steps find the output."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps, and what a step that does not end with `ok` does to the working directory."""

    steps: tuple[Step, ...]
    on_error: OnError
    """rollback_plan: as before the plan, and the plan ends; rollback_step: as before the step, and the plan ends; keep:
    as the step left it, and the plan continues."""


class PlanTool:
    """`plan[a = python[2+3]` and, on the next line, `math[${a}^2]]`; or the same as JSON."""

    name = "plan"
    description = (
        'runs several tool calls in order, as lines `name = tool[input]` or JSON {"steps": [{"tool", "input", "as"}], '
        '"on_error": "rollback_plan" | "rollback_step" | "keep"}; '
        "${name} in an input is what the step of that name gave"
    )
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "steps": {
                "type": "array",
                "maxItems": MAX_STEPS,
                "items": {
                    "type": "object",
                    "properties": {key: {"type": "string"} for key in ("tool", "input", "as")},
                    "required": ["tool", "input"],
                },
            },
            "on_error": {"enum": list(POLICIES)},
        },
        "required": ["steps"],
    }
    allowed: tuple[str, ...] = ()

    def __init__(self, sandbox: Sandbox, tools: Mapping[str, Tool] | None = None) -> None:
        """`tools` instead of those that are installed; without it each is loaded when a plan first calls it."""
        self._sandbox = sandbox
        self._tools = dict(tools or {})

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        """`ok` when every step is; otherwise the status of the first step that is not. Each step has its tool's own
        limits, and what is left of the plan's time."""
        try:
            plan = parse(text)
        except PlanError as error:
            return replace(refused(f"PlanError: {error}", tier=self._sandbox.tier), status="error")
        for step in plan.steps:
            if step.tool not in limits.steps:
                known = ", ".join(limits.steps) or "none"
                why = f"NotAllowed: a plan can't call {step.tool!a}; it can call: {known}"
                return refused(why, f"tool {step.tool[:40]!a}", tier=self._sandbox.tier)
        before = files
        done: list[ToolResult] = []
        shown: list[str] = []
        outputs: dict[str, str] = {}
        deadline = time.monotonic() + limits.timeout_seconds
        for number, step in enumerate(plan.steps, 1):
            result = await self._step(step, outputs, limits, deadline, files)
            done.append(result)
            outputs[step.name] = result.output
            shown.append(
                f"{number}. {step.name}: {result.output}" if result.status == "ok" else _failed(number, result)
            )
            if result.status == "ok" or plan.on_error == "keep":
                files = files if result.files is None else result.files
                continue
            if plan.on_error == "rollback_plan":
                files = before
            left = len(plan.steps) - number
            undone = "the plan" if plan.on_error == "rollback_plan" else "this step"
            shown.append(f"The working directory is as it was before {undone}; {left} steps were not run.")
            break
        return _together(done, shown, limits, before, files, self._sandbox.tier)

    async def _step(
        self, step: Step, outputs: Mapping[str, str], limits: ToolLimits, deadline: float, files: Mapping[str, str]
    ) -> ToolResult:
        left = deadline - time.monotonic()
        if left <= 0:
            late = refused("TimeoutError: the plan's time is up", tier=self._sandbox.tier)
            return replace(late, status="timeout")
        filled = USE.sub(lambda use: outputs.get(use[1], use[0]), step.input)
        if len(filled) > INPUT_LIMIT_BYTES:
            return refused(
                "InputError: the input is too long with the results put in", "input", tier=self._sandbox.tier
            )
        if step.tool not in self._tools:
            self._tools |= load_tools([step.tool], self._sandbox)
        own = limits.steps[step.tool]
        bounds = dataclasses.replace(own, timeout_seconds=min(own.timeout_seconds, left))
        return await self._tools[step.tool].run(filled, bounds, files)


def parse(text: str) -> Plan:
    """A plan from JSON or from lines. Pure. Raises PlanError."""
    text = text.strip()
    if len(text) > INPUT_LIMIT_BYTES:
        raise PlanError("longer than 64 KB")
    plan = _from_json(text) if text[:1] in ("{", "[") else _from_lines(text)
    if not 0 < len(plan.steps) <= MAX_STEPS:
        raise PlanError(f"a plan has 1 to {MAX_STEPS} steps, not {len(plan.steps)}")
    known: set[str] = set()
    for number, step in enumerate(plan.steps, 1):
        if step.tool == "plan":
            raise PlanError("a plan can't hold another")
        for name in USE.findall(step.input):
            if name not in known:
                raise PlanError(f"step {number} uses ${{{name}}}, which no step before it gives")
        known.add(step.name)
    return plan


def _from_json(text: str) -> Plan:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"not JSON: {error}") from None
    body = value if isinstance(value, dict) else {"steps": value}
    listed, on_error = body.get("steps"), body.get("on_error", "rollback_plan")
    if not isinstance(listed, list) or on_error not in POLICIES:
        raise PlanError(f"steps must be a list, and on_error one of {', '.join(POLICIES)}")
    steps = []
    for number, one in enumerate(listed[: MAX_STEPS + 1], 1):
        if not isinstance(one, dict) or not all(isinstance(one.get(key), str) for key in ("tool", "input")):
            raise PlanError(f'step {number} must be like {{"tool": "python", "input": "2+3", "as": "a"}}')
        name = one.get("as", f"step{number}")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise PlanError(f"step {number}: `as` must be a name")
        steps.append(Step(storable(one["tool"]), storable(one["input"]), name))
    return Plan(tuple(steps), on_error)


def _from_lines(text: str) -> Plan:
    """A step begins at a line `name = tool[`, and reaches to the last `]` before the next one."""
    on_error: OnError = "rollback_plan"
    begun: list[tuple[str, str, list[str]]] = []
    for line in text.split("\n"):
        if (policy := ON_ERROR.fullmatch(line)) is not None:
            found = next((one for one in POLICIES if one == policy[1]), None)
            if found is None:
                raise PlanError(f"on_error is one of {', '.join(POLICIES)}")
            on_error = found
        elif (start := LINE.match(line)) is not None and (not begun or _closed(begun[-1][2])):
            begun.append((start[1] or f"step{len(begun) + 1}", start[2], [line[start.end() :]]))
        elif begun:
            begun[-1][2].append(line)
        elif line.strip():
            raise PlanError(f"{line[:40]!a} is no step: write `name = tool[input]`")
    steps = []
    for name, tool, lines in begun[: MAX_STEPS + 1]:
        inner, bracket, _ = "\n".join(lines).rpartition("]")
        if not bracket:
            raise PlanError(f"step {name} has no closing bracket")
        steps.append(Step(tool, inner, name))
    return Plan(tuple(steps), on_error)


def _closed(lines: Sequence[str]) -> bool:
    """Whether the last line that is not empty ends a step."""
    return next((line.rstrip().endswith("]") for line in reversed(lines) if line.strip()), False)


def _failed(number: int, result: ToolResult) -> str:
    return f"{number}. {result.status}: {result.output}"


def _together(
    done: Sequence[ToolResult],
    shown: Sequence[str],
    limits: ToolLimits,
    before: Mapping[str, str],
    after: Mapping[str, str],
    tier: str,
) -> ToolResult:
    """The steps as one result. The first that failed gives status and exit code."""
    failed = next((one for one in done if one.status != "ok"), None)
    status: ToolStatus = "ok" if failed is None else failed.status
    output = "\n".join(shown)
    if len(output) > limits.output_limit_bytes:
        output = output[: limits.output_limit_bytes] + TRUNCATED
    written: dict[str, WrittenFile] = {file.path: file for one in done for file in one.written}
    kept = tuple(file for path, file in sorted(written.items()) if after.get(path) == file.text)
    return ToolResult(
        status=status,
        output=output,
        exit_code=done[-1].exit_code if failed is None else failed.exit_code,
        stdout_bytes=sum(one.stdout_bytes for one in done),
        stderr_bytes=sum(one.stderr_bytes for one in done),
        wall_seconds=sum(one.wall_seconds for one in done),
        cpu_seconds=sum(one.cpu_seconds for one in done),
        peak_memory_mb=max(one.peak_memory_mb for one in done),
        tier=tier,
        denied=tuple(dict.fromkeys(word for one in done for word in one.denied)),
        files=None if after == before else after,
        written=() if after == before else kept,
        stdout="\n".join(shown) if len(output) != len("\n".join(shown)) else None,
    )
