"""Records of units with tags: their text, and the entities in it."""

from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.records import Record
from spacy_lstm_ner.data.tagged import UNCERTAIN, TagReading
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.tags import FILE_SCHEMES

from ..helpers.tags import written

FILE = Path("file")


def record_of(units, tags=None, blanks=None):
    """A record with a unit a line."""
    units = units.split(" ") if isinstance(units, str) else units
    tags = tags.split(" ") if isinstance(tags, str) else tags or ["O"] * len(units)
    return Record(units, tags, list(range(1, len(units) + 1)), blanks)


def read(*records, **options):
    """The first text, its entities, and the log."""
    reading = TagReading.detect(records, ReadingOptions(**options), FILE)
    log = ProblemLog()
    text = reading.read(records[0], log.of_file(FILE))
    entities = [(text.text[s:e], label) for s, e, label in text.entities]
    return text, entities, log


# Blanks between units


@pytest.mark.parametrize(
    ("units", "text", "between"),
    [
        # English words.
        ("EU rejects German call .", "EU rejects German call .", "blanks between all"),
        ("This is a test", "This is a test", "blanks between all"),
        ("Das ist für 2 Tage", "Das ist für 2 Tage", "blanks between all"),
        ("Он живёт в Москве", "Он живёт в Москве", "blanks between all"),
        ("वह दिल्ली में है", "वह दिल्ली में है", "blanks between all"),
        ("서울에서 만나요 .", "서울에서 만나요 .", "blanks between all"),
        ("أعلن البنك عن ذلك", "أعلن البنك عن ذلك", "blanks between all"),
        ("He lives in Beijing ( 北 京 ) now", "He lives in Beijing ( 北京 ) now",
         "blanks between all"),
        # Characters.
        ("他 在 北 京 。", "他在北京。", "nothing"),
        ("他 在 北京 工作 。", "他在北京工作。", "nothing"),
        ("東 京 タ ワ ー", "東京タワー", "nothing"),
        ("เขา อยู่ ที่ กรุงเทพ", "เขาอยู่ที่กรุงเทพ", "nothing"),
        ("C N N 报 道", "CNN报道", "nothing"),
        ("i n Y o r k", "inYork", "nothing"),
        ("서 울 에 서", "서울에서", "nothing"),
        ("2 0 0 8 年", "2008年", "nothing"),
        ("ＣＮＮ ＢＢＣ 报 道", "ＣＮＮＢＢＣ报道", "nothing"),
        # Words among Chinese characters.
        ("CNN International 报 道", "CNN International报道", "blanks between words"),
        ("据 CNN 报 道", "据CNN报道", "blanks between words"),
        ("用 Windows 95 的 人", "用Windows 95的人", "blanks between words"),
        ("在 2008 年 用 Windows 7 的 人", "在2008年用Windows 7的人",
         "blanks between words"),
        ("他 说 This is a test 吗", "他说This is a test吗", "blanks between words"),
        ("用 iPhone , Mac 的 人", "用iPhone,Mac的人", "blanks between words"),
        ("iPhone手机 Pro 的 人", "iPhone手机Pro的人", "blanks between words"),
    ],
)  # fmt: skip
def test_blanks_are_decided_by_what_the_units_are(units, text, between):
    record = record_of(units)
    assert read(record)[0].text == text
    rows = dict(TagReading.detect([record], ReadingOptions(), FILE).describe())
    assert rows["between units"].startswith(between)


def test_single_digits_are_words_only_beside_numbers():
    record = record_of(["用", "Windows", "7", "的", "人", "啊"])
    assert read(record)[0].text == "用Windows7的人啊"
    assert read(record, record_of("在 2008 年"))[0].text == "用Windows 7的人啊"


def test_the_decision_is_one_for_the_file():
    english = [record_of("EU rejects German call .")] * 3
    assert read(record_of("X Y"), *english)[0].text == "X Y"
    chinese = [record_of("他 在 北 京 工 作")] * 3
    assert read(english[0], *chinese)[0].text == "EU rejects German call."


def test_a_file_that_has_its_own_blanks():
    units = ["New", " ", "York", " ", "is", " ", "big", "."]
    assert read(record_of(units))[0].text == "New York is big."
    units = ["他", "在", "New", " ", "York", "的", "人"]
    assert read(record_of(units))[0].text == "他在New York的人"
    assert read(record_of(["New ", "York ", "is ", "big"]))[0].text == "New York is big"
    empty = record_of(["New", "", "York", "is", "big"])
    assert read(empty)[0].text == "New York is big"
    # One of them is not yet a habit.
    stray = record_of(["New", "York", "\t", "is", "big"])
    assert read(stray)[0].text == "New York\tis big"


def test_what_the_file_says_wins_and_the_joiner_wins_over_it():
    blanks = [True, False, False, True]
    record = record_of("New York , 北", "B-A I-A O O", blanks)
    text, entities, _ = read(record)
    assert text.text == "New York,北"
    assert entities == [("New York", "A")]
    assert read(record, joiner="")[0].text == "NewYork,北"
    assert read(record, joiner="--")[0].text == "New--York--,--北"
    rows = TagReading.detect([record], ReadingOptions(), FILE).describe()
    assert ("between units", "blanks where the file has them") in rows
    rows = TagReading.detect([record], ReadingOptions(joiner=" "), FILE).describe()
    assert ("between units", '" "') in rows


