"""Mismatches between data and pipeline, which `check` and `initialize` report."""

import json
import warnings

import pytest
import spacy
from spacy import registry
from spacy.cli._util import app
from spacy.cli.convert import convert as spacy_convert
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example
from spacy.training.initialize import init_nlp
from spacy.util import load_model_from_config
from thinc.api import Config
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.check import check
from spacy_lstm_ner.data.compatibility import add_labels, check_labels
from spacy_lstm_ner.data.convert import convert

from ..helpers.paths import EASY, REPOSITORY
from ..helpers.pipelines import SMALL_MODEL, TOKEN_MODEL

TEXT = "北京大学有一位教授在上海工作过二十年"


def examples_of(docs, nlp):
    return [Example(nlp.make_doc(doc.text), doc) for doc in docs]


def initialization_warnings(nlp, examples):
    """Return the warnings of `initialize`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.initialize(lambda: examples)
    return [str(w.message) for w in caught if "[lstm_ner]" in str(w.message)]


def pipeline(lang="zh", **config):
    nlp = spacy.blank(lang)
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL, **config})
    return nlp


def findings(path, **settings):
    return {f.kind: f for f in check(path, **settings).findings}


def saved(docs, path):
    DocBin(docs=docs).to_disk(path)
    return path


def doc_of(nlp, text, *ents, spaces=None):
    doc = Doc(nlp.vocab, words=list(text), spaces=spaces and [False] * len(text))
    doc.ents = [Span(doc, *ent) for ent in ents]
    return doc


def test_data_without_problems(examples):
    assert initialization_warnings(pipeline(), examples) == []


@pytest.mark.parametrize("spaces", [None, True])
def test_spaces_after_every_character(tmp_path, spaces):
    nlp = pipeline()
    docs = [doc_of(nlp, TEXT, (0, 4, "ORG"), spaces=spaces) for _ in range(5)]
    messages = initialization_warnings(nlp, examples_of(docs, nlp))
    found = findings(saved(docs, tmp_path / "train.spacy"))
    if spaces:
        assert messages == [] and "spaces between characters" not in found
        return
    (message,) = messages
    assert "spaces between characters" in message
    assert "python -m spacy lstm-ner convert" in message
    assert "spaces=[False] * len(words)" in message
    assert found["spaces between characters"].count == 5 * (len(TEXT) - 1)


def test_spaces_inserted_by_spacy_convert(tmp_path):
    columns = "".join(f"{char} B-X\n" for char in TEXT) + "\n"
    (tmp_path / "data.conll").write_text(columns * 5, "utf8")
    out = tmp_path / "out"
    out.mkdir()
    settings = {"converter": "ner", "lang": "zh", "file_type": "spacy"}
    spacy_convert(tmp_path / "data.conll", out, **settings)
    assert "spaces between characters" in findings(tmp_path / "out" / "data.spacy")


def test_spaces_that_belong_to_the_text(tmp_path):
    """Mixed text has some, and Korean has them between all words."""
    nlp = pipeline()
    docs = [
        doc_of(nlp, text, (0, 2, "X"), spaces=True)
        for text in (
            "我们 的 iPhone 12 很好，朋友都说中国移动很不错",
            "이것은 한국어 문장 입니다",
        )
        * 20
    ]
    assert initialization_warnings(nlp, examples_of(docs, nlp)) == []


@pytest.mark.parametrize("joiner", ["", " "])
def test_words_read_as_characters(tmp_path, joiner):
    words = "The European Commission said on Thursday it disagreed with German advice"
    tags = ["O", "B-ORG", "I-ORG", *["O"] * 8]
    path = tmp_path / "words.conll"
    lines = zip(words.split(), tags, strict=True)
    path.write_text("".join(f"{w} {t}\n" for w, t in lines) + "\n", "utf8")
    convert([path], tmp_path / "out.spacy", joiner=joiner, lang="en")
    found = findings(tmp_path / "out.spacy", lang="en")
    assert ("words without spaces between them" in found) == (not joiner)


@pytest.mark.parametrize(
    ("lang", "unit", "expected"),
    [
        ("zh", "token", "words split into letters"),
        ("zh", "char", None),
        ("en", "token", None),
    ],
)
def test_words_split_into_letters(lang, unit, expected):
    model = TOKEN_MODEL if unit == "token" else SMALL_MODEL
    nlp = pipeline(lang, unit=unit, model=model)
    doc = nlp.make_doc("Angela Merkel visited the university of Peking yesterday")
    doc.ents = [doc.char_span(0, 13, "PER")]
    messages = initialization_warnings(nlp, [Example(nlp.make_doc(doc.text), doc)] * 3)
    assert [expected in message for message in messages] == [True] * bool(expected)


@pytest.mark.parametrize("unit", ["char", "token"])
def test_entities_not_aligned_with_tokens(unit):
    """The tokens of the data are characters, those of the pipeline words."""
    model = TOKEN_MODEL if unit == "token" else SMALL_MODEL
    nlp = pipeline("en", unit=unit, model=model)
    docs = [doc_of(nlp, "北京大学教授", (0, 4, "ORG"), (4, 6, "T"), spaces=True)]
    (message,) = initialization_warnings(nlp, examples_of(docs, nlp))
    assert "entities not aligned with tokens: 2 of 2" in message


def config_of(**overrides):
    return Config().from_disk(
        REPOSITORY / "configs" / "no_lexicon.cfg",
        interpolate=False,
        overrides={
            "components.lstm_ner.model.tok2vec.encode.width": 16,
            "initialize.components.lstm_ner.pretrain_steps": 0,
            **overrides,
        },
    )


def test_tokenizer_of_another_language(tmp_path):
    path = tmp_path / "train.cfg"
    config_of(**{"nlp.lang": "en"}).to_disk(path)
    data = tmp_path / "data.spacy"
    convert([EASY], data, limit=50)
    kind = "tokenizer of another language"
    found = findings(data, config=path)[kind]
    assert "spacy.zh.ChineseTokenizer" in found.examples[0]
    with pytest.warns(UserWarning, match=kind):
        paths = {"paths.train": str(data), "paths.dev": str(data)}
        init_nlp(config_of(**{"nlp.lang": "en"}, **paths))
    config_of().to_disk(path)
    assert kind not in findings(data, config=path)


# Labels


@pytest.fixture(scope="module")
def old_pipeline(tmp_path_factory):
    """A pipeline with a single label."""
    nlp = pipeline()
    doc = doc_of(nlp, TEXT, (0, 4, "ORG"), spaces=True)
    nlp.initialize(lambda: examples_of([doc], nlp))
    path = tmp_path_factory.mktemp("old") / "pipeline"
    nlp.to_disk(path)
    return path


@pytest.fixture
def new_data(tmp_path):
    nlp = spacy.blank("zh")
    docs = [doc_of(nlp, TEXT, (0, 4, "ORG"), (7, 9, "JOB\x1b[31m"), spaces=True)] * 4
    return saved(docs, tmp_path / "new.spacy")


def resumed(old_pipeline, new_data, **overrides):
    """A config that trains the old pipeline further."""
    config = config_of(**{"paths.train": str(new_data), "paths.dev": str(new_data)})
    config["components"]["lstm_ner"] = {"source": str(old_pipeline)}
    config["initialize"]["components"] = {}
    config["training"].update({"max_steps": 2, "eval_frequency": 1})
    config["initialize"].update(overrides)
    return config


def test_check_lists_labels_unknown_to_a_trained_component(
    old_pipeline, new_data, tmp_path
):
    kind = "label unknown to the component"
    found = findings(new_data, model=old_pipeline)[kind]
    assert found.is_error and "lstm_ner has no JOB" in found.examples[0]
    resumed(old_pipeline, new_data).to_disk(tmp_path / "more.cfg")
    assert kind in findings(new_data, config=tmp_path / "more.cfg")
    # One that is trained from nothing learns them.
    config_of().to_disk(tmp_path / "new.cfg")
    assert kind not in findings(new_data, config=tmp_path / "new.cfg")


def run(*args):
    return CliRunner().invoke(app, ["lstm-ner", "check", *map(str, args)])


def test_check_command(old_pipeline, new_data, tmp_path):
    result = run(new_data, "--model", old_pipeline)
    assert result.exit_code == 1
    assert "lstm_ner has no JOB" in result.output and "AddLabels.v1" in result.output
    for option in (["--model", tmp_path], ["--config", tmp_path / "no.cfg"]):
        result = run(new_data, *option)
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    result = run(new_data, "--model", old_pipeline, "--config", tmp_path / "no.cfg")
    assert "not both" in result.output


def train_with(config):
    nlp = init_nlp(config)
    logger = config.interpolate()["training"]["logger"]
    setup = registry.resolve({"of": logger})["of"]
    setup(nlp, None, None)
    return nlp


def test_training_stops_at_the_start_for_unknown_labels(old_pipeline, new_data):
    config = resumed(old_pipeline, new_data)
    with pytest.raises(ValueError) as error:
        train_with(config)
    message = str(error.value)
    assert "JOB\\x1b[31m" in message and "\x1b" not in message
    assert "spacy-lstm-ner.AddLabels.v1" in message and "check --model" in message
    # What is not trained need not know them.
    config["training"]["frozen_components"] = ["lstm_ner"]
    train_with(config)


def test_add_labels_callback(old_pipeline, new_data):
    if not registry.has("callbacks", "spacy-lstm-ner.AddLabels.v1"):
        registry.callbacks("spacy-lstm-ner.AddLabels.v1", func=add_labels)
    recipe = {"@callbacks": "spacy-lstm-ner.AddLabels.v1"}
    nlp = train_with(resumed(old_pipeline, new_data, after_init=recipe))
    ner = nlp.get_pipe("lstm_ner")
    assert ner.labels == ("ORG", "JOB\x1b[31m")
    examples = list(Corpus(new_data)(nlp))
    assert nlp.update(examples)["lstm_ner"] > 0
    named = {**recipe, "component": "ner"}
    with pytest.raises(
        ValueError, match="no component 'ner' in the pipeline, which has lstm_ner"
    ):
        init_nlp(resumed(old_pipeline, new_data, after_init=named))
    chosen = {**recipe, "labels": ["A"]}
    nlp = init_nlp(resumed(old_pipeline, new_data, after_init=chosen))
    assert nlp.get_pipe("lstm_ner").labels == ("ORG", "A")


def test_labels_are_not_checked_without_a_corpus(old_pipeline):
    """The paths of a saved pipeline are not set, but it can be trained."""
    check_labels(spacy.load(old_pipeline))
    check_labels(init_nlp_of_source(old_pipeline))


def init_nlp_of_source(old_pipeline):
    config = config_of()
    config["components"]["lstm_ner"] = {"source": str(old_pipeline)}
    return load_model_from_config(config, auto_fill=True)


def test_labels_are_not_checked_for_an_initialized_component(new_data):
    nlp = init_nlp(
        config_of(**{"paths.train": str(new_data), "paths.dev": str(new_data)})
    )
    nlp.config["training"]["train_corpus"] = "corpora.no-such"
    check_labels(nlp)


def test_error_in_a_batch_says_how_to_add_labels(old_pipeline, new_data):
    nlp = spacy.load(old_pipeline)
    doc = doc_of(nlp, TEXT, (0, 4, "NEW"), spaces=True)
    with pytest.raises(ValueError, match=r"(?s)'NEW'.*add_label.*AddLabels\.v1"):
        nlp.update(examples_of([doc], nlp))


def test_outdated_labels_file(tmp_path):
    nlp = pipeline()
    doc = doc_of(nlp, TEXT, (0, 4, "ORG"), spaces=True)
    ner = nlp.get_pipe("lstm_ner")
    examples = examples_of([doc], nlp)
    with pytest.raises(ValueError, match=r"not among those given: ORG.*init labels"):
        ner.initialize(lambda: examples, nlp=nlp, labels=json.loads('["LOC"]'))
    ner.initialize(lambda: examples, nlp=nlp, labels=["LOC", "ORG"])
