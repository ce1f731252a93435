"""Domains are found by name through an entry point group."""

from importlib.metadata import EntryPoint

import pytest

from agent0es.errors import ConfigurationError
from agent0es.plugins import TASK_DOMAINS as GROUP
from agent0es.taskdomains import load_task_domain

POINTS = [
    EntryPoint("math", "agent0es.taskdomains.math:MathDomain", GROUP),
    EntryPoint("broken", "agent0es.taskdomains.nothing:Here", GROUP),
]


def test_a_registered_domain_is_loaded() -> None:
    domain = load_task_domain("math", POINTS)
    assert domain.name == "math"
    assert "\n" not in domain.system and "\n" not in domain.teacher_system


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("maths", "did you mean 'math'"),
        ("zzz", "there are: broken, math"),
        ("broken", r"'broken' \(agent0es.taskdomains.nothing:Here of an unknown package\) can't be imported"),
    ],
)
def test_a_wrong_name_is_explained(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_task_domain(name, POINTS)


def test_the_installed_domain_is_found() -> None:
    assert load_task_domain("math").families("held_out")
