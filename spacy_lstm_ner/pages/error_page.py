"""The page that a browser shows if the server refuses a request."""

from http import HTTPStatus

from .page import page


def error_page(status: HTTPStatus, reason: str, *, has_start: bool = True) -> str:
    """Return a page about an error.

    status: The status of the response.
    reason: What is wrong, in words for the user.
    has_start: Whether the server has a start page.
    RETURNS: The page.
    """
    return page(
        "error.html",
        f"{status.value} {status.phrase}",
        status=status,
        reason=reason,
        has_start=has_start,
    )
