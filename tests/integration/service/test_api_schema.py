"""The OpenAPI document is true: what a generator makes of it is answered as it says, and never with a 500."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.serving import answering

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = ["/api/v1/events/stream"]
STARTS = ["/api/v1/runs", "/api/v1/runs/{run}/forks", "/api/v1/runs/{run}/resume"]
"""Would start processes; test_api.py does."""


@pytest.fixture(scope="module")
def document(completed_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    store = shutil.copytree(completed_store, tmp_path_factory.mktemp("fuzzed") / "store")
    with answering(store) as url:
        found = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
        yield found.exclude(path=ENDLESS).exclude(path=STARTS, method="POST")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case: Any) -> None:
    case.call_and_validate(checks=CHECKS, timeout=120)
