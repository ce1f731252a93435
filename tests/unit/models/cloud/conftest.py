"""The four providers, each with its server."""

from collections.abc import Iterator

import pytest

from tests.support.providers.serving import KEY
from tests.support.providers.there import PROVIDERS, VARIABLE, There, running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


SLOW = ("google", "cohere")
"""Each takes seconds to import, and what follows from its errors is decided where that of the others is."""


@pytest.fixture(params=[pytest.param(one, marks=pytest.mark.slow) if one in SLOW else one for one in PROVIDERS])
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    with running(request.param) as started:
        yield started
