"""Objects with units and tags, under the keys and in the forms that data sets use."""

import json

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.exceptions import DataError

from ...helpers.reading import read_texts

TAGS = ["B-PER", "I-PER", "O", "B-LOC"]
NUMBERS = [1, 2, 0, 3]
NAMES = ["O", "B-PER", "I-PER", "B-LOC"]
TEXT = "王芳在沪"


@pytest.fixture
def write(tmp_path):
    def write(*records, name="data.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(map(json.dumps, records)), "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "record",
    [
        {"text": TEXT, "labels": TAGS},
        {"tokens": list(TEXT), "ner_tags": TAGS},
        {"words": list(TEXT), "tags": TAGS, "pos_tags": ["NN"] * 4},
        {"chars": list(TEXT), "label": TAGS},
        {"sentence": TEXT, "BIO": " ".join(TAGS)},
        {"sentence": " ".join(TEXT), "ner": " ".join(TAGS)},
        {"id": 3, "text": TEXT, "tokens": list(TEXT), "nerTags": TAGS},
        {"text": TEXT, "label": "news", "tags": TAGS},
        {"text": TEXT, "ner": [], "labels": TAGS},
    ],
)
def test_keys_and_forms_of_units_and_tags(write, record):
    path = write(record)
    assert DataFile(path).options.format == "tags"
    assert read_texts(path)[0] == [(TEXT, [("王芳", "PER"), ("沪", "LOC")])]


def test_text_beside_tokens_says_where_blanks_are(write):
    record = {
        "text": "Ada Lovelace's note, in 上海 Tower.",
        "tokens": ["Ada", "Lovelace", "'s", "note", ",", "in", "上海", "Tower", "."],
        "ner_tags": ["B-PER", "I-PER", "O", "O", "O", "O", "B-LOC", "I-LOC", "O"],
    }
    entities = [("Ada Lovelace", "PER"), ("上海 Tower", "LOC")]
    assert read_texts(write(record))[0] == [(record["text"], entities)]
    # The text as a string has no other blanks than its own.
    record = {"text": "AB 王", "labels": ["B-A", "I-A", "O", "B-B"]}
    assert read_texts(write(record))[0] == [("AB 王", [("AB", "A"), ("王", "B")])]


def hf_record(key="ner_tags"):
    return {"tokens": list(TEXT), key: NUMBERS}


def feature(names):
    class_label = {"names": names, "_type": "ClassLabel"}
    return {"ner_tags": {"feature": class_label, "_type": "Sequence"}}


README = """---
license: mit
dataset_info:
  features:
  - name: pos_tags
    sequence:
      class_label:
        names:
          '0': NN
          '1': VV
  - name: ner_tags
    sequence:
      class_label:
        names:
          '0': O
          '1': B-PER
          '2': I-PER
          '3': B-LOC
---
# Names of people
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dataset_info.json", json.dumps({"features": feature(NAMES)})),
        ("dataset_infos.json", json.dumps({"plain": {"features": feature(NAMES)}})),
        ("README.md", README),
        ("README.md", README.replace("    sequence:", "    list:")),
        ("../README.md", README),
        ("labels.txt", "\n".join(NAMES)),
    ],
)
def test_names_of_numbers_are_found_beside_the_file(write, name, content):
    path = write(hf_record(), name="data/train.json")
    (path.parent / name).write_text(content)
    assert read_texts(path)[0] == [(TEXT, [("王芳", "PER"), ("沪", "LOC")])]


def test_names_of_numbers_in_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    features = {
        "pos_tags": {"feature": {"names": ["NN", "VV", "P", "NR"]}},
        **feature(NAMES),
    }
    table = pyarrow.table(
        {"tokens": [list(TEXT)], "pos_tags": [[0, 1, 2, 3]], "ner_tags": [NUMBERS]}
    ).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    parquet.write_table(table, tmp_path / "train.parquet")
    found, _ = read_texts(tmp_path / "train.parquet")
    assert found == [(TEXT, [("王芳", "PER"), ("沪", "LOC")])]


@pytest.mark.parametrize(
    "names",
    [
        "O,B-PER,I-PER,B-LOC",
        "0=O, 1=B-PER, 2=I-PER, 3=B-LOC",
        "O\nB-PER\nI-PER\nB-LOC\n",
        '["O", "B-PER", "I-PER", "B-LOC"]',
        '{"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3}',
        '{"0": "O", "1": "B-PER", "2": "I-PER", "3": "B-LOC"}',
        '[{"id": 0, "text": "O"}, {"id": 1, "text": "B-PER"}, '
        '{"id": 2, "text": "I-PER"}, {"id": 3, "text": "B-LOC"}]',
    ],
)
def test_names_of_numbers_can_be_given(write, tmp_path, names):
    path = write(hf_record("tags"), {"tokens": ["好"], "tags": [-100]})
    (tmp_path / "names").write_text(names)
    given = [str(tmp_path / "names")]
    if "{" not in names and "[" not in names and "\n" not in names:
        given.append(names)
    for value in given:
        found, log = read_texts(path, label_names=value)
        assert found == [(TEXT, [("王芳", "PER"), ("沪", "LOC")]), ("好", [])]
        assert [kind for _, kind in log.counts] == ["no tag"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (None, "'ner_tags' has numbers from 0 to 3"),
        ("O,B-PER", "has the number 2, but the names are 0=O, 1=B-PER"),
        ("O,,B-PER", "the name of number 1 is empty"),
        ("1=O,1=B-PER", "once"),
        ("missing.txt", "missing.txt: no such file"),
    ],
)
def test_numbers_without_names_are_refused(write, names, says):
    with pytest.raises(DataError) as error:
        DataFile(write(hf_record()), ReadingOptions(label_names=names))
    assert says in str(error.value)


@pytest.mark.parametrize("content", ["{", '{"O": "zero"}', "[1]", "[{}]", "{}", "[]"])
def test_file_without_names_is_refused(write, tmp_path, content):
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(DataError, match=r"names\.json: "):
        DataFile(
            write(hf_record()),
            ReadingOptions(label_names=str(tmp_path / "names.json")),
        )


def test_contradictory_names_are_refused(write, tmp_path):
    path = write(hf_record())
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "dataset_infos.json").write_text("[" * 100_000)
    contents = {"features": feature(["O", "B-A", "I-A", "B-B"])}
    (tmp_path / "dataset_info.json").write_text(json.dumps(contents))
    with pytest.raises(DataError, match=r"dataset_info\.json and README\.md"):
        DataFile(path)


@pytest.mark.parametrize("tag", [7, True, 1e300, float("nan"), 10**400, [1], {}, 1.5])
def test_other_values_in_tags_affect_one_record(write, tag):
    good = {"tokens": list(TEXT), "labels": TAGS}
    found, log = read_texts(write(good, {"tokens": ["好"], "labels": [tag]}, good))
    assert len(found) == 2
    assert {kind: n for (_, kind), n in log.counts.items()} == {"not a record": 1}
