"""The token that clients on other machines have to send."""

import hmac
import os
import stat
from pathlib import Path

# Shorter ones could be guessed.
_MIN_LENGTH = 16
_HINT = (
    'python -c "import secrets; print(secrets.token_urlsafe())" > FILE, and chmod 600 '
    "FILE, makes one."
)


def read_token(path: Path) -> str:
    """Read a token from a file. White space around it is removed.

    RAISES (OSError): If the file cannot be read.
    RAISES (ValueError): If the file has no token, one that is too short or cannot be
        sent in a header, or if other users may change it.
    """
    try:
        token = path.read_text("utf8").strip()
    except UnicodeDecodeError:
        token = "\n"
    if not token:
        raise ValueError(f"{path}: the file is empty. {_HINT}")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ValueError(
            f"{path}: a token is a single line of ASCII letters, digits and "
            f"punctuation. {_HINT}"
        )
    if len(token) < _MIN_LENGTH:
        raise ValueError(
            f"{path}: the token has {len(token)} characters, and needs at least "
            f"{_MIN_LENGTH}. {_HINT}"
        )
    if os.name == "posix" and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"{path}: other users may change this file: chmod go-w {path}")
    return token


def others_may_read(path: Path) -> bool:
    """Return whether users other than its owner may read a file. Secrets that a
    container engine mounts are often of this kind."""
    others = stat.S_IRGRP | stat.S_IROTH
    return os.name == "posix" and bool(path.stat().st_mode & others)


def has_token(authorization: bytes, token: str) -> bool:
    """Return whether the header `Authorization` has a token. The time that this takes
    does not depend on how much of it is right."""
    scheme, _, sent = authorization.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(
        sent.strip(), token.encode()
    )
