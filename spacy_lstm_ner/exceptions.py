"""Exceptions that a caller may want to catch.

Invalid arguments and settings raise plain `ValueError`s, and files that cannot be
opened plain `OSError`s. The exceptions here extend these built-in classes where a
caller may want to handle one case differently.
"""

from http import HTTPStatus

# Raised by `util`, which imports nothing from the rest of the package.
from .util.atomic import PartlyWrittenError
from .util.cancellation import Cancelled
from .util.text import escaped

__all__ = [
    "Cancelled",
    "DamagedComponent",
    "DataError",
    "NotCalibrated",
    "PartlyWrittenError",
    "RequestError",
]


class DataError(ValueError):
    """Raised if a dataset file or a reading option cannot be used. The message names
    the file and, where there is one, the line; control characters in it are escaped, so
    that it is safe to print."""

    def __init__(self, message: object):
        super().__init__(escaped(message, keep="\n"))


class DamagedComponent(ValueError):
    """Raised if a saved component cannot be loaded because its files are damaged or do
    not belong together. The message names the file and the reason."""


class NotCalibrated(ValueError):
    """Raised if a component cannot be calibrated on the given data, for example because
    it finds no entities there. The component is left unchanged."""


class RequestError(Exception):
    """Raised if the web application rejects a request. The message is the reason, in
    words for the user.

    message: The reason.
    status: The HTTP status of the response.
    retry_after: Seconds after which the request may be sent again.
    """

    def __init__(
        self,
        message: str,
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        *,
        retry_after: int | None = None,
    ):
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
