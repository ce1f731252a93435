"""Secrets are told by the names of their keys, are in no file of a store, and come from the environment."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent0es.bootstrap import open_ports, open_store
from agent0es.configuration import Configuration, load_configuration
from agent0es.configuration.secrets import is_secret, url_without_secrets, with_secrets, without_secrets
from agent0es.errors import ConfigurationError
from agent0es.history.comparison import compare
from agent0es.history.forking import fork_configuration
from agent0es.projections import Projections
from agent0es.projections.snapshots import Snapshots
from agent0es.runs.forking import fork_run
from agent0es.runs.settings import configuration_of
from agent0es.runs.starting import check, start_run
from tests.support.package import install
from tests.unit.tools.sandboxes import needs_sandbox

SECRET = "sk-0123456789abcdef"

SECRETS = """api_key API_KEY apiKey api-key X-API-Key x-goog-api-key openai_api_key apikey key token auth_token
hf_token accessToken access_tokens password db_password sslpassword PGPASSWORD passwd passphrase secret client_secret
secretKey Authorization authorization Proxy-Authorization Cookie credentials private_key signing_key bearer""".split()

NO_SECRETS = """max_tokens tokens token_limit tokenizer eos_token pad_token bos_token stop_token keys_per_page keyboard
monkey keep_alive threads max_batch base_url organization name prefix_cache cache_key sort_key api_key_env
author authority secretary_name tokens_per_second""".split()


@pytest.mark.parametrize("key", SECRETS)
def test_a_key_that_names_a_secret(key: str) -> None:
    assert is_secret(key)
    assert without_secrets({"a": {key: SECRET}, "b": [{key: SECRET}]}) == {"a": {key: "***"}, "b": [{key: "***"}]}


@pytest.mark.parametrize("key", NO_SECRETS)
def test_a_key_that_names_none(key: str) -> None:
    assert not is_secret(key)
    assert without_secrets({key: "text", "n": {key: 7}}) == {key: "text", "n": {key: 7}}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://host/v1", "https://host/v1"),
        ("https://user@host/v1?model=a", "https://user@host/v1?model=a"),
        ("https://user:SECRET@host:8000/v1", "https://user:***@host:8000/v1"),
        ("https://user:SECRET%40@host", "https://user:***@host"),
        ("https://host/v1?api_key=SECRET&model=a", "https://host/v1?api_key=***&model=a"),
        ("https://host/v1?key=SECRET", "https://host/v1?key=***"),
        ("postgresql://u@h/d?password=SECRET&connect_timeout=3", "postgresql://u@h/d?password=***&connect_timeout=3"),
        ("postgresql://u@h/d?sslpassword=SECRET", "postgresql://u@h/d?sslpassword=***"),
        ("postgresql://u@h/d?pass%77ord=SECRET", "postgresql://u@h/d?pass%77ord=***"),
        ("postgresql://u:SECRET/?#@h/d", "postgresql://u:***@h/d"),
        ("sqlite:////folder/log.db?password=SECRET", "sqlite:////folder/log.db?password=***"),
        ("sqlite:///log.db", "sqlite:///log.db"),
        ("https://host/?#there", "https://host/?#there"),
        ("https://host:80/v1/@me", "https://host:80/v1/@me"),
        ("https://host/v1?key=SECRET#there", "https://host/v1?key=***#there"),
        ("HTTPS://u:p@SECRET@host", "HTTPS://u:***@host"),
        ("a text with a:b@c in it", "a text with a:b@c in it"),
    ],
)
def test_a_url_without_its_secrets(url: str, kept: str) -> None:
    assert url_without_secrets(url.replace("SECRET", SECRET)) == kept
    assert SECRET not in url_without_secrets(url.replace("SECRET", SECRET), mask="")


def test_what_is_under_a_secret_key_is_secret() -> None:
    kept = without_secrets({"credentials": {"user": "me", "port": 7, "list": ["a"]}, "api_key_env": "NAME"})
    assert kept == {"credentials": {"user": "***", "port": "***", "list": ["***"]}, "api_key_env": "NAME"}


def test_secrets_are_found_again_in_the_environment() -> None:
    options = {
        "api_key_env": "MY_KEY",
        "threads": 2,
        "headers": {"X-API-Key": "***", "Accept": "***"},
        "credentials": {"user": "***"},
        "base_url": "https://u:***@host",
    }
    environment = {
        "MY_KEY": SECRET,
        "AGENT0ES_MODELS__STUDENT__OPTIONS__HEADERS__X_API_KEY": "two",
        "AGENT0ES_MODELS__STUDENT__OPTIONS__CREDENTIALS__USER": "three",
        "AGENT0ES_MODELS__STUDENT__OPTIONS__BASE_URL": "https://u:four@host",
    }
    assert with_secrets(options, "models.student.options", environment) == {
        "api_key": SECRET,
        "threads": 2,
        "headers": {"X-API-Key": "two", "Accept": "***"},
        "credentials": {"user": "three"},
        "base_url": "https://u:four@host",
    }
    for name in environment:
        rest = {key: value for key, value in environment.items() if key != name}
        with pytest.raises(ConfigurationError, match=name):
            with_secrets(options, "models.student.options", rest)
    with pytest.raises(ConfigurationError, match="api_key is set as well"):
        with_secrets({"api_key": "a", "api_key_env": "MY_KEY"}, "models.student.options", environment)


@pytest.mark.parametrize("text", ["1e5", "{", "0x10", "yes", "123", "a: b", "null", "[", SECRET])
def test_a_secret_is_taken_as_it_stands(text: str) -> None:
    variable = {"AGENT0ES_MODELS__STUDENT__OPTIONS__API_KEY": text}
    assert load_configuration(environment=variable).models.student.options == {"api_key": text}
    whole = {"AGENT0ES_MODELS__STUDENT__OPTIONS": json.dumps({"api_key": text})}
    assert load_configuration(environment=whole).models.student.options == {"api_key": text}


def test_a_message_does_not_show_a_secret() -> None:
    for wrong in (
        f"log.url=host:{SECRET}/x",
        f"log.url=postgresql://u:{SECRET}@h:port/d",
        f"models.student.temperature={SECRET}",
        f"models.student.api_key_env={SECRET}",
        f"models.student.api_key={SECRET}",
        f"models.student.base_url=http://u:{SECRET}@h",
        f"models.student.options.api_key.x={{{SECRET}",
        f"models.student.options.headers={{password: {SECRET}, password: {SECRET}}}",
    ):
        with pytest.raises(ConfigurationError) as raised:
            load_configuration(overrides=[wrong], environment={})
        assert SECRET not in str(raised.value)


BACKEND = """
from agent0es.models.scripted import ScriptedBackend

