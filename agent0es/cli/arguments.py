"""How commands are told which run is meant: its name, a prefix of it, or the latest where it is left out."""

import click

run_argument = click.argument("run", metavar="[RUN]", default="latest")
"""Of commands about a run."""

run_option = click.option(
    "--run", metavar="RUN", default="latest", show_default=True, help="The run: its name or a prefix of it."
)
"""Of commands whose argument is one thing in a run: an attempt, a call, an adapter."""
