"""A command as a model, for `backends.py`: reads requests as JSON lines, has a llama-server answer them.

Usage: python asks_a_server.py ADDRESS < lines
"""

import http.client
import json
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

WRITING = threading.Lock()


def answer(server: str, line: str) -> None:
    """Ask and write the answer, in one line."""
    asked: dict[str, Any] = json.loads(line)
    connection = http.client.HTTPConnection(server, timeout=1800)
    body = {key: asked[key] for key in ("messages", "max_tokens", "temperature", "top_p") if key in asked}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    said = json.loads(connection.getresponse().read())
    choice, counted = said["choices"][0], said["usage"]
    written = {
        "id": asked.get("id"),
        "text": choice["message"]["content"],
        "finish_reason": "length" if choice["finish_reason"] == "length" else "stop",
        "usage": {"prompt": counted["prompt_tokens"], "written": counted["completion_tokens"]},
    }
    with WRITING:
        print(json.dumps(written), flush=True)


def main() -> None:
    """Each line is answered as it comes, beside the others."""
    server = urlsplit(sys.argv[1]).netloc
    for line in sys.stdin:
        threading.Thread(target=answer, args=(server, line)).start()


if __name__ == "__main__":
    main()
