"""A local page to try a pipeline: `python -m spacy lstm-ner visualize`.

    GET  /            the page
    POST /entities    {"texts": ["…"]} → see `Demo.entities`
    POST /gates       {"text": "…", "why": false} → see `Demo.gates`

What goes wrong is answered as {"error": "…"}, and with 503 and `Retry-After` where too
much is asked at once. Only the page itself may ask. Other pages that are open in the
browser reach a server on the same machine, too: by its address, which their `Origin`
tells, or by a name of theirs that leads to it, which `Host` tells.

A connection has one request. Who closes it before the answer, or only its own side, is
taken for somebody who does not wait any more.
"""

import errno
import io
import json
import signal
import socket
import sys
import traceback
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread, current_thread, main_thread
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ..exceptions import Cancelled, RequestError
from .demo import LIMITS, Demo

DEFAULT_PORT = 8000
# So many ports are tried where none is asked for.
_PORTS = 20
# In bytes: a character takes up to twelve in JSON, as two escapes; and for each text
# there is something around it.
_LARGEST_REQUEST = 12 * LIMITS["text"] + 16 * LIMITS["texts"]
# Seconds that who is answered early may go on sending, so that it reads the answer.
_LINGER = 3.0
# Seconds that the answers may take that are on their way at the end.
_LAST_ANSWERS = 0.2

# Nothing that is sent is for other pages, to be kept, or to be guessed at. The policy
# for scripts stands in the page.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_loopback(host: str) -> bool:
    """Is this an address that other machines cannot reach?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_in_browser(url: str) -> None:
    """Open a page in the user's browser, if there is one with a window."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    # Just this class stands for browsers that would take over the terminal.
    if type(browser) is not webbrowser.GenericBrowser:
        Thread(target=browser.open, args=(url,), daemon=True).start()


