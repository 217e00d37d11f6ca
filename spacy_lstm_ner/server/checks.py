"""Checks of a request before its body is read."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus

from ..exceptions import RequestError
from .access_token import has_token
from .hosts import host_name, is_allowed_host
from .settings import Settings

#: Paths that need no token. They contain no texts, and nothing about them.
PUBLIC = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
#: Paths that may be requested by any name of the server: probes often use its address.
_PROBES = frozenset({"/health", "/ready"})
#: Maximum size of all headers together in bytes.
MAX_HEADERS = 65_536
_MAX_HEADER_LINES = 100

# Of these, two programs could read a different one each.
_SINGLE = (b"host", b"origin", b"content-type", b"authorization")


class RequestChecks:
    """Checks that a request comes from somebody who may use the server.

    Pages of others that are open in the browser of a user could also send requests: to
    the address of the server, in which case `Origin` differs, or to a host name that
    resolves to it, in which case `Host` differs.

    host: The address that the server listens on.
    url: The URL of the server, for messages.
    settings: Who may use the server.
    """

    def __init__(self, host: str, url: str, settings: Settings):
        self._host = host
        self._url = url
        self._settings = settings
        # Clients use the same few names again and again.
        self._is_allowed = lru_cache(maxsize=64)(self._is_allowed_host)

    def _is_allowed_host(self, header: str) -> bool:
        return is_allowed_host(
            host_name(header), self._host, self._settings.allowed_hosts
        )

    def check(self, path: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """RAISES (RequestError): If the request is not allowed."""
        found: dict[bytes, bytes] = {}
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            if name in found and name in _SINGLE:
                raise RequestError(f"The header {name.decode()} occurs several times.")
            found[name] = value
        if size > MAX_HEADERS or len(headers) > _MAX_HEADER_LINES:
            raise RequestError(
                f"The request has more than {_MAX_HEADER_LINES} headers, or they have "
                f"more than {MAX_HEADERS:,} bytes.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        if path in _PROBES:
            return
        self._check_host(found.get(b"host", b""), found.get(b"origin"))
        token = self._settings.token
        if token is None or path in PUBLIC:
            return
        if not has_token(found.get(b"authorization", b""), token):
            raise RequestError(
                "The token is missing or wrong: send the header Authorization: Bearer "
                "and the token.",
                HTTPStatus.UNAUTHORIZED,
            )

    def _check_host(self, host_header: bytes, origin_header: bytes | None) -> None:
        host = host_header.decode("latin-1")
        if not self._is_allowed(host):
            raise RequestError(
                f"The host {host!r} is not allowed: open {self._url}, or start the "
                f"server with --allowed-host and this name.",
                HTTPStatus.FORBIDDEN,
            )
        if origin_header is None:
            return
        origin = origin_header.decode("latin-1")
        if origin not in (f"http://{host}", f"https://{host}"):
            raise RequestError(
                f"Requests from {origin!r} are not allowed, only those from the page "
                f"of this server.",
                HTTPStatus.FORBIDDEN,
            )


def check_json_type(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """RAISES (RequestError): Unless the content type is JSON. Pages of other origins
    can send other types without a preflight request."""
    for name, value in headers:
        if name == b"content-type":
            if value.partition(b";")[0].strip().lower() == b"application/json":
                return
            break
    raise RequestError(
        "The content type must be application/json.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    )
