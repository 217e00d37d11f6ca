"""The limits of the server, and who may use it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The limits of the server, and who may use it."""

    #: Maximum number of characters in a request.
    characters: int = 100_000
    #: Maximum number of texts in a request.
    texts: int = 1_000
    #: Seconds after which a client gets an error in place of the result.
    seconds: float = 60.0
    #: Maximum number of requests that wait for the pipeline.
    queue: int = 256
    #: What clients have to send as `Authorization: Bearer …`. None: no token is needed.
    token: str | None = None
    #: Names of this server in the header `Host`, beside its own address and localhost.
    allowed_hosts: tuple[str, ...] = ()
    #: Whether to offer the page, and what only the page needs.
    page: bool = True
    #: Annotated data from which the page chooses its examples. None: made-up texts.
    examples: Path | None = None
    #: Whether to set the thresholds of the pipeline to 0.
    all_entities: bool = False
    #: Seconds within which a request must be received completely.
    receive_seconds: float = 20.0
    #: Seconds within which a client must accept a part of its response.
    send_seconds: float = 60.0
    #: Seconds for which a connection without a request is kept open.
    keep_alive_seconds: int = 15
    #: Maximum number of connections; for another one, the oldest idle one is closed.
    connections: int = 4_096

    @cached_property
    def body_bytes(self) -> int:
        """Maximum size of the body of a request: a character takes up to twelve bytes
        in JSON, as two escapes, and each text has some overhead."""
        return 12 * self.characters + 16 * self.texts + 64

    @property
    def long_queue(self) -> int:
        """Maximum number of long requests that wait for the pipeline."""
        return min(8, self.queue)
