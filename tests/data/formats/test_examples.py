"""Each layout that tools and data sets use has a small example, with made-up texts: it
is read right, or refused with an error that says what to do."""

from pathlib import Path

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError

EXAMPLES = Path(__file__).parent / "examples"
A = ("王芳在沪宁医院工作。", [("王芳", "PER"), ("沪宁医院", "ORG"), ("沪宁", "LOC")])
B = ("\U0001f600李雷去了青岛", [("李雷", "PER"), ("青岛", "LOC")])

#: The format and the texts of each file. The options that a file needs are after it.
READ = {
    "cluener.jsonl": ("cluener", [A, B]),
    "ccks.jsonl": ("offsets", [A, B]),
    "cmeee.json": ("offsets", [A, B]),
    "dataturks.jsonl": ("offsets", [A, B]),
    "demo_page.jsonl": ("offsets", [A, B]),
    "doccano_data.jsonl": ("offsets", [A, B]),
    "doccano_label.jsonl": ("offsets", [A, B]),
    "doccano_labels_meta.jsonl": ("offsets", [A, B]),
    "doccano_relations.jsonl": ("offsets", [A, B]),
    "doccano_v1_numbers.jsonl --label-names 3=PER,4=ORG,5=LOC": ("offsets", [A, B]),
    "label_first.jsonl": ("offsets", [A, B]),
    "label_studio.json": ("label-studio", [A, B]),
    "label_studio_completions.json": ("label-studio", [A, B]),
    "label_studio_skipped_and_two.json": ("label-studio", [A]),
    "label_studio_utf16.json": ("label-studio", [A, B]),
    "prodigy.jsonl": ("prodigy", [A, B]),
    "prodigy_token_offsets.jsonl": ("prodigy", [A, B]),
    "prodigy_binary.jsonl": ("prodigy", [(A[0], A[1][:1]), (A[0], [])]),
    "spacy_v2.json": (
        "spacy-json",
        [("王芳 在沪宁", [("王芳", "PER"), ("沪宁", "LOC")])],
    ),
    "spacy_v2_entities.json": ("spacy-json", [A]),
    "label_studio_min.json": ("offsets", [A, B]),
    "ner_annotator.json": ("offsets", [A, B]),
    "offset_length.jsonl": ("offsets", [A, B]),
    "rasa.json": ("offsets", [A, B]),
    "spacy_doc.jsonl": ("offsets", [A, B]),
    "spacy_training.py": ("offsets", [A, B]),
    "utf16_units.jsonl": ("offsets", [A, B]),
    "w2ner.json": ("offsets", [A, B]),
    "tags_as_strings.jsonl": ("tags", [("王芳在沪", [("王芳", "PER"), ("沪", "LOC")])]),
    "tags_text_labels.jsonl": (
        "tags",
        [("王芳在沪", [("王芳", "PER"), ("沪", "LOC")])],
    ),
}
#: What the error of each file says.
REFUSED = {
    "doccano_v1_numbers.jsonl": "give their names: --label-names 3=PER",
    "refused_contradictory_ends.jsonl": "Set --ends exclusive",
    "refused_looks_inclusive.jsonl": (
        "exclusive ends read '王', inclusive ends read '王芳'. Set --ends inclusive"
    ),
    "refused_label_studio_hypertext.json": "Label the plain text in a <Text> tag",
    "refused_shifted.jsonl": "Check whether the text was changed after annotation",
    "refused_surface_only.jsonl": "it has no start and end; its keys are 'text'",
    "refused_tag_numbers.jsonl": "--label-names O,B-PER,I-PER",
    "refused_tags_as_labels.jsonl": "'B-PER' in place of labels",
    "refused_tokens_or_characters.jsonl": "Set --ends if they count characters",
    "refused_two_keys.jsonl": "under the keys 'entities' and 'label'",
    "spert.json": '--joiner " " or --joiner ""',
}


def read(name):
    file_name, *flags = name.split(" ")
    pairs = zip(flags[::2], flags[1::2], strict=True)
    options = {flag[2:].replace("-", "_"): value for flag, value in pairs}
    file = DataFile(EXAMPLES / file_name, ReadingOptions(**options))
    texts = [
        (text.text, [(text.text[s:e], label) for s, e, label in text.entities])
        for text in file.texts(ProblemLog())
    ]
    return file, texts


@pytest.mark.parametrize("name", READ)
def test_layout_is_read(name):
    file, texts = read(name)
    assert (file.options.format, texts) == READ[name]


@pytest.mark.parametrize("name", REFUSED)
def test_layout_is_refused_with_what_to_do(name):
    with pytest.raises(DataError) as error:
        read(name)
    assert name in str(error.value)
    assert REFUSED[name] in str(error.value)


def test_every_example_is_read_or_refused():
    names = {name.split(" ")[0] for name in (*READ, *REFUSED)}
    assert names == {path.name for path in EXAMPLES.iterdir()}
