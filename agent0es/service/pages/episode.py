"""One task with all its attempts, one attempt, and the table of held-out answers."""

from typing import Any

from fastapi import Response

from agent0es.runs import looking, watching
from agent0es.runs.finding import find_recorded
from agent0es.service.context import Service
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()


def whole(service: Service, run: str, attempt: str) -> dict[str, Any]:
    """An attempt, each reply with the surprise of its tokens, and with what it adds to the prompt before it."""
    found = looking.attempt(service.log, run, attempt)
    surprise = watching.surprise(service.log, run, attempt)
    replies = [step for step in found["steps"] if step["kind"] == "reply"]
    before = ""
    for step, nats in zip(replies, surprise, strict=True):
        step["surprise"] = nats
        step["added"] = step["prompt"].removeprefix(before)
        before = step["prompt"] + step["text"]
    return found


@routes.get("/runs/{run}/tasks/{number}")
def task(service: Served, run: str, number: int) -> Response:
    """A task: how it was proposed, all attempts side by side, and what they earned."""
    name = find_recorded(service.log, run)
    found = looking.task(service.log, name, number)
    attempts = [whole(service, name, one["attempt"]) for one in found["attempts"]]
    return page("task", run=name, task=found, attempts=attempts, weights=watching.weights_of(service.log, name))


@routes.get("/runs/{run}/attempts/{attempt:path}")
def attempt(service: Served, run: str, attempt: str) -> Response:
    """One attempt by itself, at a task or a held-out problem."""
    name = find_recorded(service.log, run)
    return page("attempt", run=name, attempts=[whole(service, name, attempt)], weights={})


@routes.get("/runs/{run}/held-out")
def held_out(service: Served, run: str) -> Response:
    """Each held-out problem, and who solved it."""
    name = find_recorded(service.log, run)
    with service.tables() as tables:
        answers = watching.examined(tables, name)
    arms = list(dict.fromkeys(arm for one in answers.values() for arm in one))
    return page("held_out", run=name, answers=answers, arms=arms)
