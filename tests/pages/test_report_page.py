"""`python -m spacy lstm-ner report`: the page, and what a reader sees of it."""

import json
import re

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.evaluation.training_log import report_logger
from spacy_lstm_ner.model.pretraining import Pretraining

from ..helpers.browser import HOSTILE as HOSTILE_TEXTS
from ..helpers.browser import PHONE, fits_the_width
from ..helpers.paths import EASY
from ..helpers.pipelines import loaded_again

NLP = spacy.blank("zh")
# spaCy cannot store surrogates.
HOSTILE = [text for text in HOSTILE_TEXTS if "\ud800" not in text]
BAD_LABEL = "<script>document.title = 'run'</script>$x_2\u202e" + "长" * 300
LONG = "王芳任教授，" * 8334


def report(*args):
    result = CliRunner().invoke(app, ["lstm-ner", "report", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def doc_with(text, *spans):
    doc = NLP.make_doc(text)
    doc.ents = [doc.char_span(*span) for span in spans]
    return doc


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """With model/, held-out sentences in data.spacy, a few of them in few.spacy, and in
    hostile.spacy with hostile ones; and log.jsonl and metrics.json."""
    folder = tmp_path_factory.mktemp("report")
    trained.to_disk(folder / "model")
    docs = [eg.reference for eg in BIOCorpus(EASY, limit=160)(NLP)]
    DocBin(docs=docs[60:]).to_disk(folder / "data.spacy")
    DocBin(docs=docs[60:70]).to_disk(folder / "few.spacy")
    hostile = [doc_with(text, (0, len(text), "EDU")) for text in HOSTILE]
    hostile.append(doc_with("王芳任教授", (0, 2, BAD_LABEL)))
    hostile.append(doc_with(LONG, (0, len(LONG), "EDU")))
    DocBin(docs=docs[60:70] + hostile).to_disk(folder / "hostile.spacy")
    pipeline = loaded_again(trained)
    log_step, finalize = report_logger(folder / "log.jsonl")(pipeline, None, None)
    losses = [(15, 7.0), (30, 6.5)]
    pipeline.get_pipe("lstm_ner").pretraining = Pretraining(60, 30, 83.0, losses)
    for i in range(12):
        prf = {"p": i / 12, "r": 0.5, "f": 0.25 + i / 24}
        log_step(
            {
                **{"step": i, "epoch": i // 6, "words": 100 * i, "score": prf["f"]},
                "losses": {"lstm_ner": 100.0 / (i + 1)},
                "other_scores": {
                    **{f"ents_{key}": value for key, value in prf.items()},
                    "ents_per_type": {"NAME": prf, BAD_LABEL: prf},
                },
            }
        )
        log_step(None)
    finalize()
    scores = {"ents_p": 0.5, "ents_r": 0.25, "ents_f": 0.1234}
    scores["ents_per_type"] = {"NAME": {"p": 0.5, "r": 0.25, "f": 0.4321}}
    (folder / "metrics.json").write_text(json.dumps(scores))
    return folder


@pytest.fixture(scope="module")
def page(folder):
    """A report on hostile data, with all sections."""
    path = folder / "new" / "report.html"
    code, output = report(
        *(folder / "model", folder / "hostile.spacy", path),
        *("--log", folder / "log.jsonl", "--metrics", folder / "metrics.json"),
    )
    assert code == 0, output
    assert "Written" in output and str(path) in output
    return path.read_text("utf8")


def test_the_output_is_deterministic(folder):
    data, log = folder / "few.spacy", folder / "log.jsonl"
    paths = folder / "once.html", folder / "twice.html"
    for path in paths:
        report(folder / "model", data, path, "--quiet", "--log", log)
    once, twice = (path.read_bytes() for path in paths)
    assert once == twice and b"<svg" in once


def test_a_pipeline_without_the_component(folder, open_page):
    nlp = spacy.blank("zh")
    patterns = [{"label": "ORG", "pattern": [{"TEXT": "公"}, {"TEXT": "司"}]}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    nlp.to_disk(folder / "ruler")
    path = folder / "ruler.html"
    args = folder / "ruler", folder / "few.spacy", path, "--quiet"
    assert report(*args) == (0, "")
    opened = open_page(path.read_text("utf8"))
    text = opened.inner_text("body")
    assert "The pipeline has no probabilities" in text
    assert "the first ones in the data" in text
    assert "calibration error" not in text
    assert opened.locator("mark[data-label=ORG]").first.is_visible()
    # Without a log, the page says what the learning curves need.
    assert "spacy-lstm-ner.ReportLogger.v1" in text
    assert opened.locator("figure").count() == 0


def test_errors_name_what_cannot_be_used(folder, tmp_path):
    model, data, out = folder / "model", folder / "data.spacy", tmp_path / "out.html"
    broken = tmp_path / "broken.jsonl"
    lines = (folder / "log.jsonl").read_text("utf8").splitlines()
    broken.write_text("\n".join([*lines[:3], "{", *lines[3:]]) + "\n", "utf8")
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    for args, says in (
        (("nowhere", data), "Can't find model 'nowhere'"),
        ((model, "no.spacy"), "no.spacy: no such file"),
        ((model, data, "--log", broken), f"{broken}:4: invalid JSON"),
        ((model, data, "--log", "no.jsonl"), "no.jsonl"),
        ((model, data, "--metrics", broken), f"{broken}: invalid JSON"),
        ((model, data, "--metrics", empty), f"{empty}: no scores of entities (ents_f)"),
    ):
        code, output = report(*args[:2], out, *args[2:])
        assert code == 1, args
        assert "Error:" in output and says in output
    assert not out.exists()


def test_a_log_without_an_evaluation(folder, tmp_path):
    log = tmp_path / "log.jsonl"
    report_logger(log)(spacy.load(folder / "model"), None, None)
    args = folder / "model", folder / "few.spacy", tmp_path / "out.html", "--log", log
    assert report(*args)[0] == 0
    assert "no evaluation yet" in (tmp_path / "out.html").read_text("utf8")


def test_a_log_without_lines_of_pretraining(folder, tmp_path):
    lines = (folder / "log.jsonl").read_text("utf8").splitlines()
    old = [line for line in lines if not line.startswith('{"pretraining"')]
    assert len(old) == len(lines) - 1
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(old) + "\n", "utf8")
    args = folder / "model", folder / "few.spacy", tmp_path / "out.html", "--log", log
    assert report(*args)[0] == 0
    page = (tmp_path / "out.html").read_text("utf8")
    assert "Loss per step" in page and "retraining:" not in page


@pytest.mark.parametrize("lang, expected", [("zh", "zh"), ("en", "en"), ("xx", "")])
def test_texts_have_the_language_of_the_pipeline(tmp_path, lang, expected):
    """The page is in English, the texts are in another language."""
    nlp = spacy.blank(lang)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "ACME"}])
    nlp.to_disk(tmp_path / "model")
    doc = nlp.make_doc("ACME and Foo")
    doc.ents = [doc.char_span(9, 12, "ORG")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    args = tmp_path / "model", tmp_path / "data.spacy", tmp_path / "out.html", "-q"
    assert report(*args) == (0, "")
    page = (tmp_path / "out.html").read_text("utf8")
    assert set(re.findall(r' lang="(.*?)"', page)) == {"en", expected}
    assert f'<div class="text" lang="{expected}">' in page


def test_a_log_of_another_pipeline_is_refused(folder, tmp_path):
    log = tmp_path / "log.jsonl"
    other = spacy.blank("zh")
    other.add_pipe("ner")
    report_logger(log)(other, None, None)
    args = folder / "model", folder / "few.spacy", tmp_path / "out.html", "--log", log
    code, output = report(*args)
    assert (
        code == 1 and "is the log of another pipeline: its components are ner" in output
    )


# What a reader sees


def test_entities_and_scores(page, open_page):
    opened = open_page(page)
    facts = opened.locator(".figures").inner_text()
    assert "F1 on hostile" in facts and "12.34%" in facts
    assert "11\nof 11" in facts
    assert "of which pretraining\n1 min 23 s" in facts
    row = opened.locator("tr", has=opened.get_by_role("rowheader", name="NAME")).first
    assert row.inner_text().split()[-1] == "43.21"
    errors = opened.locator("section", has_text="Most confident errors").locator("li")
    assert 10 < errors.count() <= 30
    for text in errors.all_inner_texts():
        assert "annotated" in text and "predicted" in text and "record" in text
    assert all(mark.is_visible() for mark in errors.locator("mark").all()[:10])
    labels = opened.locator("mark[data-score] .label").all_inner_texts()
    assert labels and all(re.search(r"[01]\.\d\d$", label) for label in labels)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(page, open_page, text):
    opened = open_page(page)
    assert opened.title() != "run"
    assert opened.locator("script, img, section b").count() == 0
    shown = opened.locator("mark[data-label=EDU]").all_inner_texts()
    # Directional characters are shown by their code points.
    expected = re.sub("[\u202e\u2066]", lambda m: f"U+{ord(m[0]):04X}", text)
    assert any(expected in one for one in shown), shown


def test_a_hostile_label_is_shown_as_text(page, open_page):
    opened = open_page(page)
    name = "<script>document.title = 'run'</script>$x_2"
    for place in ("tbody th", "thead th", ".multiple p", "h3", "mark"):
        assert opened.locator(place, has_text=name).count() > 0, place


def test_a_long_record_is_shortened(page, open_page):
    assert len(page) < 300_000
    opened = open_page(page)
    cut = opened.locator("mark", has_text="…").first
    assert cut.is_visible() and len(cut.inner_text()) < 200


def test_each_chart_has_its_values_as_text(page, open_page):
    opened = open_page(page)
    figures = opened.locator("figure").all()
    titles = [figure.locator("figcaption").inner_text() for figure in figures]
    assert titles == [
        "Pretraining: loss per masked character nats",
        "Loss per step",
        "F1, precision and recall percent",
        "Characters per second",
        "F1 by type percent",
        "Fraction correct by probability and number of entities",
    ]
    for title, figure in zip(titles, figures, strict=True):
        svg = figure.get_by_role("img").first
        said = svg.get_attribute("aria-label").lower()
        assert title.split()[0].lower().strip(":,") in said
        assert svg.locator("text").count() > 3
        figure.locator("summary").click()
        assert figure.locator("table").is_visible()
    said = opened.locator("#curves .note").first.inner_text()
    assert "lstm_ner was pretrained on 60 texts, in 30 steps" in said
    read = figures[0].locator("tbody tr").all_inner_texts()
    assert read == ["15\t7", "30\t6.5"]
    first = figures[1].locator("tbody tr").all_inner_texts()
    assert first[:2] == ["0\t100", "1\t50"] and len(first) == 12
    # What was the same at all steps is said, and not drawn.
    assert "The learning rate was 0.001 throughout." in said
    ids = opened.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) > 5
    links = opened.evaluate(
        "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
    )
    assert {link.removeprefix("#") for link in links} <= {*ids}


