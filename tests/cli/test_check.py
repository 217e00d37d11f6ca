"""`python -m spacy lstm-ner check`, as a user types it."""

import json
from functools import partial

import pytest

from spacy_lstm_ner.data.check import RARE

from ..helpers.commands import run_command
from ..helpers.datasets import ORG, training_data, write_docs

check = partial(run_command, "check")


@pytest.fixture
def train(tmp_path):
    return training_data(tmp_path)


def test_exit_codes(train, tmp_path):
    code, output = check(train)
    assert code == 0 and "No problems found" in output
    assert f"records {RARE}" in output and f"- ORG {RARE}" in output
    warned = write_docs(tmp_path / "dev.spacy", ("北京大学第100教授", ORG))
    code, output = check(train, warned)
    assert code == 0 and "text also in the training data: 1" in output
    assert "'北京大学第100教授'" in output
    assert check(train, warned, "--strict")[0] == 1
    failed = write_docs(tmp_path / "test.spacy", ("张三", (0, 2, "NAME")))
    code, output = check(train, warned, failed)
    assert code == 1
    assert f"{failed}: label not in the training data: 1" in output


def test_unreadable_files(train, tmp_path):
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    for path, says in (
        (tmp_path / "nowhere.spacy", "no such file"),
        (broken, "cannot be read"),
        (empty, "empty file"),
    ):
        code, output = check(train, path)
        assert code == 1 and f"{path}" in output and says in output
    code, output = check(train, "--lang", "nn-no-such")
    assert code == 1 and "nn-no-such" in output


def test_dataset_file(tmp_path):
    path = tmp_path / "data.jsonl"
    record = {"text": "北京大学", "labels": ["B-ORG", "I-ORG", "I-ORG", "I-ORG"]}
    path.write_text(json.dumps(record) + "\n", "utf8")
    code, output = check(path)
    assert code == 0 and "rare label: 1" in output and "ORG (1)" in output
