"""Parsing and validation of HTTP requests."""

import json
import sys
from email.message import Message
from http import HTTPStatus
from typing import Any

from ..exceptions import RequestError


def single_header(headers: Message, name: str) -> str | None:
    """Return the value of a header, or None.

    RAISES (RequestError): If it occurs several times: two programs could then read the
        request in different ways.
    """
    values = headers.get_all(name, [])
    if len(values) > 1:
        raise RequestError(f"The header {name} occurs {len(values)} times.")
    return values[0] if values else None


def content_length(headers: Message, *, limit: int) -> int:
    """Return the length of the request body in bytes.

    headers: The headers of the request.
    limit: The maximum length.
    RAISES (RequestError): If the length is missing, not valid or above the limit.
    """
    length = single_header(headers, "Content-Length")
    if single_header(headers, "Transfer-Encoding") is not None:
        raise RequestError(
            "Chunked transfer encoding is not supported: send the length of the body "
            "in the header Content-Length.",
            HTTPStatus.BAD_REQUEST if length else HTTPStatus.LENGTH_REQUIRED,
        )
    if length is None:
        raise RequestError(
            "The header Content-Length is missing.", HTTPStatus.LENGTH_REQUIRED
        )
    if not (length.isascii() and length.isdigit()):
        raise RequestError(f"The Content-Length {length!r} is not a number.")
    size = int(length) if len(length) < 20 else sys.maxsize
    if size > limit:
        raise RequestError(
            f"The request body is larger than {limit:,} bytes.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    return size


def check_json_type(headers: Message) -> None:
    """RAISES (RequestError): Unless the content type is JSON. Pages of other origins
    can send other types without a preflight request."""
    single_header(headers, "Content-Type")
    if headers.get_content_type() != "application/json":
        raise RequestError(
            "The content type must be application/json.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse the body of a request.

    RAISES (RequestError): Unless it is a JSON object.
    """
    try:
        value = json.loads(body, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise RequestError("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise RequestError("The request body is not a JSON object.")
    return value


def _reject_constant(constant: str) -> None:
    """Reject NaN and infinity, which Python accepts although they are not JSON."""
    raise ValueError(constant)
