"""Readers of tables of words."""

import sys

import numpy as np
import pytest
from spacy.strings import get_string_id

from spacy_lstm_ner.data.words import read_cluster_words, read_lookups_words
from spacy_lstm_ner.exceptions import DataError


def as_dict(table):
    rows = zip(table.hashes, table.clusters, table.log_probs, strict=True)
    return {int(key): (int(cluster), float(p)) for key, cluster, p in rows}


def test_clusters_of_a_file(tmp_path):
    path = tmp_path / "paths"
    path.write_text("\ufeff0110\tthe\t60\n\n01100\t#tag 1\t30\n111\tＡ\t10\n", "utf-8")
    found = as_dict(read_cluster_words(path))
    assert found == {
        get_string_id("the"): (0b0110, np.log(0.6)),
        # The first step is the lowest bit.
        get_string_id("#tag 1"): (0b00110, np.log(0.3)),
        get_string_id("Ａ"): (0b111, np.log(0.1)),
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no words found"),
        (b"0110\tthe\t6\n0110 the 6\n", ":2: expected the path of a cluster"),
        (b"012\tthe\t6\n", ":1: expected"),
        (b"\tthe\t6\n", ":1: expected"),
        (b"01\t\t6\n", ":1: expected"),
        (b"01\tthe\t0\n", ":1: expected"),
        (b"01\tthe\t-1\n", ":1: expected"),
        (b"01\tthe\t1.5\n", ":1: expected"),
        (b"01\tthe\t1\tmore\n", ":1: expected"),
        (b"01\t\xff\t1\n", ":1: this line is not UTF-8"),
        (b"01" * 16 + b"\tthe\t1\n", ":1: the path of a cluster has 32 bits"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, says):
    path = tmp_path / "paths"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_cluster_words(path)
    assert str(path) in str(error.value) and says in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="none: No such file"):
        read_cluster_words(tmp_path / "none")


def test_english_words_of_the_package():
    pytest.importorskip("spacy_lookups_data")
    found = as_dict(read_lookups_words("en"))
    assert len(found) > 1_000_000
    london, paris, the = (found[get_string_id(w)] for w in ("London", "Paris", "the"))
    # Names of cities have a long path in common.
    assert london[0] and london[0] & 15 == paris[0] & 15 != the[0] & 15
    assert london[1] < the[1] < 0


def test_a_language_without_words():
    pytest.importorskip("spacy_lookups_data")
    with pytest.raises(DataError, match="no word frequencies for the language 'zh'"):
        read_lookups_words("zh")


def test_without_the_package(monkeypatch):
    from spacy.util import registry

    monkeypatch.setitem(sys.modules, "spacy_lookups_data", None)
    monkeypatch.setattr("spacy_lstm_ner.data.words.find_spec", lambda name: None)
    monkeypatch.setattr(registry.lookups, "has", lambda lang: False, raising=False)
    with pytest.raises(ImportError, match=r"spacy-lstm-ner\[lookups\]"):
        read_lookups_words("xx")
