"""How events of older versions become events of today.

An upcaster takes the whole content of one version, texts restored, and returns that of the next, its `version`
included. It stays for ever, and so does the golden file of the version that it reads.
"""

import ast
import json
import re
from collections.abc import Callable
from typing import Any, get_args

from agent0es.domain.events import Event
from agent0es.errors import LogError, StoreError
from agent0es.log.upcasting_prompts import prompt_of

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


def _configured_1(old: dict[str, Any]) -> dict[str, Any]:
    """A run had one task domain, `curriculum.domain`."""
    configuration = dict(old["configuration"])
    curriculum = dict(configuration.get("curriculum", {}))
    if "domain" in curriculum:
        curriculum["domains"] = [curriculum.pop("domain")]
        configuration["curriculum"] = curriculum
    return {**old, "version": 2, "configuration": configuration}


def _configured_2(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "version": 3, "plugins": {}}  # nobody knows any more


def _configured_3(old: dict[str, Any]) -> dict[str, Any]:
    configuration = dict(old["configuration"])
    if "training" in configuration:
        configuration["training"] = _training(configuration["training"])
    return {**old, "version": 4, "configuration": configuration}


def _configured_4(old: dict[str, Any]) -> dict[str, Any]:
    """`tools.describe` was what `models.student.prompt: tools` is; `guide` had all of it."""
    configuration = dict(old["configuration"])
    tools = dict(configuration.get("tools", {}))
    if "describe" in tools:
        described = tools.pop("describe")
        configuration["tools"] = tools
        models = dict(configuration.get("models", {}))
        student = dict(models.get("student", {}))
        if described and student.get("prompt", "short") == "short":
            configuration["models"] = {**models, "student": {**student, "prompt": "tools"}}
    return {**old, "version": 5, "configuration": configuration}


def _configured_5(old: dict[str, Any]) -> dict[str, Any]:
    """The gate asked for a lead and for no test, and looked for no leaks; and there was no guard."""
    configuration = dict(old["configuration"])
    gate = {"significance": None, "refuse_leaks": False}
    configuration["evaluation"] = {**configuration.get("evaluation", {}), **gate}
    configuration["guard"] = {"on_fall": "ignore", "patience": None}
    return {**old, "version": 6, "configuration": configuration}


def _training(old: dict[str, Any]) -> dict[str, Any]:
    """`peft_method` had one value, and how long an example may be could not be set."""
    return {**{key: value for key, value in old.items() if key != "peft_method"}, "max_tokens": 1024}


def _training_started_1(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "version": 2, "settings": _training(old["settings"])}


def _training_started_2(old: dict[str, Any]) -> dict[str, Any]:
    """There was one rule for which attempts are learnt from."""
    return {**old, "version": 3, "settings": {**old["settings"], "learn_from": "observed"}}


def _training_started_3(old: dict[str, Any]) -> dict[str, Any]:
    """There was one engine and one method, and one attempt at each task was learnt from, whatever its p̂."""
    then = {"engine": "packed", "method": "rft", "band": 0.5, "examples_per_task": 1}
    return {**old, "version": 4, "settings": {**then, **old["settings"]}}


def _adapter_trained_1(old: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in old.items() if key not in ("adapter_sha256", "merged_sha256")}
    files = {"adapter/adapter_model.safetensors": old["adapter_sha256"], "merged.gguf": old["merged_sha256"]}
    return {**kept, "version": 2, "files": files}


def _adapter_evaluated_1(old: dict[str, Any]) -> dict[str, Any]:
    comparisons = [{**comparison, "better": None, "worse": None} for comparison in old["comparisons"]]
    return {**old, "version": 2, "comparisons": comparisons}


def _task_proposed_1(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "version": 2, "proposal": {**old["proposal"], "files": {}}}


_NOT_NOVEL = re.compile(r"novelty (\S+) under (\S+)")


def _proposal_rejected_2(old: dict[str, Any]) -> dict[str, Any]:
    """The novelty stood in the sentence `detail`."""
    found = _NOT_NOVEL.fullmatch(old["detail"]) if old["reason"] == "not_novel" else None
    novelty, bar = (float(found[1]), float(found[2])) if found else (None, None)
    return {**old, "version": 3, "novelty": novelty, "novelty_bar": bar}


def _verified_1(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "version": 2, "verification": {**old["verification"], "breakdown": {}}}


def _tool_requested_1(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "version": 2, "policy_sha256": None, "tier": None, "files_sha256": None}


GLUED: dict[str, tuple[str, tuple[str, ...]]] = {
    "compare": ("agent0es.taskdomains.math.compare_expressions", ("given", "true", "form")),
    "judge": ("agent0es.taskdomains.math.derivation", ("given", "true", "raw", "settings")),
    "solve": ("agent0es.taskdomains.logic.solve_formulas", ("text",)),
}
"""What a verifier's program called in its last line, to the program's name and the names of the arguments."""


