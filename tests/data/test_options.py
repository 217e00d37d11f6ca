"""The options for reading dataset files, defined once."""

import re
from dataclasses import fields
from typing import get_type_hints

import pytest

from spacy_lstm_ner.data.options import ReadingKeywords, ReadingOptions
from spacy_lstm_ner.exceptions import DataError


def test_each_option_is_documented_and_has_one_type():
    hints = get_type_hints(ReadingOptions)
    assert get_type_hints(ReadingKeywords) == hints
    documented = re.findall(r"^    (\w+): ", ReadingOptions.__doc__, re.MULTILINE)
    assert documented == [field.name for field in fields(ReadingOptions)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "BIOLU"}, r"unknown scheme 'BIOLU'.*BIOES"),
        ({"ends": "last"}, r"unknown ends 'last'.*inclusive"),
        ({"offsets": "bytes"}, r"unknown offsets 'bytes'.*utf16"),
        ({"split": "80/30"}, r"invalid split '80/30'.*80/10/10"),
        ({"split": "a"}, "invalid split 'a'"),
    ],
)
def test_invalid_values(options, message):
    with pytest.raises(DataError, match=message):
        ReadingOptions(**options)


def test_shares():
    assert ReadingOptions().shares is None
    assert ReadingOptions(split="").shares is None
    assert ReadingOptions(split="80/20").shares == [80, 20]
