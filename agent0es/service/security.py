"""Who may ask the service, from where, and what a browser may do with its answers.

On this machine's own address everybody who can open a connection may ask; anywhere else only who has the token. What a
page of another site makes a browser send is refused: by the name that it used (DNS rebinding), and by where it says
that it comes from (cross-site writes).
"""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent0es.service.problems import problem

LOGIN, HEALTH = "/login", "/healthz"
OPEN = (LOGIN, HEALTH)
"""Paths that need no token."""
READS = ("GET", "HEAD", "OPTIONS")
MOST_BYTES = 4 * 1024 * 1024
"""Of the body of a request."""
SESSION_SECONDS = 30 * 24 * 3600
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a form says that it comes from nowhere: Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask."""

    token: str | None = None
    """None where everybody may."""
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    """Names by which the service may be called. An address is always one: only names can be rebound."""

    def is_host(self, said: str) -> bool:
        """Whether a Host header names this service: a name or an address, with or without a port, nothing else."""
        try:
            parts = urlsplit(f"//{said}")
            name, _ = parts.hostname or "", parts.port  # reading the port raises where it is none
        except ValueError:
            return False
        if parts.netloc != said or "@" in said:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.hosts
        return True

    def is_token(self, said: str) -> bool:
        """Whether this is the token; takes as long for any."""
        return self.token is not None and hmac.compare_digest(_digest(said), _digest(self.token))

    @property
    def session(self) -> str:
        """What the cookie of somebody holds who has shown the token. It ends with the token."""
        assert self.token is not None, "there is nothing to show"
        return hmac.new(self.token.encode(), b"agent0es session", hashlib.sha256).hexdigest()

    def admits(self, headers: Headers, cookie: str | None) -> bool:
        """Whether a request shows the token, or the session that came of it."""
        if self.token is None:
            return True
        scheme, _, said = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(said.strip()):
            return True
        return cookie is not None and hmac.compare_digest(_digest(cookie), _digest(self.session))


Why = tuple[int, str, str]
"""Status, kind and words of a refusal."""


def refusal(access: Access, method: str, headers: Headers) -> Why | None:
    """Why a request is refused whoever sends it; None where it is not. Pure."""
    host = headers.get("host", "")
    if not access.is_host(host):
        return 421, "unknown-host", f"{host[:100]!r} is no name of this service; allow it with --allow-host"
    if method in READS:
        return None
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none") or (origin is not None and _place(origin) != host):
        return 403, "cross-site", "another site may not write here"
    if "transfer-encoding" in headers:
        return 411, "length-required", "send the body with its Content-Length"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return 413, "too-large", f"the body may have {MOST_BYTES} bytes at most"
    return None


class Guard:
    """The service's app behind these rules."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        answer = self._refused(request)
        await (answer or self._app)(scope, receive, guarded)

    def _refused(self, request: Request) -> Response | None:
        if why := refusal(self._access, request.method, request.headers):
            return problem(request, *why)
        path = request.scope["path"]  # that of request.url is made with the Host header
        if self._access.token is None or path in OPEN:
            return None
        if request.method == "GET" and (linked := self._by_link(request)):
            return linked
        if self._access.admits(request.headers, request.cookies.get(cookie_name(request))):
            return None
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{LOGIN}?next={quote(_local(request), safe='')}", 303)
        words = "this service wants its token: send it as `Authorization: Bearer TOKEN`"
        return problem(request, 401, "unauthorized", words, {"WWW-Authenticate": "Bearer"})

    def _by_link(self, request: Request) -> Response | None:
        """Of a link with ?token=: the session, and the same address without the token."""
        if not self._access.is_token(request.query_params.get("token", "")):
            return None
        return admitted(request, self._access, _local(request))


def admitted(request: Request, access: Access, where: str) -> Response:
    """The answer to somebody who has shown the token: the session's cookie, and on to `where`."""
    answer = RedirectResponse(where, 303)
    site: Literal["strict"] = "strict"
    secure = request.url.scheme == "https"
    answer.set_cookie(
        cookie_name(request), access.session, SESSION_SECONDS, secure=secure, httponly=True, samesite=site
    )
    return answer


def cookie_name(request: Request) -> str:
    """Cookies do not know ports: each service of a machine has its own name."""
    server = request.scope.get("server")
    return f"agent0es_session_{server[1] if server else 0}"


def local_path(text: str) -> str:
    """The text where it is an address within the service, else `/`: nobody is sent elsewhere."""
    plain = text.isprintable() and "\\" not in text and text.startswith("/") and not text.startswith("//")
    return text if plain else "/"


def _place(origin: str) -> str | None:
    """Name and port that an Origin header says; None where it can't be read."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _local(request: Request) -> str:
    """Where a request goes, without the token."""
    rest = [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
    return local_path(request.url.path) + (f"?{urlencode(rest)}" if rest else "")


def _digest(text: str) -> bytes:
    """Of one length for all, so that comparing says nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
