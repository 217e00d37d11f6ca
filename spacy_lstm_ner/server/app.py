"""The web application: the routes of the API and of its pages.

    POST /entities      {"text": "…"} or {"texts": ["…"]} → the entities
    POST /gates         {"text": "…", "why": false} → the gates, as a part of the page
    GET  /              a page to try out the pipeline
    GET  /health        whether the server runs
    GET  /ready         whether it accepts requests
    GET  /metrics       counts and times, in the text format of Prometheus
    GET  /openapi.json  this API in the OpenAPI format
    GET  /docs          the same as a page

Errors are sent as {"error": "…"}, and to browsers that open a page as a page.
Starlette's `Router` dispatches to endpoints that are ASGI applications themselves: with
its `Request`, `Response` and middleware, the server would need twice the time for each
request.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from ..exceptions import Cancelled, RequestError
from ..pages.api_page import api_page
from ..pages.error_page import error_page
from .body import parse_json_object, read_body, to_json
from .checks import RequestChecks, check_json_type
from .jobs import Job, QueueFull, WorkerClosed
from .metrics import CONTENT_TYPE, Metrics
from .openapi import openapi
from .served_pipeline import ServedPipeline, print_traceback
from .settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

# Responses are not to be used by other pages, cached, or guessed at. The policy for
# scripts is in the pages.
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_JSON = b"application/json"
_HTML = b"text/html; charset=utf-8"
# Seconds after which a client should retry if the queue is full, for short and long
# jobs.
_RETRY_AFTER = {False: 1, True: 10}
# Seconds for which a client that got an early error may continue to send.
_LINGER_SECONDS = 3.0
# Seconds before the connection of a request is watched. Most results are there by then,
# and watching takes as long as a tenth of computing them.
_UNWATCHED_SECONDS = 0.05


class Answer(NamedTuple):
    """A response."""

    body: bytes
    content_type: bytes = _JSON
    status: int = HTTPStatus.OK
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Application:
    """The ASGI application.

    pipeline: The pipeline.
    checks: Checks who may use it.
    settings: The limits.
    metrics: Counts and times.
    """

    def __init__(
        self,
        pipeline: ServedPipeline,
        checks: RequestChecks,
        settings: Settings,
        metrics: Metrics,
    ):
        self._pipeline = pipeline
        self._worker = pipeline.worker
        self._checks = checks
        self._settings = settings
        self._metrics = metrics
        document = openapi(settings)
        self._openapi = to_json(document)
        self._docs = api_page(document).encode()
        # The most frequent one first, since they are tried in this order.
        routes = [
            self._route("/entities", "POST", self._entities),
            self._route("/health", "GET", self._health),
            self._route("/ready", "GET", self._ready),
            self._route("/metrics", "GET", self._get_metrics),
            self._route("/openapi.json", "GET", self._get_openapi),
            self._route("/docs", "GET", self._get_docs),
        ]
        if settings.page:
            routes.append(self._route("/", "GET", self._page))
            routes.append(self._route("/gates", "POST", self._gates))
        self._paths = {route.path for route in routes}
        self._router = Router(routes, redirect_slashes=False)

    def _route(self, path: str, method: str, respond: "Respond") -> Route:
        return Route(path, _Endpoint(self._send, respond), methods=[method])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope["began"] = perf_counter()
        # Starlette raises errors as exceptions only inside an application.
        scope["app"] = self
        try:
            self._checks.check(scope["path"], scope["headers"])
            await self._router(scope, receive, send)
        except Cancelled:
            self._metrics.cancelled.inc()
        except RequestError as error:
            await self._send_error(scope, receive, send, error)
        except HTTPException as error:
            await self._send_error(scope, receive, send, _routing_error(error))
        except Exception as error:
            print_traceback()
            message = f"The server failed: {type(error).__name__}: {error}"
            failure = RequestError(message, HTTPStatus.INTERNAL_SERVER_ERROR)
            await self._send_error(scope, receive, send, failure)

    async def _send_error(
        self, scope: Scope, receive: Receive, send: Send, error: RequestError
    ) -> None:
        """Send an error. A client that is still sending may go on for a moment: if the
        connection were closed with unread data, it could not read the response."""
        is_sending = not scope.get("is_complete") and not _expects_continue(scope)
        answer = _as_answer(error)
        if _is_for_page(scope):
            html = error_page(error.status, str(error), has_start=self._settings.page)
            answer = answer._replace(body=html.encode(), content_type=_HTML)
        await self._send(scope, send, answer, more=is_sending)
        if is_sending:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_discard(receive), _LINGER_SECONDS)
            await send({"type": "http.response.body", "body": b""})

    async def _send(
        self, scope: Scope, send: Send, answer: Answer, *, more: bool = False
    ) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"
        seconds = perf_counter() - scope["began"]
        self._metrics.responded(path, int(answer.status), seconds)
        await send(
            {
                "type": "http.response.start",
                "status": int(answer.status),
                "headers": [
                    (b"content-type", answer.content_type),
                    (b"content-length", str(len(answer.body)).encode()),
                    *_HEADERS,
                    *answer.headers,
                ],
            }
        )
        event = {"type": "http.response.body", "body": answer.body, "more_body": more}
        await send(event)

    # Endpoints

    async def _entities(self, scope: Scope, receive: Receive) -> Answer:
        request = await self._read(scope, receive)
        text, texts = request.get("text"), request.get("texts")
        if isinstance(text, str) and texts is None:
            texts = [text]
        elif (
            text is not None
            or not isinstance(texts, list)
            or not all(isinstance(each, str) for each in texts)
        ):
            raise RequestError('Send "text", a string, or "texts", a list of strings.')
        job = self._pipeline.entities(texts)
        self._metrics.texts.inc(len(texts))
        self._metrics.characters.inc(sum(map(len, texts)))
        found = await self._result(job, receive)
        return Answer(to_json({"entities": found if text is None else found[0]}))

    async def _gates(self, scope: Scope, receive: Receive) -> Answer:
        request = await self._read(scope, receive)
        text, why = request.get("text"), request.get("why", False)
        if not isinstance(text, str) or not isinstance(why, bool):
            raise RequestError('"text" must be a string, and "why" true or false.')
        job = self._pipeline.gates(text, why=why)
        return Answer(to_json((await self._result(job, receive))._asdict()))

    async def _page(self, scope: Scope, receive: Receive) -> Answer:
        return Answer((self._pipeline.page or "").encode(), _HTML)

    async def _health(self, scope: Scope, receive: Receive) -> Answer:
        return Answer(to_json({"status": "ok"}))

    async def _ready(self, scope: Scope, receive: Receive) -> Answer:
        if not self._worker.is_ready:
            raise RequestError(
                "The server is shutting down, or too many requests are waiting.",
                HTTPStatus.SERVICE_UNAVAILABLE,
                retry_after=_RETRY_AFTER[False],
            )
        return Answer(to_json({"status": "ready"}))

    async def _get_metrics(self, scope: Scope, receive: Receive) -> Answer:
        return Answer(self._metrics.text(), CONTENT_TYPE.encode())

    async def _get_openapi(self, scope: Scope, receive: Receive) -> Answer:
        return Answer(self._openapi)

    async def _get_docs(self, scope: Scope, receive: Receive) -> Answer:
        return Answer(self._docs, _HTML)

    async def _read(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        headers = scope["headers"]
        check_json_type(headers)
        body = await read_body(headers, receive, self._settings.body_bytes)
        scope["is_complete"] = True
        return parse_json_object(body)

    async def _result(self, job: Job[Any], receive: Receive) -> Any:
        """Put a job into the queue, and wait for its result.

        RAISES (RequestError): If too many requests are waiting, the server shuts down,
            the time is over, or what the job raises.
        RAISES (Cancelled): If the client disconnects.
        """
        try:
            self._worker.submit(job)
            return await self._wait_for(job, receive)
        except QueueFull:
            seconds = _RETRY_AFTER[job.long]
            raise RequestError(
                f"Too many requests are waiting: try again in {seconds} s.",
                HTTPStatus.SERVICE_UNAVAILABLE,
                retry_after=seconds,
            ) from None
        except WorkerClosed:
            raise RequestError(
                "The server is shutting down.", HTTPStatus.SERVICE_UNAVAILABLE
            ) from None

    async def _wait_for(self, job: Job[Any], receive: Receive) -> Any:
        future = job.future
        watching: list[asyncio.Future[None]] = []

        def watch() -> None:
            watching.append(asyncio.ensure_future(_disconnected(receive)))
            watching[0].add_done_callback(lambda _: future.cancel())

        loop = future.get_loop()
        watch_timer = loop.call_later(_UNWATCHED_SECONDS, watch)
        end_timer = loop.call_later(self._settings.seconds, future.cancel)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled():
                raise
            if watching and watching[0].done():
                raise Cancelled from None
            raise RequestError(
                f"There was no result within {self._settings.seconds:g} s: send less "
                f"text, or try again.",
                HTTPStatus.GATEWAY_TIMEOUT,
            ) from None
        finally:
            watch_timer.cancel()
            end_timer.cancel()
            if watching:
                watching[0].cancel()
            if future.cancelled():
                self._worker.cancel(job)


Respond = Callable[[Scope, Receive], Awaitable[Answer]]


class _Endpoint:
    """An endpoint as an ASGI application: `Route` calls it as it is."""

    def __init__(
        self,
        send_answer: Callable[[Scope, Send, Answer], Awaitable[None]],
        respond: Respond,
    ):
        self._send_answer = send_answer
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._respond(scope, receive)
        await self._send_answer(scope, send, answer)


class _MethodError(RequestError):
    """A request with a method that its path does not support."""

    def __init__(self, message: str, status: HTTPStatus, *, allowed: str):
        super().__init__(message, status)
        self.allowed = allowed


def _routing_error(error: HTTPException) -> RequestError:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {})["Allow"]
        return _MethodError(
            f"This path supports only the method {allowed}.",
            HTTPStatus.METHOD_NOT_ALLOWED,
            allowed=allowed,
        )
    return RequestError(
        "There is nothing at this path: see /docs.", HTTPStatus(error.status_code)
    )


def _expects_continue(scope: Scope) -> bool:
    """Return whether the client sends the body only if it is told to."""
    return any(name == b"expect" for name, _ in scope["headers"])


async def _discard(receive: Receive) -> None:
    """Read the rest of a request."""
    while (event := await receive())["type"] == "http.request":
        if not event.get("more_body", False):
            break


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_for_page(scope: Scope) -> bool:
    """Return whether a browser opens an address, and does not send a request from a
    script."""
    accepted = (value for name, value in scope["headers"] if name == b"accept")
    return scope["method"] == "GET" and any(b"text/html" in value for value in accepted)


def _as_answer(error: RequestError) -> Answer:
    headers = []
    if isinstance(error, _MethodError):
        headers.append((b"allow", error.allowed.encode()))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    body = to_json({"error": str(error)})
    return Answer(body, _JSON, error.status, tuple(headers))
