"""A real llama-server in a process of its own: `with LlamaServer(gguf) as server`, then `server.url`.

The package xllamacpp carries it. Run as a module it is that process, which ends when its standard input does.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

READY_SECONDS = 120


class LlamaServer:
    """`settings` are fields of llama.cpp's `common_params`, and `threads`; `lora` are adapters, off until asked for."""

    def __init__(self, model: Path, *, lora: tuple[Path, ...] = (), port: int = 0, **settings: Any) -> None:
        self._asked = {"model": str(model), "lora": [str(path) for path in lora], "port": port, **settings}
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> "LlamaServer":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(self._asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:  # llama.cpp talks there too
            if line.startswith("listening "):
                self.url = line.split()[1]
                return self
        raise AssertionError(f"llama-server ended with {self._process.wait()}")

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def main(asked: dict[str, Any]) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked.pop("model")
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in asked.pop("lora")]
    params.lora_init_without_apply = True
    params.cpuparams.n_threads, params.cpuparams.poll = asked.pop("threads", 1), 0  # it spins, and others work here too
    for name, value in asked.items():
        setattr(params, name, value)
    server = xllamacpp.Server(params)
    print("\nlistening", server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
