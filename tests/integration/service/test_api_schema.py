"""The OpenAPI document is true: what a generator makes of it is answered as it says, and never with a 500."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.serving import served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
"""Requests to each operation."""
ENDLESS = ["/api/v1/events/stream"]
STARTS = ["/api/v1/runs", "/api/v1/runs/{run}/forks", "/api/v1/runs/{run}/resume", "/api/v1/schedules"]
"""Would start processes; test_api.py does."""


@pytest.fixture(scope="module")
def document(completed_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    store = shutil.copytree(completed_store, tmp_path_factory.mktemp("fuzzed") / "store")
    # In a process of its own: two threads that parse Python at once can get "AST constructor recursion depth mismatch"
    # from Python 3.11 (gh-106905 of CPython), and both the library and pydantic parse some.
    with served(store) as service:
        found = schemathesis.openapi.from_url(f"{service.url}/api/v1/openapi.json")
        yield found.exclude(path=ENDLESS).exclude(path=STARTS, method="POST")


def test_every_answer_is_as_the_document_says(document: Any) -> None:
    """Operation by operation: the library's own plug-in for pytest does not work with pytest 9.2."""
    wrong, asked = {}, 0
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answered(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS, timeout=120)

        try:
            answered()
        except (AssertionError, ExceptionGroup) as error:
            wrong[operation.label] = str(error)
    assert not wrong, "\n\n".join(f"{label}: {why}" for label, why in wrong.items())
    assert asked > 100
