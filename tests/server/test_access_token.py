"""The file with the token."""

import os

import pytest

from spacy_lstm_ner.server.access_token import has_token, others_may_read, read_token

TOKEN = "0123456789-abcdef"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"short\n", "has 5 characters, and needs at least 16"),
        (b"0123456789 abcdef", "a single line of ASCII"),
        (b"0123456789\nabcdef", "a single line of ASCII"),
        ("令牌令牌令牌令牌令牌令牌令牌令牌".encode(), "a single line of ASCII"),
        (b"\xff" * 20, "secrets.token_urlsafe"),
    ],
)
def test_files_without_a_usable_token(tmp_path, content, message):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_token(path)
    assert str(path) in str(caught.value)


def test_white_space_around_it_is_removed(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"\n {TOKEN}\r\n")
    assert read_token(path) == TOKEN


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_permissions(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    assert read_token(path) == TOKEN and not others_may_read(path)
    path.chmod(0o644)
    assert read_token(path) == TOKEN and others_may_read(path)
    path.chmod(0o660)
    with pytest.raises(ValueError, match="other users may change this file: chmod"):
        read_token(path)


def test_the_whole_token_is_compared():
    assert has_token(f"Bearer {TOKEN}".encode(), TOKEN)
    for sent in ("", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0", "Bearer \xff"):
        assert not has_token(sent.encode("latin-1"), TOKEN)