class DemoServer(HTTPServer):
    """Serves the page of a pipeline; `serve_forever` begins. Each connection has a
    thread; those that are too many wait until one is free.

    demo (Demo): The pipeline.
    host (str): The address to listen at.
    port (int | None): The port; 0: any that is free; None: the default port or, where
        it is taken, the next one that is free.
    RAISES (OSError): For an address that is not one of this machine, or a port that is
        taken.
    """

    #: So many connections are served at once: more than jobs may wait.
    most_connections = 128
    #: Seconds that a request may take to arrive, as a whole.
    request_seconds = 20.0
    #: Seconds that an answer may take to be received, as a whole.
    answer_seconds = 60.0
    # Connections that wait for the system to hand them over.
    request_queue_size = 1024
    # On Windows a second server would get the port of the first one.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, demo: Demo, host: str = "127.0.0.1", port: int | None = None):
        self.demo = demo
        self.host = host
        self._free = BoundedSemaphore(self.most_connections)
        self._threads: set[Thread] = set()
        self._stopping = False
        first, last = DEFAULT_PORT, DEFAULT_PORT + _PORTS - 1
        wanted = range(first, last + 1) if port is None else [port]
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        # Names that cannot be written as one of the internet are UnicodeErrors.
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise OSError(f"There is no address {host}: {said}.") from None
        self.address_family = found[0][0]
        for number in wanted:
            try:
                super().__init__((host, number), _Handler)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise OSError(
                        f"Nothing can be served at {host}, port {number}: "
                        f"{error.strerror}."
                    ) from None
        which = f"Ports {first} to {last} are" if port is None else f"Port {port} is"
        raise OSError(f"{which} taken: choose another one with --port.")

    @property
    def url(self) -> str:
        """Where the page is."""
        # What listens at all addresses is found at that of the machine itself.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.server_address[1]}/"

    def is_called(self, name: str | None) -> bool:
        """Is this a name or address by which the server may be called? The port is not
        looked at: it may be forwarded."""
        if name is None:
            return False
        if name in ("localhost", self.host):
            return True
        try:
            # A number is nobody's name, and cannot be made to lead elsewhere.
            return ip_address(name).is_loopback or not is_loopback(self.host)
        except ValueError:
            return False

    def server_bind(self) -> None:
        # HTTPServer would look up the name of the machine, which can take long.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, when there is one for it."""
        while not self._free.acquire(timeout=0.1):
            if self._stopping:
                self.close_request(request)
                return
        thread = Thread(
            target=self._serve_one, args=(request, client_address), daemon=True
        )
        self._threads.add(thread)
        try:
            thread.start()
        except BaseException:  # the system may have no more threads
            self._threads.discard(thread)
            self._free.release()
            raise

    def _serve_one(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            self._threads.discard(current_thread())
            self._free.release()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection once its client has read the answer: closed with anything
        unread, it is reset, and what was answered is lost."""
        end = monotonic() + _LINGER
        try:
            request.shutdown(socket.SHUT_WR)
            while not self._stopping and (left := end - monotonic()) > 0:
                request.settimeout(left)
                if not request.recv(65_536):
                    break
        except OSError:
            pass  # it has gone
        self.close_request(request)

    def shutdown(self) -> None:
        """End `serve_forever`."""
        self._stopping = True
        super().shutdown()

    def close(self) -> bool:
        """Let go of the port, and of the pipeline. Who waits is told so.

        RETURNS (bool): Whether the pipeline's thread has ended: see `Demo.close`.
        """
        self._stopping = True
        self.server_close()
        has_ended = self.demo.close()
        end = monotonic() + _LAST_ANSWERS
        for thread in list(self._threads):
            thread.join(max(0.0, end - monotonic()))
        return has_ended

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that does not wait for the answer has changed its mind.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            _print_traceback()


def serve_until_stopped(server: DemoServer) -> bool:
    """Serve until somebody presses Ctrl+C, or the process is asked to end (SIGTERM).

    server (DemoServer): The server, which is closed then.
    RETURNS (bool): Whether the pipeline's thread has ended: see `Demo.close`.
    """
    thread = Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    with _signals_kept() as signals:
        thread.start()
        while thread.is_alive() and not signals:
            sleep(0.05)
        if thread.is_alive():
            server.shutdown()
        # Who is impatient, and presses again, does not disturb that.
        return server.close()


@contextmanager
def _signals_kept() -> Iterator[list[int]]:
    """Add signals to a list that would end the process. Handlers that raise would do so
    anywhere, also in what cleans up; and one that sets an `Event` may wait for a lock
    that this very thread has."""
    signals: list[int] = []
    before: dict[int, Any] = {}
    if current_thread() is main_thread():  # no other may
        for number in (signal.SIGINT, signal.SIGTERM):
            # A shell has processes in the background ignore Ctrl+C.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda n, _: signals.append(n))
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Arriving(io.RawIOBase):
    """What a client sends, until its time is up. (The timeout of a socket begins again
    with each byte.)"""

    def __init__(self, connection: socket.socket, seconds: float):
        self._connection = connection
        self._end = monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: DemoServer
    server_version = "spacy-lstm-ner"
    sys_version = ""
    # Clients of the older one do not ask whether they should go on ("Expect").
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        arriving = _Arriving(self.connection, self.server.request_seconds)
        self.rfile.close()
        self.rfile = io.BufferedReader(arriving)

    def handle(self) -> None:
        # Connections that are kept open would be threads that are kept waiting.
        self.handle_one_request()

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            self._check_caller()
            methods, answer = self._route()
            if self.command not in methods:
                raise RequestError(
                    f"That is asked for with {methods[0]}.",
                    HTTPStatus.METHOD_NOT_ALLOWED,
                )
            body, content_type = answer()
        except RequestError as error:
            self._send_error(error)
        except Cancelled:
            pass  # nobody waits
        except MemoryError:
            _print_traceback()
            self._send_failure("There is not enough memory for that: take less of it.")
        except Exception as error:
            _print_traceback()
            said = f"The pipeline failed: {type(error).__name__}: {error}"
            self._send_failure(said)
        else:
            self._send(body, content_type)

    def _has_gone(self) -> bool:
        """Does the client not wait any more? What else it sends is not for anybody."""
        try:
            self.connection.settimeout(0)
            return not self.connection.recv(1_024)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _route(self) -> tuple[tuple[str, ...], Callable[[], tuple[bytes, str]]]:
        """The methods that a path has, and what answers."""
        routes = {
            "/": (("GET", "HEAD"), self._page),
            "/entities": (("POST",), self._entities),
            "/gates": (("POST",), self._gates),
        }
        path = self.path.partition("?")[0]
        if path not in routes:
            raise RequestError(
                "There is nothing here: the page is at /", HTTPStatus.NOT_FOUND
            )
        return routes[path]

    def _header(self, name: str) -> str | None:
        """The value of a header, which no two programs should read in two ways."""
        values = self.headers.get_all(name, [])
        if len(values) > 1:
            raise RequestError(f"The header {name} is there {len(values)} times.")
        return values[0] if values else None

    def _check_caller(self) -> None:
        host = self._header("Host") or ""
        origin = self._header("Origin")
        if not self.server.is_called(_host_name(host)):
            raise RequestError(
                f"This server is not called {host!r}: open {self.server.url}, or start "
                f"it with --host and that name.",
                HTTPStatus.FORBIDDEN,
            )
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise RequestError(
                f"Only the page of this server may ask it, and not {origin!r}.",
                HTTPStatus.FORBIDDEN,
            )

    def _page(self) -> tuple[bytes, str]:
        return self.server.demo.page.encode(), "text/html; charset=utf-8"

    def _entities(self) -> tuple[bytes, str]:
        texts = self._question().get("texts")
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise RequestError('"texts" has to be a list of strings.')
        demo = self.server.demo
        return _as_json(demo.entities(texts, cancelled=self._has_gone))

    def _gates(self) -> tuple[bytes, str]:
        question = self._question()
        text, why = question.get("text"), question.get("why", False)
        if not isinstance(text, str) or not isinstance(why, bool):
            raise RequestError('"text" has to be a string, and "why" true or false.')
        demo = self.server.demo
        return _as_json(demo.gates(text, why=why, cancelled=self._has_gone))

    def _question(self) -> dict[str, Any]:
        """What is asked, as JSON."""
        # Other pages could send anything else without asking first.
        self._header("Content-Type")
        if self.headers.get_content_type() != "application/json":
            raise RequestError(
                "The content type has to be application/json.",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        try:
            question = json.loads(self._read_body(), parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise RequestError("That is not JSON.") from None
        if not isinstance(question, dict):
            raise RequestError("That is not a JSON object.")
        return question

    def _read_body(self) -> bytes:
        length = self._header("Content-Length")
        if self._header("Transfer-Encoding") is not None:
            raise RequestError(
                "A content in chunks is not read: send it whole, and its length in "
                "Content-Length.",
                HTTPStatus.BAD_REQUEST if length else HTTPStatus.LENGTH_REQUIRED,
            )
        if length is None:
            raise RequestError(
                "The length of the content is missing: send it in Content-Length.",
                HTTPStatus.LENGTH_REQUIRED,
            )
        if not (length.isascii() and length.isdigit()):
            raise RequestError(f"The Content-Length {length!r} is not a number.")
        size = int(length) if len(length) < 20 else sys.maxsize
        if size > _LARGEST_REQUEST:
            raise RequestError(
                f"A request has at most {_LARGEST_REQUEST:,} bytes.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        try:
            body = self.rfile.read(size)
        except TimeoutError:
            raise RequestError(
                f"The request took longer than {self.server.request_seconds:g} s to "
                f"arrive.",
                HTTPStatus.REQUEST_TIMEOUT,
            ) from None
        except ConnectionError:
            body = b""
        if len(body) < size:
            raise Cancelled  # it has hung up
        return body

    def handle_expect_100(self) -> bool:
        return True  # `_read_body` says so, if the rest is right

    def _send_error(self, error: RequestError) -> None:
        headers = {}
        if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(self._route()[0])
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        self._send(*_as_json({"error": str(error)}), error.status, headers)

    def _send_failure(self, said: str) -> None:
        self._send_error(RequestError(said, HTTPStatus.INTERNAL_SERVER_ERROR))

    def _send(
        self,
        body: bytes,
        content_type: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.connection.settimeout(self.server.answer_seconds)
        # What is no request is taken for one of HTTP/0.9, whose answers have no status.
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
        """Answer what is no proper request, or has a method that nothing here has."""
        status = HTTPStatus(code)
        if status != HTTPStatus.NOT_IMPLEMENTED:
            self._send_error(RequestError(message or status.phrase, status))
            return
        try:
            methods, _ = self._route()
            said = f"There is no {self.command} here, only {', '.join(methods)}."
            raise RequestError(said, HTTPStatus.METHOD_NOT_ALLOWED)
        except RequestError as error:
            self._send_error(error)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what the user has to know."""


def _host_name(host: str) -> str | None:
    """The name in `Host`, without the port; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _as_json(answer: dict[str, Any]) -> tuple[bytes, str]:
    """The body of an answer, and its type."""
    # A score that is no number would not be read by the page.
    return json.dumps(answer, allow_nan=False).encode(), "application/json"


def _no_number(constant: str) -> None:
    """What Python reads in JSON, and JSON does not have: NaN and infinity."""
    raise ValueError(constant)


def _print_traceback() -> None:
    """Print the current error. It may quote a text, and what a terminal would obey."""
    said = "".join(
        char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1]
        for char in traceback.format_exc()
    )
    print(said, end="", file=sys.stderr)
