"""An HTTP server with a bounded number of connections, each in its own thread."""

import errno
import io
import socket
import sys
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread, current_thread
from time import monotonic
from typing import Any

from ..util.text import escaped

DEFAULT_PORT = 8000
# Number of ports to try if none is given.
_PORTS = 20
# Seconds for which a client that got an early response may continue to send, so that it
# can read the response.
_LINGER_SECONDS = 3.0
# Seconds to wait at shutdown for responses that are being sent.
_SHUTDOWN_SECONDS = 0.2


class BoundedHTTPServer(HTTPServer):
    """An HTTP server with a bounded number of connections, each in its own thread.
    Further connections wait for a free thread. `serve_forever` starts it.

    handler: Handles a request.
    host: The address to listen on.
    port: The port. 0: any free port. None: the default port, or the next free one.
    RAISES (OSError): For an address that this machine does not have, or a port that is
        in use.
    """

    #: Maximum number of connections served at the same time. It is larger than the
    #: number of jobs that can wait for the pipeline.
    max_connections = 128
    #: Seconds within which a request must be received completely.
    request_seconds = 20.0
    #: Seconds within which a response must be accepted by the client completely.
    response_seconds = 60.0
    # Number of connections that the operating system may queue.
    request_queue_size = 1024
    # On Windows, a second server would otherwise get the port of the first one.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler],
        host: str = "127.0.0.1",
        port: int | None = None,
    ):
        self.host = host
        self._free = BoundedSemaphore(self.max_connections)
        self._threads: set[Thread] = set()
        self._stopping = False
        first, last = DEFAULT_PORT, DEFAULT_PORT + _PORTS - 1
        ports = range(first, last + 1) if port is None else [port]
        try:
            addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        # UnicodeError: the name cannot be encoded as a domain name.
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"Cannot resolve the address {host}: {reason}.") from None
        self.address_family = addresses[0][0]
        for number in ports:
            try:
                super().__init__((host, number), handler)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise OSError(
                        f"Cannot listen on {host}, port {number}: {error.strerror}."
                    ) from None
        which = f"Ports {first} to {last} are" if port is None else f"Port {port} is"
        raise OSError(f"{which} in use: choose another port with --port.")

    def server_bind(self) -> None:
        # `HTTPServer` would look up the name of the machine, which can take long.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, once one is free."""
        while not self._free.acquire(timeout=0.1):
            if self._stopping:
                self.close_request(request)
                return
        thread = Thread(
            target=self._serve_connection, args=(request, client_address), daemon=True
        )
        self._threads.add(thread)
        try:
            thread.start()
        except BaseException:  # the system may be out of threads
            self._threads.discard(thread)
            self._free.release()
            raise

    def _serve_connection(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            self._threads.discard(current_thread())
            self._free.release()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection once the client has read the response. A connection that
        is closed with unread data is reset, and the response is lost."""
        end = monotonic() + _LINGER_SECONDS
        try:
            request.shutdown(socket.SHUT_WR)
            while not self._stopping and (left := end - monotonic()) > 0:
                request.settimeout(left)
                if not request.recv(65_536):
                    break
        except OSError:
            pass  # the client has disconnected
        self.close_request(request)

    def shutdown(self) -> None:
        """Stop `serve_forever`."""
        self._stopping = True
        super().shutdown()

    def close_port(self) -> None:
        """Accept no more connections, and drop those that are waiting."""
        self._stopping = True
        self.server_close()

    def join_connections(self) -> None:
        """Wait a moment for responses that are being sent."""
        end = monotonic() + _SHUTDOWN_SECONDS
        for thread in list(self._threads):
            thread.join(max(0.0, end - monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client may disconnect before it has read the response.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            print_traceback()


class TimedReader(io.RawIOBase):
    """Reads from a connection until a deadline. (The timeout of a socket starts again
    with each byte.)

    connection: The connection.
    seconds: Seconds until the deadline.
    """

    def __init__(self, connection: socket.socket, seconds: float):
        self._connection = connection
        self._end = monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """RAISES (TimeoutError): After the deadline."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def print_traceback() -> None:
    """Print the current error to stderr, with control characters escaped: it may quote
    a text."""
    print(escaped(traceback.format_exc(), keep="\n\t"), end="", file=sys.stderr)
