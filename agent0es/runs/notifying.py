"""Telling somebody of an alert: a web hook, a program. What can't be told is said in the program's own log."""

import json
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agent0es.errors import ConfigurationError

if TYPE_CHECKING:
    from agent0es.configuration import AlertsSettings

TRIES = 3
PAUSE_SECONDS = 1.0
"""Before the second try; before each further one twice as long."""
WAIT_SECONDS = 5.0
"""For a web hook's answer."""
PROGRAM_SECONDS = 30.0
"""How long a program may take."""

_log = logging.getLogger("agent0es.alerts")


def webhook_of(settings: "AlertsSettings") -> str | None:
    """The URL that alerts are posted to. Raises ConfigurationError where the variable has none."""
    from agent0es.configuration.secrets import key_is_in

    if settings.webhook_env is None:
        return None
    url = os.environ.get(settings.webhook_env, "").strip()
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"alerts.webhook_env: the environment variable {settings.webhook_env[:60]!r} has no URL with http:// or https://"
        )
    key_is_in(settings.webhook_env)
    return url


def notify(
    said: Mapping[str, Any], url: str | None, command: tuple[str, ...], sleep: Callable[[float], object] = time.sleep
) -> None:
    """Tell everybody. Blocks for some seconds where nobody answers; raises nothing for that."""
    text = json.dumps(said)
    if url is not None:
        _post(text, url, sleep)
    if command:
        _run(text, command)


def _post(text: str, url: str, sleep: Callable[[float], object]) -> None:
    """Post it, again where that may help: not where the server refuses it."""
    import httpx

    why = ""
    for attempt in range(TRIES):
        if attempt:
            sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            answer = httpx.post(
                url, content=text, headers={"Content-Type": "application/json"}, timeout=WAIT_SECONDS
            )  # follows no redirect
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = type(error).__name__  # its text may hold the URL
            continue
        if answer.is_success:
            return
        why = f"status {answer.status_code}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    _log.error("the web hook for alerts could not be told: %s", why)


def _run(text: str, command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, timeout=PROGRAM_SECONDS, check=False
        )  # no shell: a message is data
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.error("alerts.command: %s could not be run: %s", command[0], type(error).__name__)
        return
    if done.returncode:
        _log.error("alerts.command: %s ended with exit code %s", command[0], done.returncode)
