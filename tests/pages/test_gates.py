"""The page that shows the gates, in a browser."""

import re

import numpy as np
import pytest
import spacy
from spacy.training import Example
from typer.testing import CliRunner

from spacy_lstm_ner.cli import lstm_ner_cli
from spacy_lstm_ner.inspect import (
    RankedUnit,
    explain,
    open_gates,
    rank_units,
    render,
)
from spacy_lstm_ner.pages.attribution import why_page
from spacy_lstm_ner.pages.gates import MOST_UNITS, gates_page

from ..helpers.browser import HOSTILE, PHONE, contrast, fits_the_width
from ..helpers.paths import SAMPLE
from ..helpers.pipelines import SMALL_MODEL, token_config, train


@pytest.fixture(scope="module")
def text(examples):
    return examples[0].text


@pytest.fixture(scope="module")
def html(trained, examples, text):
    return gates_page(
        open_gates(trained, text),
        explanation=explain(trained, text),
        ranking=rank_units(trained, (eg.reference for eg in examples)),
    )


@pytest.fixture
def opened(open_page, html):
    return open_page(html)


def words(page):
    return page.locator("#words").inner_text()


def test_entities_characters_and_path_are_there(opened, trained, text):
    doc = trained(text)
    marks = opened.locator(".text").first.locator("mark")
    assert marks.count() == len(doc.ents)
    bars = opened.locator(".bar").all_text_contents()
    assert [bar.split()[0] for bar in bars] == [ent.label_ for ent in doc.ents]
    assert opened.locator(".char").all_text_contents() == list(text)
    # A bar stands above the characters of its entity.
    for bar, ent in zip(opened.locator(".bar").all(), doc.ents, strict=True):
        box = bar.bounding_box()
        first = opened.locator(".char").nth(ent.start_char).bounding_box()
        last = opened.locator(".char").nth(ent.end_char - 1).bounding_box()
        assert abs(box["x"] - first["x"]) < 3
        assert abs(box["x"] + box["width"] - last["x"] - last["width"]) < 3


def test_the_pointer_is_explained(opened, trained, text):
    gates = open_gates(trained, text)
    assert "Point at a character" in words(opened)
    opened.locator(".char").nth(3).hover()
    assert f"{text[3]}, character 4 of {len(text)}, read forwards" in words(opened)
    assert f"The best path has {gates.path_tags[3]} here" in words(opened)
    assert "forget" in words(opened)
    opened.select_option("#reading", "0,1")
    assert "read backwards" in words(opened)
    # In the picture the unit is named, with its values.
    box = opened.locator("#units").bounding_box()
    opened.mouse.move(box["x"] + 26 * 3 + 5, box["y"] + box["height"] * 2.5 / 16)
    said = words(opened)
    forget = re.search(r"Unit 2: .*forget gate ([\d.]+)", said).group(1)
    assert float(forget) == pytest.approx(
        gates.layers[0].forget_gate[1, 3, 2], abs=0.011
    )
    hidden = re.search(r"hidden state (\S+)\.", said).group(1).replace("−", "-")
    assert float(hidden) == pytest.approx(gates.layers[0].hidden[1, 3, 2], abs=0.011)


def test_the_keyboard_goes_through_the_text(opened, text):
    opened.locator("#picture").focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowRight")
    assert f"{text[1]}, character 2 of" in words(opened)
    opened.keyboard.press("ArrowDown")
    assert "Unit 0:" in words(opened)
    opened.keyboard.press("End")
    assert f"character {len(text)} of" in words(opened)
    cursor = opened.locator("#cursor").bounding_box()
    last = opened.locator(".char").last.bounding_box()
    assert abs(cursor["x"] - last["x"]) < 3
    assert last["x"] < 1200


def colours(page, canvas, x, y):
    """The colour of a point of a canvas, where x and y go from 0 to 1."""
    return page.evaluate(
        """([id, x, y]) => {
          const c = document.getElementById(id);
          const at = [Math.floor(x * c.width), Math.floor(y * c.height), 1, 1];
          return [...c.getContext("2d").getImageData(...at).data].slice(0, 3);
        }""",
        [canvas, x, y],
    )


def test_colours_are_the_values(opened, trained, text):
    """The more open a gate, the further from the colour of the paper."""
    n = len(text)
    forget = open_gates(trained, text).layers[0].forget_gate[0]
    opened.select_option("#value", "forget_gate")
    place = np.unravel_index([forget.argmin(), forget.argmax()], forget.shape)
    distances = []
    for position, unit in zip(*place, strict=True):
        colour = colours(opened, "units", (position + 0.5) / n, (unit + 0.5) / 16)
        distances.append(
            sum(abs(c - p) for c, p in zip(colour, (252, 252, 253), strict=True))
        )
    assert distances[1] - distances[0] > 100
    assert opened.locator("#low").inner_text() == "0 closed"


