"""A server that talks as vLLM's OpenAI-compatible one does (0.32), with a script for a model.

It has its routes, statuses, messages and events for what agent0es uses, and is strict where servers are: unknown
fields, roles, models and adapters are refused. A token is a word with the space before it. The real client `openai`
talks to it in `tests/integration/models/test_openai_compatible.py`.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent0es.domain.prompt import Message
from agent0es.models.base import GenerationRequest
from tests.support.http_server import Answer, HttpServer, Request, events, json_answer

Script = Callable[[GenerationRequest, str | None], str]
"""(request, adapter) to what the model writes before stop strings and bounds. Must be a pure function."""
TOKEN = re.compile(r"\s*\S+|\s+")
END = (2, "<|im_end|>")
"""The token that ends a turn."""
FIELDS = frozenset(
    """model messages stream stream_options max_tokens max_completion_tokens temperature top_p top_k min_p seed stop
    repetition_penalty response_format logprobs top_logprobs return_token_ids continue_final_message
    add_generation_prompt chat_template_kwargs n""".split()
)


class Refused(Exception):
    def __init__(self, status: int, message: str, kind: str = "BadRequestError") -> None:
        super().__init__(message)
        self.status, self.error = status, {"message": message, "type": kind, "param": None, "code": status}


class OpenAiServer(HttpServer):
    """Serves while it is open; `adapters` are those that it has loaded, by name, with their folders."""

    def __init__(
        self,
        script: Script,
        model: str = "tiny",
        *,
        context: int = 4096,
        key: str | None = None,
        thinking: str = "",
        calls: tuple[tuple[str, dict[str, Any]], ...] = (),
        runtime_lora: bool = True,
    ) -> None:
        """`thinking` comes before each answer, `calls` are native calls of tools after it."""
        super().__init__(self._reply)
        self.adapters: dict[str, str] = {}
        self.model, self.context, self.key = model, context, key
        self._script, self._thinking, self._calls, self._runtime_lora = script, thinking, calls, runtime_lora
        self._numbers = itertools.count()

    def restart(self) -> None:
        """It forgets what it had loaded."""
        self.adapters = {}

    async def _reply(self, request: Request) -> Answer:
        try:
            if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
                return json_answer({"error": "Unauthorized"}, 401)
            match request.method, request.path:
                case "GET", "/health":
                    return Answer(b"")
                case "GET", "/v1/models":
                    return json_answer({"object": "list", "data": self._cards()})
                case "POST", "/v1/chat/completions":
                    return self._chat(request.json)
                case "POST", "/v1/load_lora_adapter" if self._runtime_lora:
                    return self._load(request.json)
                case "POST", "/v1/unload_lora_adapter" if self._runtime_lora:
                    return self._unload(request.json)
                case _, "/v1/load_lora_adapter" | "/v1/unload_lora_adapter" if self._runtime_lora:
                    return json_answer({"detail": "Method Not Allowed"}, 405)
            return json_answer({"detail": "Not Found"}, 404)
        except Refused as refused:
            return json_answer({"error": refused.error}, refused.status)

    def _cards(self) -> list[dict[str, Any]]:
        common = {"object": "model", "created": 1_780_000_000, "owned_by": "vllm"}
        base = {"id": self.model, **common, "root": self.model, "parent": None, "max_model_len": self.context}
        loaded = [{"id": name, **common, "root": at, "parent": self.model} for name, at in self.adapters.items()]
        return [base, *loaded]

    def _load(self, body: dict[str, Any]) -> Answer:
        name, path = body["lora_name"], body["lora_path"]
        if name in self.adapters and not body.get("load_inplace"):
            raise Refused(400, f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in "
                               "place, set 'load_inplace' to True.", "InvalidUserInput")  # fmt: skip
        if not (Path(path) / "adapter_config.json").is_file():
            raise Refused(404, f"Loading lora {name} failed: No adapter found for {path}", "NotFoundError")
        self.adapters[name] = path
        return Answer(f"Success: LoRA adapter '{name}' added successfully.".encode())

    def _unload(self, body: dict[str, Any]) -> Answer:
        if self.adapters.pop(body["lora_name"], None) is None:
            raise Refused(404, f"The lora adapter '{body['lora_name']}' cannot be found.", "NotFoundError")
        return Answer(f"Success: LoRA adapter '{body['lora_name']}' removed successfully.".encode())

    def _chat(self, body: dict[str, Any]) -> Answer:
        if unknown := body.keys() - FIELDS:
            raise Refused(400, f"Extra inputs are not permitted: {', '.join(sorted(unknown))}")
        if body["model"] not in (self.model, *self.adapters):
            raise Refused(404, f"The model `{body['model']}` does not exist.", "NotFoundError")
        if any(turn["role"] not in ("system", "user", "assistant", "tool") for turn in body["messages"]):
            raise Refused(400, "Unexpected message role.")
        written, tokens, reason, stop_reason = self._write(body)
        read = [token for turn in body["messages"] for token in TOKEN.findall(turn["content"])]
        if len(read) + body.get("max_tokens", 1) > self.context:
            raise Refused(
                400,
                f"This model's maximum context length is {self.context} tokens. However, you requested "
                f"{body.get('max_tokens')} output tokens and your prompt contains {len(read)} input tokens. Please "
                "reduce the length of the input prompt or the number of requested output tokens.",
            )
        usage = {
            "prompt_tokens": 1 + len(read),
            "completion_tokens": len(tokens),
            "total_tokens": 1 + len(read) + len(tokens),
            "prompt_tokens_details": None,
        }
        common = {"id": f"chatcmpl-{next(self._numbers)}", "created": 1_780_000_000, "model": body["model"]}
        if not body.get("stream"):
            message = {"role": "assistant", "content": written, "tool_calls": []}
            choice = {
                "index": 0,
                "message": message,
                "logprobs": {"content": [_logprob(token) for token in tokens]} if body.get("logprobs") else None,
                "finish_reason": reason,
                "stop_reason": stop_reason,
            }
            return json_answer({**common, "object": "chat.completion", "choices": [choice], "usage": usage})
        return events(self._stream(body, common, written, tokens, reason, stop_reason, usage), pause=0.001)

    def _write(self, body: dict[str, Any]) -> tuple[str, list[str], str, str | None]:
        """(text, its tokens with those of thinking and the end, finish_reason, the stop string)."""
        turns = [Message(turn["role"], turn["content"]) for turn in body["messages"]]
        begun = turns.pop().content if body.get("continue_final_message") else ""
        request = GenerationRequest(
            tuple(turns),
            body.get("max_tokens", 16),
            prefill=begun,
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            seed=body.get("seed") or 0,
            json_schema=(body.get("response_format") or {}).get("json_schema", {}).get("schema"),
        )
        adapter = None if body["model"] == self.model else body["model"]
        whole = self._script(request, adapter)
        stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
        ends = sorted((at, one) for one in stops if (at := whole.find(one)) >= 0)
        thought, tokens = TOKEN.findall(self._thinking), TOKEN.findall(whole)
        room = max(0, request.max_tokens - len(thought))
        if ends and len(TOKEN.findall(whole[: ends[0][0]])) < room + 1:
            at, stop = ends[0]
            made = list(_until(tokens, at + len(stop)))[:room]
            return whole[:at], [*thought, *made], "stop", stop
        if len(tokens) + 1 > room:
            return "".join(tokens[:room]), [*thought, *tokens[:room]][: request.max_tokens], "length", None
        return whole, [*thought, *tokens, END[1]], "tool_calls" if self._calls else "stop", None

    def _stream(
        self,
        body: dict[str, Any],
        common: dict[str, Any],
        written: str,
        tokens: list[str],
        reason: str,
        stop_reason: str | None,
        usage: dict[str, Any],
    ) -> Iterator[dict[str, Any]]:
        def chunk(delta: dict[str, Any], token: str | None = None, **more: Any) -> dict[str, Any]:
            choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **more}
            if token is not None and body.get("logprobs"):
                choice["logprobs"] = {"content": [_logprob(token)]}
            if token is not None and body.get("return_token_ids"):
                choice["token_ids"] = [_id(token)]
            return {**common, "object": "chat.completion.chunk", "choices": [choice]}

        yield chunk({"role": "assistant", "content": ""})
        thought, said = len(TOKEN.findall(self._thinking)), 0
        for place, token in enumerate(tokens):
            if place < thought:
                yield chunk({"reasoning_content": token}, token)
                continue
            piece = written[said : said + len(token)]
            said += len(token)
            yield chunk({"content": piece}, token)
        for index, (name, arguments) in enumerate(self._calls if reason == "tool_calls" else ()):
            first, rest = json.dumps(arguments)[:4], json.dumps(arguments)[4:]
            function = {"name": name, "arguments": first}
            yield chunk({"tool_calls": [{"index": index, "id": f"c{index}", "type": "function", "function": function}]})
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": rest}}]})
        yield chunk({}, finish_reason=reason, stop_reason=stop_reason)
        if (body.get("stream_options") or {}).get("include_usage"):
            yield {**common, "object": "chat.completion.chunk", "choices": [], "usage": usage}


def _until(tokens: list[str], length: int) -> Iterator[str]:
    """The tokens that spell the first so many letters."""
    spelt = 0
    for token in tokens:
        if spelt >= length:
            return
        spelt += len(token)
        yield token


def _id(token: str) -> int:
    return END[0] if token == END[1] else 3 + int.from_bytes(hashlib.sha256(token.encode()).digest()[:2])


def _logprob(token: str) -> dict[str, Any]:
    one = {
        "token": token,
        "logprob": math.log(0.5 + hashlib.sha256(token.encode()).digest()[4] / 512),
        "bytes": list(token.encode()),
    }
    return {**one, "top_logprobs": [one]}
