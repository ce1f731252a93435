"""Isolation for code that a model wrote: commands go in, data comes out. Never runs anything unisolated."""

from agent0es.sandbox.base import Sandbox, SandboxCommand, SandboxResult
from agent0es.sandbox.bubblewrap import BubblewrapSandbox
from agent0es.sandbox.limits import SandboxLimits
from agent0es.sandbox.probing import Plan, Report, probe

__all__ = [
    "BubblewrapSandbox",
    "Plan",
    "Report",
    "Sandbox",
    "SandboxCommand",
    "SandboxLimits",
    "SandboxResult",
    "probe",
]