def _tool_requested_2(old: dict[str, Any]) -> dict[str, Any]:
    """A verifier's call had its program as its input, and the data in the last line: `print(compare('x', 'y', ''))`."""
    new = {**old, "version": 3, "program": None}
    if old["purpose"] != "verification" or old["tool"] != "python":
        return new
    text, _, line = old["input"].rstrip("\n").rpartition("\n")
    form = "print(json.dumps({}))" if line.startswith("print(json.dumps(") else "print({})"
    start, end = form.split("{}")
    function = line.removeprefix(start).partition("(")[0]
    if function not in GLUED:
        return new
    name, parameters = GLUED[function]
    try:
        call = ast.parse(line.removeprefix(start).removesuffix(end), mode="eval").body
        arguments = [ast.literal_eval(argument) for argument in getattr(call, "args", ())]
        data = dict(zip(parameters, arguments, strict=True))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return new
    main = form.format(f"{function}(**json.loads(sys.stdin.buffer.read()))")
    source = f"{text}\n\n\ndef main():\n    import json, sys\n    {main}\n"
    program = {"name": name, "source": json.dumps({name: source}, ensure_ascii=False)}
    return {**new, "input": json.dumps(data, sort_keys=True), "program": program}


def _tool_called_1(old: dict[str, Any]) -> dict[str, Any]:
    unknown = dict.fromkeys(("stdout", "stdout_sha256", "stderr", "stderr_sha256"))
    return {**old, "version": 2, "denied": [], **unknown, "written": [], "deleted": []}


def _model_called_2(old: dict[str, Any]) -> dict[str, Any]:
    """The prompt was one text in SmolLM2's format, and a mean of 0 stood for none."""
    prompt = prompt_of(old["prompt"], old["question"])
    mean = old["mean_logprob"] if old["completion_tokens"] else None
    return {**old, "version": 3, "prompt": prompt, "mean_logprob": mean}


UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("RunStarted", 1): _configured_1,
    ("RunStarted", 2): _configured_2,
    ("RunStarted", 3): _configured_3,
    ("RunStarted", 4): _configured_4,
    ("RunStarted", 5): _configured_5,
    ("RunForked", 1): _configured_1,
    ("RunForked", 2): _configured_2,
    ("RunForked", 3): _configured_3,
    ("RunForked", 4): _configured_4,
    ("RunForked", 5): _configured_5,
    ("EvaluationStarted", 1): lambda old: {**old, "version": 2, "prompts": {}},  # nobody noted them
    ("TrainingStarted", 1): _training_started_1,
    ("TrainingStarted", 2): _training_started_2,
    ("TrainingStarted", 3): _training_started_3,
    ("AdapterTrained", 1): _adapter_trained_1,
    ("AdapterEvaluated", 1): _adapter_evaluated_1,
    ("AdapterPromoted", 1): lambda old: {**old, "version": 2, "test": None},
    ("AdapterRejected", 1): lambda old: {**old, "version": 2, "test": None, "leaks": []},
    ("TaskRequested", 1): lambda old: {**old, "version": 2, "source": "families"},
    ("TaskProposed", 1): _task_proposed_1,
    ("ProposalRejected", 1): lambda old: {**old, "version": 2},  # more reasons since
    ("ProposalRejected", 2): _proposal_rejected_2,
    ("ModelCalled", 1): lambda old: {**old, "version": 2, "question": None},
    ("ModelCalled", 2): _model_called_2,
    ("SolutionSubmitted", 1): lambda old: {**old, "version": 2},  # may be without a confidence since
    ("DatasetBuilt", 1): lambda old: {**old, "version": 2, "rows": "text"},
    ("DatasetBuilt", 2): lambda old: {**old, "version": 3, "thought": 0},
    ("DatasetBuilt", 3): lambda old: {**old, "version": 4, "method": "rft", "start": None, "left_out": {}},
    ("AttemptAbandoned", 1): lambda old: {**old, "version": 2, "reason": "the run was interrupted"},
    ("Verified", 1): _verified_1,
    ("ToolRequested", 1): _tool_requested_1,
    ("ToolRequested", 2): _tool_requested_2,
    ("ToolCalled", 1): _tool_called_1,
    ("RouteDecided", 1): lambda old: {**old, "version": 2},  # one more reason since
    ("RouteDecided", 2): lambda old: {**old, "version": 3, "sure": None},
    ("RouteAnswered", 1): lambda old: {**old, "version": 2, "sure": None},
}
"""(type, version) to what makes version + 1 of it."""

CURRENT_VERSIONS: dict[str, int] = {
    kind.model_fields["type"].default: kind.model_fields["version"].default for kind in get_args(Event)
}
"""Type to the version that is written today."""


def upcast(content: dict[str, Any]) -> dict[str, Any]:
    """Content of any known version as that of the current one.

    Raises StoreError for one of a newer agent0es, LogError for an unknown one.
    """
    kind, version = content["type"], content["version"]
    current = CURRENT_VERSIONS.get(kind)
    if version == current:
        return content
    if current is None or version > current:
        raise StoreError(f"{kind}@{version} was written by a newer agent0es; read this log with that one")
    while version < current:
        if (kind, version) not in UPCASTERS:
            raise LogError(f"{kind}@{version} can't be read: nothing turns it into {kind}@{version + 1}")
        content = UPCASTERS[kind, version](content)
        if content["version"] != version + 1:
            raise LogError(f"the upcaster of {kind}@{version} returned version {content['version']}")
        version += 1
    return content


def topics_of(kind: str) -> list[str]:
    """Topics under which events of a type may be stored: one for each version up to the current one."""
    return [f"{kind}@{version}" for version in range(1, CURRENT_VERSIONS[kind] + 1)]
