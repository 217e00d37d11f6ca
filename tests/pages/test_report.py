"""`python -m spacy lstm-ner report`: what it says, and what a reader sees of it."""

import json
import re

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from spacy.training import Corpus
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.evaluation.error_analysis import find_errors
from spacy_lstm_ner.evaluation.report import confusion, reliability, scores
from spacy_lstm_ner.evaluation.scorer import expected_error
from spacy_lstm_ner.evaluation.training_log import report_logger
from spacy_lstm_ner.model.pretraining import Pretraining

from ..helpers.browser import HOSTILE as HOSTILE_TEXTS
from ..helpers.browser import PHONE, contrast, fits_the_width
from ..helpers.paths import SAMPLE
from ..helpers.pipelines import loaded_again

NLP = spacy.blank("zh")
# spaCy has no text with half of a surrogate pair.
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
    docs = [eg.reference for eg in BIOCorpus(SAMPLE / "resume.json", limit=160)(NLP)]
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
    figures = {"ents_p": 0.5, "ents_r": 0.25, "ents_f": 0.1234}
    figures["ents_per_type"] = {"NAME": {"p": 0.5, "r": 0.25, "f": 0.4321}}
    (folder / "metrics.json").write_text(json.dumps(figures))
    return folder


@pytest.fixture(scope="module")
def findings(folder):
    return find_errors(folder / "model", folder / "data.spacy")


@pytest.fixture(scope="module")
def page(folder):
    """A report on hostile data, with everything that there is."""
    path = folder / "new" / "report.html"
    code, output = report(
        *(folder / "model", folder / "hostile.spacy", path),
        *("--log", folder / "log.jsonl", "--metrics", folder / "metrics.json"),
    )
    assert code == 0, output
    assert "Written" in output and str(path) in output
    return path.read_text("utf8")


# What it says


def test_rows_of_the_confusion_sum_up(findings):
    counts = confusion(findings)
    for label, n in findings.gold.items():
        row = {column: m for (gold, column), m in counts.items() if gold == label}
        assert sum(row.values()) == n
        assert row.get(label, 0) == findings.right[label]
    # All kinds of cells are there, or this would show little.
    assert {0, 1} < {column for _, column in counts}
    assert any(gold != column for gold, column in counts if isinstance(column, str))
    # Each predicted entity is right, or in one cell of an error.
    predicted = sum(len(record.predicted) for record in findings.records)
    invented = sum(n for (gold, _), n in counts.items() if gold == 2)
    shared = sum(error.shared == "predicted" for error in findings.errors)
    missed = sum(n for (_, column), n in counts.items() if column == 1)
    found = findings.gold.total() - missed - shared
    assert invented > 0 and predicted == found + invented


def test_figures_are_those_of_an_evaluation(folder, findings):
    nlp = spacy.load(folder / "model")
    expected = nlp.evaluate(list(Corpus(folder / "data.spacy")(nlp)))
    error = expected_error(reliability(findings))
    assert error == pytest.approx(expected["ents_ece"]) and error > 0
    ours = scores(findings)
    assert ours.pop("").to_dict() == pytest.approx(
        {x: expected[f"ents_{x}"] for x in "prf"}
    )
    assert {label: prf.to_dict() for label, prf in ours.items()} == {
        label: pytest.approx(prf) for label, prf in expected["ents_per_type"].items()
    }


def test_the_same_report_is_the_same_bytes(folder):
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
    assert "The pipeline tells no probabilities" in text
    assert "the first ones in the data" in text
    assert "calibration error" not in text
    assert opened.locator("mark[data-label=ORG]").first.is_visible()
    # Without a log it says how to get the curves.
    assert "spacy-lstm-ner.ReportLogger.v1" in text
    assert opened.locator("figure").count() == 0


def test_what_cannot_be_used_is_told(folder, tmp_path, monkeypatch):
    model, data, out = folder / "model", folder / "data.spacy", tmp_path / "out.html"
    broken = tmp_path / "broken.jsonl"
    lines = (folder / "log.jsonl").read_text("utf8").splitlines()
    broken.write_text("\n".join([*lines[:3], "{", *lines[3:]]) + "\n", "utf8")
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    for args, says in (
        (("nowhere", data), "Can't find model 'nowhere'"),
        ((model, "no.spacy"), "no.spacy: no such file"),
        ((model, data, "--log", broken), f"{broken}:4: this line is not JSON"),
        ((model, data, "--log", "no.jsonl"), "no.jsonl"),
        ((model, data, "--metrics", broken), f"{broken}: this is not JSON"),
        ((model, data, "--metrics", empty), f"{empty}: no figures that"),
    ):
        code, output = report(*args[:2], out, *args[2:])
        assert code == 1, args
        assert "Error:" in output and says in output
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, output = report(model, data, out)
    assert code == 1 and 'pip install "spacy-lstm-ner[project]"' in output
    assert not out.exists()


def test_a_log_without_an_evaluation(folder, tmp_path):
    log = tmp_path / "log.jsonl"
    report_logger(log)(spacy.load(folder / "model"), None, None)
    args = folder / "model", folder / "few.spacy", tmp_path / "out.html", "--log", log
    assert report(*args)[0] == 0
    assert "no evaluation yet" in (tmp_path / "out.html").read_text("utf8")


def test_a_log_from_before_there_were_lines_of_pretraining(folder, tmp_path):
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
    """A page in English, whose texts are in another language."""
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
    assert code == 1 and "is the log of another pipeline: it has ner" in output


# What a reader sees


