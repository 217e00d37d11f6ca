"""The port that a server listens on."""

import errno
import socket
import sys
from collections.abc import Iterable

DEFAULT_PORT = 8000
# Number of ports to try if none is given.
_PORTS = 20
# Open files of the process beside its connections.
_OTHER_FILES = 128


def bound_socket(host: str, port: int | None) -> socket.socket:
    """Return a socket that is bound to an address. Nobody can connect to it before it
    listens.

    host: The address to listen on.
    port: The port. 0: any free port. None: the default port, or the next free one.
    RAISES (OSError): For an address that this machine does not have, or a port that is
        in use.
    """
    first, last = DEFAULT_PORT, DEFAULT_PORT + _PORTS - 1
    ports: Iterable[int] = range(first, last + 1) if port is None else [port]
    try:
        if not host:
            raise OSError("it is empty")
        family, *_ = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    # UnicodeError: the name cannot be encoded as a domain name.
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"Cannot resolve the address {host}: {reason}.") from None
    for number in ports:
        sock = socket.socket(family, socket.SOCK_STREAM)
        # On Windows, a second server would otherwise get the port of the first one.
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, number))
            # Otherwise another socket that does not listen yet could get the port, too.
            sock.listen(0) if port is None else None
            return sock
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise OSError(
                    f"Cannot listen on {host}, port {number}: {error.strerror}."
                ) from None
    which = f"Ports {first} to {last} are" if port is None else f"Port {port} is"
    raise OSError(f"{which} in use: choose another port with --port.")


def allow_connections(n: int) -> int:
    """Allow this process to have a number of connections, each of which is an open
    file.

    RETURNS: How many it may have: fewer than that if the system does not allow it.
    """
    if sys.platform == "win32":
        return n  # no limit
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        return max(1, min(n, allowed - _OTHER_FILES))
    return n
