"""How files write their tags."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_lstm_ner.tags import detect_scheme, spans_from_tags
from spacy_lstm_ner.tags.notation import detect_notation
from spacy_lstm_ner.tags.schemes import FILE_SCHEMES

from ..helpers.tags import written

STANDARD = "B-PER I-PER O O B-LOC O"


@pytest.mark.parametrize(
    ("tags", "description"),
    [
        (STANDARD, ""),
        ("B-PER I-PER 0 0 B-LOC 0", "outside written 0"),
        ("B-PER I-PER ０ ０ B-LOC ０", "outside written ０"),
        ("B-PER I-PER Ｏ O B-LOC o", "outside written O or o or Ｏ"),
        ("B-PER I-PER OTHER Other B-LOC OTHER", "outside written OTHER or Other"),
        ("B-PER I-PER NONE NONE B-LOC NONE", "outside written NONE"),
        ("B-PER I-PER OUT OUT B-LOC OUT", "outside written OUT"),
        ("B-PER I-PER － － B-LOC －", "outside written －"),
        ("B-PER I-PER - - B-LOC -", "outside written -"),
        ("B-PER I-PER _ _ B-LOC _", "outside written _"),
        ("B_PER I_PER O O B_LOC O", "tags such as B_PER"),
        ("B/PER I/PER O O B/LOC O", "tags such as B/PER"),
        ("B:PER I:PER O O B:LOC O", "tags such as B:PER"),
        ("B.PER I.PER O O B.LOC O", "tags such as B.PER"),
        ("B－PER I－PER O O B－LOC O", "tags such as B－PER"),
        ("Ｂ－PER Ｉ－PER Ｏ Ｏ Ｂ－LOC Ｏ",
         "tags such as Ｂ－PER, outside written Ｏ"),
        ("b-PER i-PER o o b-LOC o", "tags such as b-PER, outside written o"),
        ("PER-B PER-I OTHER OTHER LOC-B OTHER",
         "tags such as PER-B, outside written OTHER"),
        ("PER_B PER_I O O LOC_B O", "tags such as PER_B"),
        ("PER/b PER/i O O LOC/b O", "tags such as PER/b"),
    ],
)  # fmt: skip
def test_tags_are_read_where_it_is_plain_what_is_meant(tags, description):
    tags = tags.split()
    notation = detect_notation(tags)
    assert [notation.normalize(tag) for tag in tags] == STANDARD.split()
    assert notation.description == description


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("b-per i-per o", "B-per I-per O"),
        ("B-GPE-NAM I-GPE-NAM O", "B-GPE-NAM I-GPE-NAM O"),
        ("B_GPE-NAM I_GPE-NAM O", "B-GPE-NAM I-GPE-NAM O"),
        ("GPE-NAM-B GPE-NAM-I O", "B-GPE-NAM I-GPE-NAM O"),
        ("S-B S-I O", "S-B S-I O"),
        ("B-公司 M-公司 E-公司 W-人 O", "B-公司 M-公司 E-公司 W-人 O"),
        # Missing tags of partial annotation.
        ("B-A - O - _", "B-A  O  "),
        # Tags that do not have the form of the others stay unknown.
        ("B-A I-A O PER O", "B-A I-A O PER O"),
        ("B-A I-A O B_A O", "B-A I-A O B_A O"),
        ("B-A I-A O OTHER", "B-A I-A O OTHER"),
        ("PER-B PER-I PER O", "PER-B PER-I PER O"),
        # One type of entities.
        ("O B I I O B", "O B-ENT I-ENT I-ENT O B-ENT"),
        ("o b i e o s", "O B-ENT I-ENT E-ENT O S-ENT"),
        # No unit is outside: the segmentation of words.
        ("B E S B M E", "B E S B M E"),
        ("O S M L", "O I-S I-M I-L"),
        # Labels alone.
        ("O PER PER O ORG", "O I-PER I-PER O I-ORG"),
        ("0 人名 人名 0 地名", "O I-人名 I-人名 O I-地名"),
        ("O e-mail e-mail O phone O", "O e-mail e-mail O phone O"),
        ("O OTHER PER O O", "O I-OTHER I-PER O O"),
        # Parts of speech, numbers, and words in place of tags.
        ("NN VB NN DT", "NN VB NN DT"),
        ("n v w", "n v w"),
        ("0 0 1 2 0 3", "0 0 1 2 0 3"),
        ("O NONE PER O O", "O NONE PER O O"),
        (" ".join(["ADJ"] * 30 + ["NOUN"] * 30 + ["_"]),) * 2,
        (" ".join(["O"] * 150 + [f"w{chr(97 + i % 26)}{i}" for i in range(150)]),) * 2,
        # Positions that are written in a way of their own.
        ("O X-PER Y-PER O", "O X-PER Y-PER O"),
        ("O PER-1 PER-2 O", "O PER-1 PER-2 O"),
        ("O PER_begin PER_inside O", "O PER_begin PER_inside O"),
        ("O BPER IPER" + " O BPER IPER" * 2,) * 2,
        ("O PER1 PER2 PER2" + " O PER1 PER2" * 2,) * 2,
        ("", ""),
        ("O O", "O O"),
        ("0 0", "O O"),
    ],
)
def test_what_is_not_plain_stays_unknown(tags, expected):
    notation = detect_notation(tags.split())
    normalized = [notation.normalize(tag) for tag in tags.split()]
    assert normalized == (expected.split(" ") if expected else [])


def test_labels_alone_are_told():
    notation = detect_notation(["O", "PER", "PER", "O", "ORG"])
    assert notation.description == (
        "tags without prefix such as PER, a run of the same label is one entity"
    )
    notation = detect_notation(["0", "B", "I", "0", "B"])
    assert notation.description == (
        'tags without label such as B, read as "ENT", outside written 0'
    )


def test_tags_beyond_the_sample():
    bare = detect_notation(["O", "PER", "PER", "O", "ORG"])
    assert [bare.normalize(t) for t in ("LOC", " PER ", "B-LOC", "7", "")] == [
        "I-LOC", "I-PER", "B-LOC", "7", "",
    ]  # fmt: skip
    standard = detect_notation(STANDARD.split())
    for tag in ("b-PER", "B_PER", "OTHER", "X-PER", "B-", "-PER", "PER"):
        assert standard.normalize(tag) == tag
    assert standard.normalize("B－PER") == "B-PER"


def test_descriptions_are_short_and_safe():
    tags = ["B_" + "x" * 1000, "O"] * 3
    assert len(detect_notation(tags).description) < 100
    assert "\x1b" not in detect_notation(["B_\x1b[2J", "O"]).description


OUTSIDE = ["O", "0", "０", "OTHER", "Other", "－", "-", "_", "o", "Ｏ", "NONE", "OUT"]
FORMS = ["{0}-{1}", "{0}_{1}", "{0}/{1}", "{0}:{1}", "{0}.{1}", "{0}－{1}", "{1}-{0}",
         "{1}_{0}", "{2}-{1}", "{2}_{1}", "{1}:{2}"]  # fmt: skip
LABELS = ["PER", "GPE-NAM", "地名", "job.title", "x_y"]


@st.composite
def entities(draw):
    """Entity spans, and the number of units of the text."""
    spans, end = [], 0
    for _ in range(draw(st.integers(1, 5))):
        start = end + draw(st.integers(0, 2))
        end = start + draw(st.integers(1, 4))
        spans.append((start, end, draw(st.sampled_from(LABELS))))
    return spans, end + draw(st.integers(1, 2))


def rewritten(tag, form, outside):
    prefix, hyphen, label = tag.partition("-")
    return form.format(prefix, label, prefix.lower()) if hyphen else outside


@given(
    entities(),
    st.sampled_from(FILE_SCHEMES),
    st.sampled_from(FORMS),
    st.sampled_from(OUTSIDE),
)
def test_entities_are_the_same_in_every_notation_and_scheme(
    entities, scheme, form, outside
):
    spans, n = entities
    tags = [rewritten(tag, form, outside) for tag in written(spans, n, scheme)]
    notation = detect_notation(tags)
    normalized = [notation.normalize(tag) for tag in tags]
    assert normalized == written(spans, n, scheme)
    found = detect_scheme([normalized])
    assert spans_from_tags(normalized, scheme) == (spans, [], [], 0)
    if scheme != "IOB1":
        assert spans_from_tags(normalized, found).spans == spans


@given(entities(), st.sampled_from(OUTSIDE))
def test_labels_alone_are_runs(entities, outside):
    spans, n = entities
    assume(all(a[1] < b[0] for a, b in pairwise(spans)))
    tags = [outside] * n
    for start, end, label in spans:
        tags[start:end] = [label] * (end - start)
    assume(tags.count(outside) >= n / 10)
    notation = detect_notation(tags)
    normalized = [notation.normalize(tag) for tag in tags]
    assert detect_scheme([normalized]) == notation.scheme == "IOB1"
    assert spans_from_tags(normalized, "IOB1") == (spans, [], [], 0)


@given(st.lists(st.text(max_size=6) | st.sampled_from(OUTSIDE + FORMS), max_size=12))
def test_any_tags(tags):
    notation = detect_notation(tags)
    for tag in tags:
        assert isinstance(notation.normalize(tag), str)
        assert tag.strip() or notation.normalize(tag) == ""
