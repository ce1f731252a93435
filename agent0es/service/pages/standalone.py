"""A run as one file for those who have no server: its page at its end, with everything that it needs inside."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from agent0es.log import EventLog
from agent0es.runs import watching
from agent0es.service.pages import plots
from agent0es.service.pages.rendering import STATIC, render, source_of
from agent0es.service.pages.run import BODIES

if TYPE_CHECKING:
    from agent0es.projections import Projections

STYLES = ("uplot/uPlot.min.css", "app.css")
SCRIPTS = ("uplot/uPlot.iife.min.js", "charts.js", "app.js")


def standalone(log: EventLog, tables: "Projections", store: Path, run: str) -> str:
    """The file's text. A browser that shows it asks nobody for anything, and runs no script but ours."""
    moment = {**watching.moment(log, tables, run), "weights": watching.weights_of(log, run)}
    style, script = (_joined(names) for names in (STYLES, SCRIPTS))
    policy = f"default-src 'none'; img-src data:; style-src {source_of(style)}; script-src {source_of(script)}"
    return render(
        "standalone.html",
        m=moment,
        bodies={body: without_links(render(f"panels/{body}.html", m=moment)) for body in BODIES},
        plots=plots.of_moment(moment),
        points=watching.task_map(tables, store, run),
        policy=policy,
        style=Markup(style),
        script=Markup(script),
    )


def without_links(html: str) -> str:
    """A part of a page whose links would lead nowhere. Text from models has no tags: it is escaped. Pure."""
    return re.sub(r"<a\b[^>]*>|</a>", "", html)


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