class Keyed(ScriptedBackend):
    seen = []

    @classmethod
    def create(cls, name, *, cache=None, **options):
        cls.seen.append((name, options))
        return super().create("tests.support.world:respond")
"""
OPTIONS = {
    "api_key": SECRET,
    "headers": {"Authorization": f"Bearer {SECRET}", "Accept": "text"},
    "proxy": f"https://u:{SECRET}@host/v1?token={SECRET}",
    "list": [{"password": SECRET}],
}


@needs_sandbox
def test_a_secret_is_in_no_file_of_a_store_and_a_resumed_run_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    install(monkeypatch, tmp_path / "site", "keyed_models", BACKEND, {"agent0es.models": {"keyed": "Keyed"}})
    store = tmp_path / "store"
    model = {"backend": "keyed", "name": f"https://u:{SECRET}@host/m", "options": OPTIONS}
    variables = {f"AGENT0ES_MODELS__{role}": json.dumps(model) for role in ("TEACHER", "STUDENT")}
    configuration = load_configuration(None, [f"log.url=sqlite:///{store}/log.db?password={SECRET}"], variables)
    assert configuration.models.student.options == OPTIONS

    async def opened(of: Configuration) -> Any:
        async with open_ports(store, log, "run", of, lambda progress: None) as ports:
            return ports.configuration

    with open_store(store, create=True) as log:
        start_run(log, "run", configuration, asyncio.run(check(store, log, configuration)))
        import keyed_models  # type: ignore[import-not-found]

        assert keyed_models.Keyed.seen == [(model["name"], OPTIONS)], "the backend has the secrets; once for both roles"
        kept = configuration_of(log, "run")
        assert kept == configuration.without_secrets() == asyncio.run(opened(configuration))
        with pytest.raises(ConfigurationError, match="AGENT0ES_MODELS__STUDENT__OPTIONS__API_KEY"):
            asyncio.run(opened(kept))
        forked = fork_configuration(log, Snapshots(log), "run", 1, ["execution.attempts=3"])
        fork_run(log, "fork", "run", 1, forked, asyncio.run(check(store, log, configuration)))
        with Projections.open(log) as tables:
            tables.catch_up()
            assert compare(log, tables, "run", "fork")["configuration"] == {"execution.attempts": [2, 3]}
        for role in ("TEACHER", "STUDENT"):
            prefix = f"AGENT0ES_MODELS__{role}__"
            monkeypatch.setenv(f"{prefix}NAME", str(model["name"]))
            monkeypatch.setenv(f"{prefix}OPTIONS__API_KEY", SECRET)
            monkeypatch.setenv(f"{prefix}OPTIONS__HEADERS__AUTHORIZATION", f"Bearer {SECRET}")
            monkeypatch.setenv(f"{prefix}OPTIONS__PROXY", str(OPTIONS["proxy"]))
            monkeypatch.setenv(f"{prefix}OPTIONS__LIST__0__PASSWORD", SECRET)
        keyed_models.Keyed.seen.clear()
        asyncio.run(opened(kept))
        assert keyed_models.Keyed.seen == [(model["name"], OPTIONS)]
        log.export(store / "log.ndjson")
        assert SECRET not in json.dumps(log.raw(run="run"), default=str)
    found = [path for path in store.rglob("*") if path.is_file()]
    assert len(found) >= 2
    for path in found:
        assert SECRET.encode() not in path.read_bytes(), path
    assert os.environ["AGENT0ES_MODELS__STUDENT__OPTIONS__API_KEY"] == SECRET