def test_units_come_in_the_order_of_a_type(opened, trained, examples):
    ranking = rank_units(trained, (eg.reference for eg in examples))
    first = next(r for r in ranking["NAME"] if r.direction == 0)
    opened.select_option("#order", "type NAME")
    opened.locator("#units").hover(position={"x": 10, "y": 2})
    assert f"Unit {first.unit}:" in words(opened)
    assert "Units that follow entities" in opened.inner_text("body")


def test_a_chosen_entity_colours_its_characters(opened, trained, text):
    why = explain(trained, text).entities[0]
    assert opened.locator(".char.adds").count() == 0
    opened.locator("button.bar").first.click()
    strongest = int(why.added.argmax())
    classes = opened.locator(".char").nth(strongest).get_attribute("class")
    assert "adds" in classes
    opened.locator(".char").nth(strongest).hover()
    assert f"adds +{why.added[strongest]:.2f} to the log-odds" in words(opened)
    opened.locator("button.bar").first.click()
    assert opened.locator(".char.adds").count() == 0


def test_the_runner_up_is_told(opened):
    body = opened.inner_text("body")
    assert "The whole text: the best analysis has the probability" in body
    assert "less probable" in body or "No analysis is without it" in body


def test_it_reads_well_on_a_phone_and_in_the_dark(open_page, html):
    for dark in (False, True):
        page = open_page(html, viewport=PHONE, dark=dark)
        assert fits_the_width(page)
        page.locator(".char").first.click()
        for selector in ("body", "#words", ".bar >> nth=0", "td >> nth=0"):
            style = page.locator(selector).evaluate(
                """e => {
                  let b = e;
                  const of = (x) => getComputedStyle(x).backgroundColor;
                  while (of(b) === "rgba(0, 0, 0, 0)") b = b.parentElement;
                  return [getComputedStyle(e).color, of(b)];
                }"""
            )
            assert contrast(*style) >= 4.5, (selector, style)


def test_values_are_there_as_text(opened, text):
    assert opened.locator("#values tbody tr").count() == len(text)
    opened.locator("#values summary").click()
    row = opened.locator("#values tbody tr").nth(2)
    assert f"3 {text[2]}" in row.inner_text() and "writes most" in row.inner_text()
    assert opened.locator("#picture").get_attribute("aria-label")
    assert opened.locator("#words").get_attribute("aria-live") == "polite"


# spaCy reads no halves of surrogate pairs.
@pytest.mark.parametrize("text", [t for t in HOSTILE if "\ud800" not in t])
def test_hostile_text_is_shown_as_text(open_page, trained, text):
    told = explain(trained, text)
    page = open_page(gates_page(open_gates(trained, text), explanation=told))
    assert page.title() == "The gates of the LSTM"
    assert page.locator(".char").count() == len(text)
    page.locator(".char").last.hover()
    assert f"character {len(text)} of {len(text)}" in words(page)
    if "\u202e" in text:
        assert "\u202e" not in page.inner_text("body")


def test_tokens_have_room(open_page, examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config=token_config())
    train(nlp, examples, steps=1)
    page = open_page(gates_page(open_gates(nlp, "Internationalization of Wang")))
    word = page.locator(".char").first
    assert word.evaluate("e => e.scrollWidth <= e.clientWidth + 60")
    assert word.bounding_box()["width"] > 100
    word.hover()
    assert "Internationalization, token 1 of 3" in words(page)
    assert "character" not in page.locator("#picture").get_attribute("aria-label")


@pytest.mark.parametrize("lang, expected", [("zh", "zh"), ("de", "de"), ("xx", "")])
def test_texts_have_the_language_of_the_pipeline(open_page, examples, lang, expected):
    """On this page and on that of reasons: screen readers and fonts go by it."""
    nlp = spacy.blank(lang)
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    train(nlp, examples, steps=40)
    text = examples[0].text
    told = explain(nlp, text)
    assert told.entities
    gates = gates_page(open_gates(nlp, text), explanation=told)
    for html in (gates, why_page(told), str(render(nlp(text)))):
        assert set(re.findall(r' lang="(.*?)"', html)) == {"en", expected}
        page = open_page(html)
        # All that is shown of the text, but for what a pointer brings up.
        texts = page.locator(".text, .char, section.why mark, #values th span")
        found = texts.evaluate_all("all => all.map(e => e.closest('[lang]').lang)")
        assert len(found) > 0 and set(found) == {expected}
    page = open_page(gates)
    page.locator(".char").first.hover()
    assert page.locator("#words strong").get_attribute("lang") == expected


