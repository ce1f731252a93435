"""Serve a store: the address, the token, and a clean end."""

import asyncio
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from agent0es.bootstrap import LOG_URL
from agent0es.configuration.loading import SERVICE_TOKEN
from agent0es.errors import ConfigurationError, UserError
from agent0es.files import read_text
from agent0es.runs import alerting, clock
from agent0es.runs.launching import Settings
from agent0es.service.app import create_app
from agent0es.service.connections import Connection
from agent0es.service.context import PATIENCE_SECONDS, Service, opened
from agent0es.service.security import Access

SHORTEST_TOKEN = 16
"""Characters."""
CUT_SECONDS = PATIENCE_SECONDS + 5
"""When connections are cut that are open still, after the service was told to stop."""


def access_of(host: str, token_file: Path | None, allowed: Sequence[str], tls: bool, plain_http: bool) -> Access:
    """Who may ask at an address. Raises ConfigurationError where too many could."""
    token = os.environ.get(SERVICE_TOKEN) if token_file is None else read_text(token_file)
    token = None if token is None else token.strip()
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        where = SERVICE_TOKEN if token_file is None else str(token_file)
        raise ConfigurationError(f"{where}: a token has {SHORTEST_TOKEN} characters of ASCII at least")
    if not _is_here(host):
        if token is None:
            raise ConfigurationError(
                f"at {host} others could ask it, so it needs a token: --token-file FILE, or {SERVICE_TOKEN} in the "
                "environment"
            )
        if not tls and not plain_http:
            raise ConfigurationError(
                f"at {host} the token would be readable on the way: give --tls-cert and --tls-key, or say --plain-http "
                "where something else encrypts"
            )
    known = {"localhost", "127.0.0.1", "::1", host.lower(), *(name.lower() for name in allowed)}
    return Access(token, frozenset(known))


def serve(
    store: Path,
    settings: Settings,
    access: Access,
    *,
    host: str,
    port: int,
    tls: tuple[Path, Path] | None = None,
    with_router: bool = False,
    on_listening: Callable[[str], object],
) -> None:
    """Answer until SIGTERM or Ctrl-C; `on_listening` is told the address. Raises UserError for one that can't be had,
    ConfigurationError, and what opening the store raises."""
    configuration = settings.load()
    if configuration.log.url is not None:
        os.environ[LOG_URL] = configuration.log.url  # for the processes that it starts
    with _bound(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        address = f"{'https' if tls else 'http'}://{shown}:{listening.getsockname()[1]}"

        async def answer() -> None:
            async with opened(store, configuration, with_router, settings) as service, _at_work(service):
                config = uvicorn.Config(
                    create_app(service, access),
                    http=Connection,
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    log_level="warning",
                    access_log=False,  # a link with a token would be in it
                    proxy_headers=False,
                    server_header=False,
                    timeout_graceful_shutdown=int(CUT_SECONDS),
                    **({} if tls is None else _certificate(*tls)),
                )
                await Server(config, service, lambda: on_listening(address)).serve(sockets=[listening])

        asyncio.run(answer())


class Server(uvicorn.Server):
    """Tells when it listens, and has streams end when it is told to stop."""

    def __init__(self, config: uvicorn.Config, service: Service, listening: Callable[[], object]) -> None:
        super().__init__(config)
        self._service, self._listening = service, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own would raise the signal again at the end, as if it had not been a clean one."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for one in signals:
            loop.add_signal_handler(one, self.stop)
        try:
            yield
        finally:
            for one in signals:
                loop.remove_signal_handler(one)

    def stop(self) -> None:
        """End when what is being answered has ended; at once, when told again."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._service.stop()


@asynccontextmanager
async def _at_work(service: Service) -> AsyncIterator[None]:
    """Alerts and schedules go on in the background. Raises ConfigurationError for a web hook that can't be."""
    stack = ExitStack()
    try:
        stack.enter_context(alerting.watched(service.store, service.log, service.configuration.alerts))
        stack.enter_context(clock.running(service.store, service.log))
        yield
    finally:
        await asyncio.to_thread(stack.close)  # which waits for what is being done


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the address. Raises UserError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(uvicorn.Config("").backlog)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"port {port} of {host} can't be had ({reason}); choose another with --port") from None
    return bound


def _certificate(cert: Path, key: Path) -> dict[str, Any]:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"--tls-cert {cert}, --tls-key {key}: {error.strerror or error}") from None
    return {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}


def _is_here(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
