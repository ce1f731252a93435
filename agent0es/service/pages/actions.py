"""What somebody can do from a page: first a form, then the equivalent command to confirm, then it is done."""

import asyncio
import secrets
import shlex
import threading
from collections import OrderedDict

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from agent0es.configuration import Configuration
from agent0es.errors import UserError
from agent0es.runs import comparing, forking, launching, scheduling
from agent0es.runs.finding import find_run
from agent0es.runs.retracting import retract
from agent0es.service.context import Service
from agent0es.service.pages import forms
from agent0es.service.pages.rendering import Served, address, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

TITLES = {
    "start": "Start a run",
    "fork": "Fork a run",
    "resume": "Resume a run",
    "stop": "Pause a run",
    "retract": "Retract",
    "whatif": "What if",
    "schedule": "Schedule a command",
    "unschedule": "Remove a schedule",
}
OF_NO_RUN = ("start", "schedule", "unschedule")
OF_NO_FORM = ("stop", "resume", "unschedule")
HIDDEN = ("run", "at", "what", "reason", "name", "kind", "time", "command")
"""What a confirmation carries on, beside settings."""
MOST_DONE = 1_000
_turn = threading.Lock()
_done: OrderedDict[str, str] = OrderedDict()
"""Confirmations that were used, to where they led: sent twice, they do it once."""


def fields_of(settings: launching.Settings) -> list[forms.Field]:
    """The keys of a run's configuration, each with its value where nothing is changed. How the router asks, and where
    the log is, are no matter of a run."""
    known = forms.fields(Configuration.model_json_schema(), settings.load().model_dump(mode="json"))
    return [field for field in known if not field.key.startswith(("router.", "log."))]


@routes.get("/do/{action}")
def ask(service: Served, action: str, request: Request) -> Response:
    """The form of an action."""
    asked = dict(request.query_params)
    if _known(action) not in OF_NO_RUN:
        asked["run"] = find_run(service.log, asked.get("run", ""))
    if action in OF_NO_FORM:
        return _confirm(service, action, asked, [])
    first, rest = forms.by_section(fields_of(service.settings)) if action == "start" else ([], {})
    return page(action, title=TITLES[action], asked=asked, first=first, rest=rest, given=service.settings.words)


@routes.post("/do/{action}")
async def do(service: Served, action: str, request: Request) -> Response:
    """Show what would be done, or, where that was confirmed, do it."""
    form = await request.form()
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    _known(action)
    return await asyncio.to_thread(_answer, service, action, given)


def _answer(service: Service, action: str, given: dict[str, str]) -> Response:
    if action not in OF_NO_RUN:
        given["run"] = find_run(service.log, given.get("run", ""))
    overrides = forms.lines(given.get("settings", ""))
    match action:
        case "start":
            if "settings" not in given:
                overrides = forms.changed(given, fields_of(service.settings))
            service.settings.load(overrides)
        case "fork":
            forking.fork_settings(service.store, service.log, given["run"], _position(given), overrides)
        case "whatif":
            found = comparing.whatif(service.log, given["run"], overrides)
            command = service.command(["whatif", given["run"], *launching.set_words(overrides)])
            return page("whatif_found", run=given["run"], found=found, command=command, overrides=overrides)
    key = given.get("confirmed", "")
    if not key:
        return _confirm(service, action, given, overrides)
    with _turn:
        if key not in _done:
            _done[key] = _perform(service, action, given, overrides)
            while len(_done) > MOST_DONE:
                _done.popitem(last=False)
        return RedirectResponse(_done[key], 303)


def _confirm(service: Service, action: str, given: dict[str, str], overrides: list[str]) -> Response:
    words = _words(service, action, given, overrides)
    command = service.command(words) if words else launching.how_to_stop(service.log, given["run"])
    hidden: dict[str, str] = {name: given[name] for name in HIDDEN if name in given}
    if action in ("start", "fork"):
        hidden["settings"] = "\n".join(overrides)
    back = f"/runs/{address(given['run'])}" if "run" in given else "/schedules" if "name" in given else "/runs"
    key = secrets.token_urlsafe(12)
    return page("confirm", action=action, title=TITLES[action], command=command, hidden=hidden, key=key, back=back)


def _perform(service: Service, action: str, given: dict[str, str], overrides: list[str]) -> str:
    """Do it. Where to look then."""
    log, store = service.log, service.store
    words = _words(service, action, given, overrides)
    match action:
        case "start" | "fork":
            return f"/runs/{address(launching.launch_run(log, store, words))}"
        case "schedule" | "unschedule":
            launching.run_to_its_end(store, words)
            return "/schedules"
        case "resume":
            launching.launch_resume(log, store, given["run"])
        case "stop":
            launching.stop(log, given["run"])
        case "retract":
            retract(log, given["run"], given.get("what", ""), given.get("reason", ""), "pages")
            return f"/lineage/{address(given['run'])}/{address(given.get('what', '').partition('/')[0])}"
    return f"/runs/{address(given['run'])}"


def _words(service: Service, action: str, given: dict[str, str], overrides: list[str]) -> list[str]:
    """The command of an action."""
    match action:
        case "start":
            return ["run", *service.settings.words, *launching.set_words(overrides)]
        case "fork":
            return ["fork", given["run"], "--at", str(_position(given)), *launching.set_words(overrides)]
        case "resume":
            return ["run", "--resume", given["run"]]
        case "retract":
            return ["retract", given.get("what", ""), "--run", given["run"], "--reason", given.get("reason", "")]
        case "schedule":
            when = {given.get("kind", ""): given.get("time", "").strip()}
            command = _split(given.get("command", ""))
            return scheduling.words_to_add(service.log, given.get("name", "").strip(), command, when)
        case "unschedule":
            return ["schedule", "remove", scheduling.find(service.log, given.get("name", "")).added.schedule]
        case _:
            return []


def _split(command: str) -> list[str]:
    """The words of a command as a shell reads them, without the program's name."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"the command can't be read: {error}; close every quotation mark") from None
    return words[1:] if words[:1] == ["agent0es"] else words


def _position(given: dict[str, str]) -> int:
    text = given.get("at", "")
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) < 1:
        raise UserError(f"{text[:40]!r} is no position; give the number of an event")
    return int(text)


def _known(action: str) -> str:
    if action not in TITLES:
        raise UserError(f"there is no action {action[:40]!r}; there are {', '.join(TITLES)}")
    return action
