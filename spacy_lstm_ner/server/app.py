"""The web application of `python -m spacy lstm-ner visualize`: a page to try out a
pipeline, and its API.

    GET  /            the page
    POST /entities    {"texts": ["…"]} → see `Demo.entities`
    POST /gates       {"text": "…", "why": false} → see `Demo.gates`

Errors are sent as {"error": "…"}, and with status 503 and `Retry-After` if there are
too many requests at the same time. Only the page itself may send requests. Other pages
that are open in the browser can also reach a server on the same machine: by its
address, in which case `Origin` differs, or by a host name that resolves to it, in which
case `Host` differs.

A connection serves one request. A client that closes the connection, or its sending
side, before the response is taken to be no longer waiting.
"""

import io
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any

from ..exceptions import Cancelled, RequestError
from .demo import LIMITS, Demo
from .hosts import host_name, is_allowed_host
from .http_server import BoundedHTTPServer, TimedReader, print_traceback
from .request_parsing import (
    check_json_type,
    content_length,
    parse_json_object,
    single_header,
)

# In bytes: a character takes up to twelve in JSON, as two escapes, and each text has
# some overhead.
_MAX_BODY = 12 * LIMITS["text"] + 16 * LIMITS["texts"]

# Responses are not to be used by other pages, cached, or guessed at. The policy for
# scripts is in the page.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class DemoServer(BoundedHTTPServer):
    """Serves the demo page of a pipeline. `serve_forever` starts it.

    demo: The pipeline.
    host: The address to listen on.
    port: The port. 0: any free port. None: the default port, or the next free one.
    RAISES (OSError): For an address that this machine does not have, or a port that is
        in use.
    """

    def __init__(self, demo: Demo, host: str = "127.0.0.1", port: int | None = None):
        super().__init__(_Handler, host, port)
        self.demo = demo

    @property
    def url(self) -> str:
        """The URL of the page."""
        # A server that listens on all addresses can be reached at the loopback address.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.server_address[1]}/"

    def close(self) -> bool:
        """Close the port and the pipeline. Requests that are waiting get an error.

        RETURNS: Whether the thread of the pipeline has ended: see `Demo.close`.
        """
        self.close_port()
        has_ended = self.demo.close()
        self.join_connections()
        return has_ended


class _Handler(BaseHTTPRequestHandler):
    """Handles one request."""

    server: DemoServer
    server_version = "spacy-lstm-ner"
    sys_version = ""
    # Clients of HTTP/1.0 do not send "Expect: 100-continue".
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        reader = TimedReader(self.connection, self.server.request_seconds)
        self.rfile.close()
        self.rfile = io.BufferedReader(reader)

    def handle(self) -> None:
        # Connections that are kept open would keep their threads occupied.
        self.handle_one_request()

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        try:
            self._check_origin()
            methods, respond = self._route()
            if self.command not in methods:
                raise RequestError(
                    f"Use the method {methods[0]} for this path.",
                    HTTPStatus.METHOD_NOT_ALLOWED,
                )
            body, content_type = respond()
        except RequestError as error:
            self._send_error(error)
        except Cancelled:
            pass  # the client has disconnected
        except MemoryError:
            print_traceback()
            self._send_failure("Not enough memory for this text: use a shorter one.")
        except Exception as error:
            print_traceback()
            self._send_failure(f"The pipeline failed: {type(error).__name__}: {error}")
        else:
            self._send(body, content_type)

    def _is_disconnected(self) -> bool:
        """Return whether the client no longer waits. Other data that it sends is
        discarded."""
        try:
            self.connection.settimeout(0)
            return not self.connection.recv(1_024)
        except BlockingIOError:
            return False
        except OSError:
            return True

    # Routes

    def _route(self) -> tuple[tuple[str, ...], Callable[[], tuple[bytes, str]]]:
        """Return the methods of the requested path, and the function that returns the
        body and the content type of the response."""
        routes = {
            "/": (("GET", "HEAD"), self._page),
            "/entities": (("POST",), self._entities),
            "/gates": (("POST",), self._gates),
        }
        path = self.path.partition("?")[0]
        if path not in routes:
            raise RequestError("Not found: the page is at /", HTTPStatus.NOT_FOUND)
        return routes[path]

    def _page(self) -> tuple[bytes, str]:
        return self.server.demo.page.encode(), "text/html; charset=utf-8"

    def _entities(self) -> tuple[bytes, str]:
        texts = self._read_json().get("texts")
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise RequestError('"texts" must be a list of strings.')
        demo = self.server.demo
        return _as_json(demo.entities(texts, cancelled=self._is_disconnected))

    def _gates(self) -> tuple[bytes, str]:
        request = self._read_json()
        text, why = request.get("text"), request.get("why", False)
        if not isinstance(text, str) or not isinstance(why, bool):
            raise RequestError('"text" must be a string, and "why" true or false.')
        demo = self.server.demo
        return _as_json(demo.gates(text, why=why, cancelled=self._is_disconnected))

    # Requests

    def _check_origin(self) -> None:
        """RAISES (RequestError): If the request is not from the page of the server."""
        host = single_header(self.headers, "Host") or ""
        origin = single_header(self.headers, "Origin")
        if not is_allowed_host(host_name(host), self.server.host):
            raise RequestError(
                f"The host {host!r} is not allowed: open {self.server.url}, or start "
                f"the server with --host and this name.",
                HTTPStatus.FORBIDDEN,
            )
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise RequestError(
                f"Requests from {origin!r} are not allowed, only those from the page "
                f"of this server.",
                HTTPStatus.FORBIDDEN,
            )

    def _read_json(self) -> dict[str, Any]:
        check_json_type(self.headers)
        return parse_json_object(self._read_body())

    def _read_body(self) -> bytes:
        size = content_length(self.headers, limit=_MAX_BODY)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        try:
            body = self.rfile.read(size)
        except TimeoutError:
            raise RequestError(
                f"The request was not received within "
                f"{self.server.request_seconds:g} s.",
                HTTPStatus.REQUEST_TIMEOUT,
            ) from None
        except ConnectionError:
            body = b""
        if len(body) < size:
            raise Cancelled  # the client has disconnected
        return body

    def handle_expect_100(self) -> bool:
        return True  # `_read_body` sends it if the request is valid

    # Responses

    def _send_error(self, error: RequestError) -> None:
        headers = {}
        if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(self._route()[0])
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        self._send(*_as_json({"error": str(error)}), error.status, headers)

    def _send_failure(self, message: str) -> None:
        self._send_error(RequestError(message, HTTPStatus.INTERNAL_SERVER_ERROR))

    def _send(
        self,
        body: bytes,
        content_type: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.connection.settimeout(self.server.response_seconds)
        # A malformed request is taken for HTTP/0.9, whose responses have no status.
        self.request_version = self.protocol_version
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Respond to a malformed request, or one with an unknown method."""
        status = HTTPStatus(code)
        if status != HTTPStatus.NOT_IMPLEMENTED:
            self._send_error(RequestError(message or status.phrase, status))
            return
        try:
            methods, _ = self._route()
            reason = (
                f"The method {self.command} is not supported here, only "
                f"{', '.join(methods)}."
            )
            raise RequestError(reason, HTTPStatus.METHOD_NOT_ALLOWED)
        except RequestError as error:
            self._send_error(error)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the terminal is for what the user needs to know."""


def _as_json(response: dict[str, Any]) -> tuple[bytes, str]:
    """Return the body of a response, and its content type."""
    # The page could not parse a score that is NaN or infinite.
    return json.dumps(response, allow_nan=False).encode(), "application/json"