def test_types_are_drawn_in_charts_of_their_own(page, open_page):
    opened = open_page(page)
    panel = opened.locator("figure", has_text="F1 by type")
    charts = panel.locator(".multiple")
    assert charts.count() == 2
    name = charts.filter(has=opened.get_by_text("NAME", exact=True))
    # At the best step, the last one; F1 of all types is behind it.
    assert name.locator("strong").inner_text() == "71"
    assert name.locator("path").count() == 2


def test_it_fits_a_phone(page, open_page):
    opened = open_page(page, viewport=PHONE)
    assert fits_the_width(opened)
    # Short labels have one line, and long ones many.
    heights = [
        opened.locator("tbody th bdi", has_text=label).first.bounding_box()["height"]
        for label in ("NAME", "script")
    ]
    assert heights[0] < 30 < 300 < heights[1]
    for chart in opened.locator("figure svg[role=img]:not(.small)").all():
        box = chart.bounding_box()
        assert 200 < box["width"] <= PHONE["width"]
        letters = chart.locator("text").first.bounding_box()
        assert letters["height"] > 10
    # Also with all details open.
    for summary in opened.locator("summary").all():
        summary.click()
    assert fits_the_width(opened)


def test_chinese_is_drawn(draws_chinese, page, open_page):
    """Without a font for Chinese, all characters are the same box."""
    opened = open_page(page)
    opened.locator("mark").first.evaluate(
        "e => e.innerHTML = '<span id=glyph style=\"position: fixed; left: 0; top: 0; "
        "width: 40px; height: 40px; background: white; color: black\"></span>'"
    )
    drawn = set()
    for char in "王芳任教授":
        opened.locator("#glyph").evaluate("(e, char) => e.textContent = char", char)
        drawn.add(opened.locator("#glyph").screenshot())
    assert len(drawn) == 5
