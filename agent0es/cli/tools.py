"""`agent0es tools`: what the student can call, and calls by hand within the same limits."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.output import json_line, json_option, printable, write_lines, write_table
from agent0es.files import LARGEST_TEXT, read_text

if TYPE_CHECKING:
    from agent0es.tools import ToolResult
    from agent0es.tools.policy import Policy

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file with settings."
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. tools.timeout_seconds=2."
)
domain_option = click.option("--domain", metavar="NAME", help="Use the limits of this task domain.")


@click.group("tools")
def tools_group() -> None:
    """List the tools, or call one by hand."""


@tools_group.command("list")
@config_option
@set_option
@domain_option
@json_option
def list_command(config_file: Path | None, overrides: tuple[str, ...], domain: str | None, as_json: bool) -> None:
    """List the installed tools and their limits.

    `enabled` tells whether the student may call a tool.
    """
    from agent0es.configuration import load_configuration
    from agent0es.taskdomains import load_task_domain
    from agent0es.tools.policy import policy_of
    from agent0es.tools.registry import installed_tools

    configuration = load_configuration(config_file, overrides)
    chosen = _known(domain) or configuration.curriculum.domains[0]
    enabled = configuration.tools.enabled or load_task_domain(chosen).tools
    found = []
    for name, tool in installed_tools().items():
        policy = policy_of(configuration.tools, name, chosen)
        found.append(
            {
                "tool": name,
                "enabled": name in enabled,
                "timeout_seconds": policy.limits.timeout_seconds,
                "memory_limit_mb": policy.limits.memory_limit_mb,
                "output_limit_bytes": policy.limits.output_limit_bytes,
                "calls_per_attempt": policy.calls_per_attempt,
                "calls_per_minute": policy.calls_per_minute,
                "allow": policy.limits.allow,
                "policy_sha256": policy.sha256,
                "description": f"broken: {tool}" if isinstance(tool, Exception) else tool.description,
                "schema": {} if isinstance(tool, Exception) else dict(tool.schema),
            }
        )
    if as_json:
        write_lines(map(json_line, found))
    else:
        columns = ("tool", "enabled", "timeout_seconds", "memory_limit_mb")
        rows = [[*(one[column] for column in columns), one["description"]] for one in found]
        write_table([*columns, "description"], rows)


@tools_group.command("run")
@click.argument("tool")
@click.option("--code", metavar="TEXT", help="The input.")
@click.option(
    "--input", "input_file", type=click.Path(path_type=Path), metavar="FILE", help="The input; - is standard input."
)
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Folder whose text files the tool gets."
)
@config_option
@set_option
@domain_option
@json_option
def run_command(
    tool: str,
    code: str | None,
    input_file: Path | None,
    folder: Path | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    domain: str | None,
    as_json: bool,
) -> None:
    """Call TOOL once, in the sandbox, within the limits of a run.

    The call is not logged; --json shows what an audit would. The exit code is 0 when the call succeeded, else 1.
    """
    from agent0es.configuration import load_configuration
    from agent0es.errors import ConfigurationError
    from agent0es.runs.tools import call_by_hand

    if (code is None) == (input_file is None):
        raise ConfigurationError("give the input with either --code TEXT or --input FILE")
    text = code if input_file is None else read_text(input_file)
    files = {} if folder is None else _files(folder)
    configuration = load_configuration(config_file, overrides)
    policy, result = asyncio.run(call_by_hand(configuration, tool, text or "", files, _known(domain)))
    if as_json:
        write_lines([json_line(_described(policy, result))])
    else:
        refused = f", refused: {printable(', '.join(result.denied))}" if result.denied else ""
        write_lines([f"{result.status} ({result.tier}{refused})", *map(printable, result.output.split("\n"))])
    sys.exit(0 if result.status == "ok" else 1)


def _known(domain: str | None) -> str | None:
    """The task domain, which is there. Raises ConfigurationError."""
    from agent0es import plugins

    return None if domain is None else plugins.find(plugins.TASK_DOMAINS, domain).name


def _files(folder: Path) -> dict[str, str]:
    """The text files of a folder, by relative path. Links are not followed."""
    from agent0es.errors import ConfigurationError

    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: is not a folder; name one with --dir")
    found = {}
    room = LARGEST_TEXT
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                room -= path.stat().st_size
                if room < 0:
                    raise ConfigurationError(
                        f"{folder}: holds more than {LARGEST_TEXT >> 20} MB; name a smaller folder"
                    )
                found[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            except OSError as error:
                raise ConfigurationError(f"{path}: {error.strerror or error}; leave it out of --dir") from None
    return found


def _described(policy: "Policy", result: "ToolResult") -> Mapping[str, Any]:
    """The call as JSON."""
    return {
        "tool": policy.tool,
        "status": result.status,
        "tier": result.tier,
        "output": result.output,
        "exit_code": result.exit_code,
        "denied": list(result.denied),
        "stdout": result.output if result.stdout is None and result.status == "ok" else result.stdout,
        "stdout_sha256": result.stdout_sha256,
        "stderr": result.stderr,
        "stderr_sha256": result.stderr_sha256,
        "written": [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in result.written],
        "files": None if result.files is None else dict(result.files),
        "policy_sha256": policy.sha256,
        "limits": {
            "timeout_seconds": policy.limits.timeout_seconds,
            "memory_limit_mb": policy.limits.memory_limit_mb,
            "output_limit_bytes": policy.limits.output_limit_bytes,
        },
        "resources": {
            "wall_seconds": round(result.wall_seconds, 4),
            "cpu_seconds": round(result.cpu_seconds, 4),
            "peak_memory_mb": round(result.peak_memory_mb, 1),
            "stdout_bytes": result.stdout_bytes,
            "stderr_bytes": result.stderr_bytes,
        },
    }
