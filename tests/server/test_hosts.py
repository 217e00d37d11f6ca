"""Which host names and addresses may be used to reach a server."""

import pytest

from spacy_lstm_ner.server.hosts import host_name, is_allowed_host, is_loopback


def test_loopback_addresses():
    assert is_loopback("localhost") and is_loopback("::1") and is_loopback("127.0.0.9")
    assert not is_loopback("0.0.0.0") and not is_loopback("myserver")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8000", "localhost"),
        ("[::1]:8000", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("", None),
        ("[::1", None),
    ],
)
def test_host_names_without_the_port(header, name):
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("host", "allowed", "rejected"),
    [
        (
            "127.0.0.1",
            ["localhost", "127.0.0.1", "::1"],
            ["evil.example", "192.168.1.5", None, ""],
        ),
        ("0.0.0.0", ["localhost", "192.168.1.5"], ["evil.example", None]),
        ("myserver", ["myserver", "localhost", "192.168.1.5"], ["evil.example"]),
    ],
)
def test_a_name_is_allowed_if_nobody_else_can_redirect_it(host, allowed, rejected):
    assert all(is_allowed_host(name, host) for name in allowed)
    assert not any(is_allowed_host(name, host) for name in rejected)