def test_what_takes_no_room_is_named(open_page, trained):
    page = open_page(gates_page(open_gates(trained, "王\u200b芳\ufeff")))
    assert page.locator(".char").all_text_contents() == ["王", "U+200B", "芳", "U+FEFF"]


def test_cell_states_are_told_as_they_are(open_page, trained, text):
    """Also where they are large: to the second decimal."""
    cell = open_gates(trained, text).layers[0].cell[0]
    position, unit = np.unravel_index(np.abs(cell).argmax(), cell.shape)
    page = open_page(gates_page(open_gates(trained, text)))
    box = page.locator("#units").bounding_box()
    x, y = 26 * position + 5, box["height"] * (unit + 0.5) / 16
    page.locator("#units").hover(position={"x": int(x), "y": int(y)})
    told = re.search(rf"Unit {unit}: .*cell state (\S+), hidden", words(page)).group(1)
    expected = float(cell[position, unit])
    assert float(told.replace("−", "-")) == pytest.approx(expected, abs=0.0051)


def test_long_labels_do_not_widen_a_phone(open_page, trained, text):
    label = "ORGANIZATION_HEADQUARTERS"
    ranking = {label: [RankedUnit(label, 0, 0, 1, 0.5)]}
    page = gates_page(open_gates(trained, text), ranking=ranking)
    assert fits_the_width(open_page(page, viewport=PHONE))


def test_chinese_is_drawn(draws_chinese, open_page, trained):
    """Two characters differ on the screen: they are no boxes."""
    page = open_page(gates_page(open_gates(trained, "王芳")))
    one, other = (page.locator(".char").nth(k).screenshot() for k in (0, 1))
    assert one != other


def test_it_is_small():
    """A page of 300 characters, with a network as wide as that of the configs."""
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner")
    labels = [f"LABEL{k}" for k in range(13)]
    for label in labels:
        ner.add_label(label)
    doc = nlp.make_doc("王" * 10)
    nlp.initialize(lambda: [Example(doc, doc.copy())])
    gates = open_gates(nlp, "王芳任北京大学教授。" * 30)
    assert gates.layers[0].hidden.shape == (2, 300, 128)
    told = explain(nlp, gates.text[:30])
    size = len(gates_page(gates, explanation=told).encode())
    assert size < 2_000_000


# The command


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gates") / "model"
    trained.to_disk(folder)
    return folder


def run(*arguments, **more):
    return CliRunner().invoke(lstm_ner_cli, ["gates", *map(str, arguments)], **more)


def test_the_command_writes_the_page(model, tmp_path, text, open_page):
    out = tmp_path / "new" / "gates.html"
    result = run(model, text, out, "--corpus", SAMPLE / "resume.json", "--quiet")
    assert result.exit_code == 0, result.output
    assert str(out) in result.output.replace("\n", "")
    page = open_page(out.read_text("utf8"))
    assert "Units that follow entities" in page.inner_text("body")
    assert "Why these entities" in page.inner_text("body")


def test_the_command_reads_standard_input_and_leaves_out_why(model, tmp_path):
    out = tmp_path / "gates.html"
    result = run(model, "-", out, input="王芳任教授" * 70 + "\n")
    assert result.exit_code == 0, result.output
    assert "More than 300 characters: entities are not explained" in result.output
    assert "Why these entities" not in out.read_text("utf8")
    assert run(model, "王芳", out, "--no-why").exit_code == 0
    assert "Why these entities" not in out.read_text("utf8")


def test_the_command_says_what_is_wrong(model, tmp_path):
    out = tmp_path / "gates.html"
    long = "王" * (MOST_UNITS + 1)
    for arguments, said in [
        ((model, long, out), "a page shows at most 1,000"),
        ((model, "", out), "The text is empty"),
        ((tmp_path / "nowhere", "王芳", out), "nowhere"),
        ((model, "王芳", out, "--corpus", tmp_path / "no.spacy"), "no such file"),
        ((model, "王芳", out, "--component", "other"), "no component lstm_ner of"),
    ]:
        result = run(*arguments)
        assert result.exit_code == 1
        assert said in result.output.replace("\n", ""), result.output
        assert "Traceback" not in result.output
    assert not out.exists()
