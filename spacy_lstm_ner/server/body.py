"""Reading and writing JSON."""

import json
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from ..exceptions import Cancelled, RequestError

Receive = Callable[[], Awaitable[Any]]


def _reject_constant(constant: str) -> None:
    """Reject NaN and infinity, which Python accepts although they are not JSON."""
    raise ValueError(constant)


# Made once: `json.loads` and `json.dumps` would make them again for each call.
_decoder = json.JSONDecoder(parse_constant=_reject_constant)
_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)


async def read_body(
    headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: int
) -> bytes:
    """Read the body of a request.

    headers: Its headers.
    receive: Receives the events of the request.
    limit: Maximum size in bytes.
    RAISES (RequestError): If the body is larger. Nothing of it is kept.
    RAISES (Cancelled): If the client disconnects before it has sent all.
    """
    for name, value in headers:
        if name == b"content-length" and int(value) > limit:
            raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Cancelled
        part = event.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not event.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"The request body is larger than {limit:,} bytes.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse the body of a request.

    RAISES (RequestError): Unless it is a JSON object.
    """
    try:
        value = _decoder.decode(body.decode("utf8"))
    except (ValueError, RecursionError):
        raise RequestError("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise RequestError("The request body is not a JSON object.")
    return value


def to_json(value: Any) -> bytes:
    """Write JSON. Lone surrogates, which UTF-8 cannot encode, are replaced."""
    return _encoder.encode(value).encode("utf8", "replace")
