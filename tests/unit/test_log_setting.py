"""One URL says where the log is, and its password goes nowhere."""

from pathlib import Path

import pytest

from agent0es.bootstrap import open_store
from agent0es.configuration import Configuration, LogSettings, load_configuration
from agent0es.errors import ConfigurationError

URL = "postgresql://user:s%3Aecret%40@host:5432/database?connect_timeout=3"


def test_the_url_comes_from_a_setting_or_the_environment() -> None:
    assert load_configuration(overrides=[f"log.url={URL}"], environment={}).log.url == URL
    assert load_configuration(environment={"AGENT0ES_LOG__URL": URL}).log.url == URL
    assert load_configuration(environment={}).log.url is None


def test_a_configuration_is_kept_without_the_password() -> None:
    configuration = Configuration(log=LogSettings(url=URL))
    kept = "postgresql://user@host:5432/database?connect_timeout=3"
    assert configuration.model_dump(mode="json")["log"] == configuration.model_dump()["log"] == {"url": kept}
    assert "ecret" not in configuration.log.model_dump_json()
    assert Configuration().model_dump()["log"] == {"url": None}


def test_what_is_no_url_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("localhost:5432/x", "log.db", "user:secret@host", "postgresql:/x"):
        monkeypatch.setenv("AGENT0ES_LOG__URL", url)
        with pytest.raises(ConfigurationError, match=r"^log\.url .*must be a URL such as [^\n]*$") as refused:
            open_store(tmp_path)
        assert "secret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
