"""Host names and addresses by which a server is reached."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Return whether an address cannot be reached from other machines."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_name(header: str) -> str | None:
    """Return the name in a `Host` header without the port; None if there is none."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def is_allowed_host(name: str | None, host: str, others: Collection[str] = ()) -> bool:
    """Return whether a request may use this name for the server. The port is not
    checked, since it may be forwarded.

    name: The name or address in the request.
    host: The address that the server listens on.
    others: Other names of the server.
    """
    if name is None:
        return False
    if name in ("localhost", host) or name in others:
        return True
    try:
        # Unlike a name, an address cannot be redirected to this machine by others.
        return ip_address(name).is_loopback or not is_loopback(host)
    except ValueError:
        return False
