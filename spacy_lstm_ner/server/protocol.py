"""Limits of connections, which uvicorn does not have: how many there are, and how long
a request may take to arrive and a response to be accepted.

`LimitedProtocol` extends uvicorn's protocol at the methods that asyncio and the parser
call. `ConnectionLimits` knows all connections of a server, and looks at them once a
second: a timer for each request would take longer.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .body import to_json
from .checks import MAX_HEADERS
from .settings import Settings

# Seconds between two looks at all connections, at most.
_INTERVAL = 1.0


class ConnectionLimits:
    """The connections of a server, and their limits.

    settings: The limits.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self.all: set[LimitedProtocol] = set()
        #: Those without a request that has arrived completely, in the order in which
        #: they have been idle since. (A dict, since sets have no order.)
        self.idle: dict[LimitedProtocol, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look at the connections regularly. To be called in the event loop."""
        seconds = min(self._settings.receive_seconds, self._settings.send_seconds)
        delay = min(_INTERVAL, seconds / 4)
        self._timer = asyncio.get_running_loop().call_later(delay, self._look)

    def close(self) -> None:
        """End all connections at once. To be called in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self.all):
            connection.transport.abort()

    def make_room(self) -> None:
        """Close the connection that has been idle for the longest time, if there are
        too many: somebody who opens many must not lock others out."""
        if len(self.all) > self._settings.connections:
            for oldest in self.idle:
                oldest.transport.abort()
                self.idle.pop(oldest)
                break

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.all):
            connection.look(
                now, self._settings.receive_seconds, self._settings.send_seconds
            )
        self.start()


class _JoinedWrites:
    """A transport that sends the head of a response together with its body. uvicorn
    writes both separately, and each write wakes the client."""

    def __init__(self, transport: Any):
        self._transport = transport
        self._head = b""
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.is_closing = transport.is_closing
        self.get_write_buffer_size = transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send the head of a response that has no body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class LimitedProtocol(HttpToolsProtocol):
    """A connection. The attribute `limits` is set by a subclass for each server."""

    limits: ConnectionLimits

    def connection_made(self, transport: Any) -> None:
        self._writes = _JoinedWrites(transport)
        super().connection_made(cast(asyncio.Transport, self._writes))
        #: When the request began that has not arrived completely; None: there is none.
        self._began: float | None = self.loop.time()
        self._in_headers = True
        self._header_bytes = 0
        #: Since when the client has not accepted what is to be sent, and how much.
        self._stuck: tuple[float, int] | None = None
        self.limits.all.add(self)
        self.limits.make_room()
        self.limits.idle[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.all.discard(self)
        self.limits.idle.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._began is None:
            self._began = self.loop.time()
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MAX_HEADERS:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The headers have more than {MAX_HEADERS:,} bytes.",
            )

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._header_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._began = None
        self._in_headers = True
        self.limits.idle.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._writes.flush()
        self.limits.idle[self] = None
        super().on_response_complete()

    def look(self, now: float, receive_seconds: float, send_seconds: float) -> None:
        """End the connection if the client is too slow."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self._stuck = None
        elif self._stuck is None or waiting < self._stuck[1]:
            self._stuck = now, waiting
        elif now - self._stuck[0] > send_seconds:
            self.transport.abort()
            return
        if self._began is not None and now - self._began > receive_seconds:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The request was not received within {receive_seconds:g} s.",
            )

    def send_400_response(self, msg: str) -> None:
        """Respond to what is no request."""
        self._refuse(HTTPStatus.BAD_REQUEST, "This is not a valid HTTP request.")

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Send an error, unless the response has begun, and close the connection."""
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self._in_headers:
            body = to_json({"error": message})
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\n"
                f"content-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