@pytest.mark.parametrize("joiner", [None, "", " ", "--"])
def test_offsets_with_blanks(joiner):
    record = record_of("The New York Times said", "O B-A I-A I-A X")
    record = record._replace(tags=["O", "B-A", "E-A", "B-B", ""])
    text, entities, _ = read(record, joiner=joiner)
    sep = " " if joiner is None else joiner
    assert entities == [(f"New{sep}York", "A")]
    assert [text.text[s:e] for s, e in text.missing] == ["Times", "said"]


# Entities


def test_invalid_tags_are_told_and_lost_entities_counted():
    record = record_of("王 芳 在 沪 京", "B-PER X-PER O S-LOC B-LOC")
    text, entities, log = read(record, record_of("a b", "B-PER I-PER"))
    assert entities == [("沪", "LOC"), ("京", "LOC")]
    assert text.missing == [(0, 1), (1, 2)]
    assert text.lines == [4, 5] and text.line == 1
    assert {kind: n for (_, kind), n in log.counts.items()} == {
        "unknown tag": 1,
        "prefix of another scheme": 1,
    }
    assert log.messages()[0] == (
        "file:2: unknown tag: tag 'X-PER' is not in BIO (O, B-…, I-…), at '芳', "
        "unit 2 of the record"
    )
    assert dict(log.lost) == {("file", UNCERTAIN): 1}
    assert log.entities["file"] == 1
    assert log.rows()


@pytest.mark.parametrize(
    "tags",
    [
        "B-PER L-PER O U-LOC",
        "B_PER I_PER OTHER B_LOC",
        "PER-B PER-E 0 LOC-S",
        "PER PER － LOC",
        "b-PER i-PER o b-LOC",
    ],
)
def test_tags_in_any_notation(tags):
    _, entities, log = read(record_of("王 芳 在 沪", tags))
    assert entities == [("王芳", "PER"), ("沪", "LOC")]
    assert not log.counts and not log.lost


def test_the_notation_is_told():
    record = record_of("王 芳 在 沪", "PER PER － LOC")
    reading = TagReading.detect([record], ReadingOptions(scheme="BIO"), FILE)
    assert reading.describe() == [
        ("tag scheme", "IOB1"),
        (
            "tags",
            "tags without prefix such as PER, a run of the same label is one entity, "
            "outside written －",
        ),
        ("between units", "nothing"),
    ]


@pytest.mark.parametrize("tags", ["NN VB", "B E", "1 0", "5 7", " "])
def test_what_are_no_tags_is_refused(tags):
    with pytest.raises(DataError, match="file: no tags such as") as error:
        read(record_of("王 芳", tags))
    assert all(repr(tag) in str(error.value) for tag in tags.split())


@st.composite
def units_and_spans(draw):
    words = [
        "王",
        "芳",
        "在",
        "CNN",
        "New",
        "York",
        "a",
        "7",
        "2008",
        "，",
        "\U0001f600",
    ]
    units = draw(st.lists(st.sampled_from(words), min_size=1, max_size=12))
    spans, end = [], 0
    while end < len(units):
        start = end + draw(st.integers(0, 2))
        end = start + draw(st.integers(1, 3))
        if end <= len(units):
            spans.append((start, end, draw(st.sampled_from(["PER", "GPE-NAM"]))))
    blanks = st.lists(st.booleans(), min_size=len(units), max_size=len(units))
    return units, spans, draw(st.none() | blanks)


@given(
    units_and_spans(), st.sampled_from(FILE_SCHEMES), st.sampled_from([None, "", " "])
)
def test_entities_are_their_units(case, scheme, joiner):
    units, spans, blanks = case
    record = record_of(units, written(spans, len(units), scheme), blanks)
    text, entities, log = read(record, joiner=joiner, scheme=scheme)
    assert [(found.replace(" ", ""), label) for found, label in entities] == [
        ("".join(units[start:end]), label) for start, end, label in spans
    ]
    assert text.text.replace(" ", "") == "".join(units)
    assert "  " not in text.text and text.text == text.text.strip()
    assert not log.counts and not log.lost


# Language and tokenizer


@pytest.mark.parametrize(
    ("units", "lang", "kind"),
    [
        ("EU rejects German call .", "zh", "words split into letters"),
        ("EU rejects German call .", "en", None),
        ("他 在 北 京 。", "zh", None),
        ("他 在 北 京 。", "en", "characters joined into tokens"),
        # A few words among them may be split.
        ("CNN International 的 报 道", "zh", None),
    ],
)
def test_units_are_compared_with_the_tokens(units, lang, kind):
    records = [record_of(units)] * 20
    reading = TagReading.detect(records, ReadingOptions(), FILE)
    found = reading.tokenizer_mismatch(spacy.blank(lang))
    assert (found and found.kind) == kind
    if found:
        assert f'"{lang}"' in str(found)
