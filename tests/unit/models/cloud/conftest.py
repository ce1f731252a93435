"""The four providers, each with its server."""

from collections.abc import Iterator

import pytest

from tests.support.providers.serving import KEY
from tests.support.providers.there import PROVIDERS, VARIABLE, There, running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture(params=list(PROVIDERS))
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    with running(request.param) as started:
        yield started