def test_entities_and_figures_are_seen(page, open_page):
    opened = open_page(page)
    facts = opened.locator(".facts").inner_text()
    assert "F1 on hostile" in facts and "12.34%" in facts
    assert "11 of 11" in facts
    assert "of that, pretraining\n1 min 23 s" in facts
    row = opened.locator("tr", has=opened.get_by_role("rowheader", name="NAME")).first
    assert row.inner_text().split()[-1] == "43.21"
    mistakes = opened.locator("section", has_text="The worst mistakes").locator("li")
    assert 10 < mistakes.count() <= 30
    for text in mistakes.all_inner_texts():
        assert "annotated" in text and "predicted" in text and "record" in text
    assert all(mark.is_visible() for mark in mistakes.locator("mark").all()[:10])
    labels = opened.locator("mark[data-score] .label").all_inner_texts()
    assert labels and all(re.search(r"[01]\.\d\d$", label) for label in labels)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(page, open_page, text):
    opened = open_page(page)
    assert opened.title() != "run"
    assert opened.locator("script, img, section b").count() == 0
    shown = opened.locator("mark[data-label=EDU]").all_inner_texts()
    # What turns text is shown by its code point.
    expected = re.sub("[\u202e\u2066]", lambda m: f"U+{ord(m[0]):04X}", text)
    assert any(expected in one for one in shown), shown


def test_a_hostile_label_is_shown_as_text(page, open_page):
    opened = open_page(page)
    name = "<script>document.title = 'run'</script>$x_2"
    for place in ("tbody th", "thead th", ".legend li", "h3", "mark"):
        assert opened.locator(place, has_text=name).count() > 0, place


def test_a_long_record_is_cut(page, open_page):
    assert len(page) < 300_000
    opened = open_page(page)
    cut = opened.locator("mark", has_text="…").first
    assert cut.is_visible() and len(cut.inner_text()) < 200


def test_each_chart_has_its_values_as_text(page, open_page):
    opened = open_page(page)
    figures = opened.locator("figure").all()
    titles = [figure.locator("figcaption").inner_text() for figure in figures]
    assert titles == [
        "Pretraining: loss of a guess",
        "Loss per step",
        "F1, precision and recall",
        "F1 of each type",
        "Learning rate",
        "Characters a second",
        "Share that is right, by probability",
    ]
    for title, figure in zip(titles, figures, strict=True):
        svg = figure.get_by_role("img")
        assert title.split()[0].lower() in svg.get_attribute("aria-label").lower()
        assert svg.locator("text").count() > 5
        figure.locator("summary").click()
        assert figure.locator("table").is_visible()
    said = opened.locator("section", has_text="Training").first.inner_text()
    assert "lstm_ner read 60 texts, in 30 steps of pretraining" in said
    read = figures[0].locator("tbody tr").all_inner_texts()
    assert read == ["15\t7", "30\t6.5"]
    first = figures[1].locator("tbody tr").all_inner_texts()
    assert first[:2] == ["0\t100", "1\t50"] and len(first) == 12
    rates = figures[4].locator("tbody td").all_inner_texts()
    assert rates == ["0.001"] * 12
    ids = opened.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) > 50
    # A mark, or what clips a line, that is not found would not be drawn.
    used = {*re.findall(r'href="#(.+?)"', page), *re.findall(r"url\(#(.+?)\)", page)}
    assert used and used <= {*ids}


def test_it_fits_a_phone(page, open_page):
    opened = open_page(page, viewport=PHONE)
    assert fits_the_width(opened)
    # Short labels are on one line, and long ones on many.
    heights = [
        opened.locator("tbody th bdi", has_text=label).first.bounding_box()["height"]
        for label in ("NAME", "script")
    ]
    assert heights[0] < 30 < 300 < heights[1]
    for chart in opened.locator("figure svg[role=img]").all():
        box = chart.bounding_box()
        assert 300 < box["width"] <= PHONE["width"]
        letters = chart.locator("text").first.bounding_box()
        assert letters["height"] > 10
    # All that is opened fits, too.
    for summary in opened.locator("summary").all():
        summary.click()
    assert fits_the_width(opened)


@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_read_in_light_and_in_dark(page, open_page, dark):
    opened = open_page(page, dark=dark)
    for selector in (
        *("body", ".note", "figure text", "thead th", "summary", "mark .label"),
        *(".shade.right", ".shade.wrong", ".none", "h3", "dt", "pre"),
    ):
        found = opened.locator(selector).evaluate_all(COLOURS)
        assert found, selector
        for ink, *papers in found:
            assert contrast(ink, blended(papers)) >= 4.5, (selector, ink, papers)
    lines = opened.locator("figure path[style*='--series']")
    colours = lines.evaluate_all("all => all.map(e => getComputedStyle(e).stroke)")
    body = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    drawn = {colour for colour in colours if colour != "none"}
    # Lines, as all graphics, need less than letters (WCAG 2.1, 1.4.11).
    assert len(drawn) > 2 and all(contrast(colour, body) >= 3 for colour in drawn)


# The colour of each element's text, and the backgrounds behind it from the front.
COLOURS = """elements => elements.map(element => {
  const style = getComputedStyle(element), found = [style.fill];
  if (!(element instanceof SVGElement)) found[0] = style.color;
  for (let e = element; e; e = e.parentElement) {
    found.push(getComputedStyle(e).backgroundColor);
  }
  return found;
})"""


def blended(papers):
    """The colour of backgrounds that lie on each other, as CSS."""
    colour = (255.0, 255.0, 255.0)
    for paper in reversed(papers):
        numbers = [float(x) for x in re.findall(r"[\d.]+", paper)]
        alpha = numbers[3] if len(numbers) > 3 else 1.0
        colour = [
            alpha * over + (1 - alpha) * under
            for over, under in zip(numbers, colour, strict=False)
        ]
    return f"rgb({', '.join(map(str, colour))})"


def test_chinese_is_drawn(draws_chinese, page, open_page):
    """A character that no font has is drawn as a box, always the same."""
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
