"""The page that shows the gates, in a browser."""

import re

import numpy as np
import pytest
import spacy
from spacy.training import Example

from spacy_lstm_ner.inspect import (
    RankedUnit,
    explain,
    open_gates,
    rank_units,
    render,
)
from spacy_lstm_ner.pages.attribution_page import attribution_page
from spacy_lstm_ner.pages.gates_page import gates_page

from ..helpers.browser import HOSTILE, PHONE, contrast, fits_the_width
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


def test_entities_characters_and_best_path(opened, trained, text):
    doc = trained(text)
    marks = opened.locator(".text").first.locator("mark")
    assert marks.count() == len(doc.ents)
    bars = opened.locator(".bar").all_text_contents()
    assert [bar.split()[0] for bar in bars] == [ent.label_ for ent in doc.ents]
    assert opened.locator(".char").all_text_contents() == list(text)
    # The bar of an entity is above its characters.
    for bar, ent in zip(opened.locator(".bar").all(), doc.ents, strict=True):
        box = bar.bounding_box()
        first = opened.locator(".char").nth(ent.start_char).bounding_box()
        last = opened.locator(".char").nth(ent.end_char - 1).bounding_box()
        assert abs(box["x"] - first["x"]) < 3
        assert abs(box["x"] + box["width"] - last["x"] - last["width"]) < 3


def test_the_step_under_the_pointer_is_described(opened, trained, text):
    gates = open_gates(trained, text)
    assert "Point at a character" in words(opened)
    opened.locator(".char").nth(3).hover()
    assert f"{text[3]}, character 4 of {len(text)}, forward. " in words(opened)
    assert f"The best path has {gates.path_tags[3]} here" in words(opened)
    assert "forget" in words(opened)
    opened.select_option("#pass", "0,1")
    assert ", backward. " in words(opened)
    # In the picture, the hidden unit is described with its values.
    box = opened.locator(".units").bounding_box()
    opened.mouse.move(box["x"] + 26 * 3 + 5, box["y"] + box["height"] * 2.5 / 16)
    said = words(opened)
    forget = re.search(r"Hidden unit 2: .*forget gate ([\d.]+)", said).group(1)
    assert float(forget) == pytest.approx(
        gates.layers[0].forget_gate[1, 3, 2], abs=0.011
    )
    hidden = re.search(r"hidden state (\S+)\.", said).group(1).replace("−", "-")
    assert float(hidden) == pytest.approx(gates.layers[0].hidden[1, 3, 2], abs=0.011)


def test_arrow_keys_move_through_the_text(opened, text):
    opened.locator("#picture").focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowRight")
    assert f"{text[1]}, character 2 of" in words(opened)
    opened.keyboard.press("ArrowDown")
    assert "Hidden unit 0:" in words(opened)
    opened.keyboard.press("End")
    assert f"character {len(text)} of" in words(opened)
    cursor = opened.locator(".cursor").bounding_box()
    last = opened.locator(".char").last.bounding_box()
    assert abs(cursor["x"] - last["x"]) < 3
    assert last["x"] < 1200


def colors(page, canvas, x, y):
    """The color of a point of a canvas; x and y are from 0 to 1."""
    return page.evaluate(
        """([id, x, y]) => {
          const c = document.querySelector(`canvas.${id}`);
          const at = [Math.floor(x * c.width), Math.floor(y * c.height), 1, 1];
          return [...c.getContext("2d").getImageData(...at).data].slice(0, 3);
        }""",
        [canvas, x, y],
    )


def test_colors_show_the_values(opened, trained, text):
    """Open gates differ more from the background than closed ones."""
    n = len(text)
    forget = open_gates(trained, text).layers[0].forget_gate[0]
    opened.select_option("#value", "forget_gate")
    place = np.unravel_index([forget.argmin(), forget.argmax()], forget.shape)
    distances = []
    for position, unit in zip(*place, strict=True):
        color = colors(opened, "units", (position + 0.5) / n, (unit + 0.5) / 16)
        distances.append(
            sum(abs(c - p) for c, p in zip(color, (255, 255, 255), strict=True))
        )
    assert distances[1] - distances[0] > 100
    assert opened.locator("#low").inner_text() == "0 closed"


def test_hidden_units_are_sorted_by_rank(opened, trained, examples):
    ranking = rank_units(trained, (eg.reference for eg in examples))
    first = next(r for r in ranking["NAME"] if r.direction == 0)
    opened.select_option("#order", "type NAME")
    opened.locator(".units").hover(position={"x": 10, "y": 2})
    assert f"Hidden unit {first.unit}:" in words(opened)
    assert "Hidden units that follow entities" in opened.inner_text("body")


def test_a_selected_entity_shows_its_contributions(opened, trained, text):
    attribution = explain(trained, text).entities[0]
    assert opened.locator(".char.positive").count() == 0
    opened.locator("button.bar").first.click()
    strongest = int(attribution.contributions.argmax())
    classes = opened.locator(".char").nth(strongest).get_attribute("class")
    assert "positive" in classes
    opened.locator(".char").nth(strongest).hover()
    assert (
        f"log-odds of the selected entity: +{attribution.contributions[strongest]:.2f}."
        in words(opened)
    )
    opened.locator("button.bar").first.click()
    assert opened.locator(".char.positive").count() == 0


def test_the_best_analysis_without_an_entity(opened):
    body = opened.inner_text("body")
    assert "Probability of the best analysis of the text: " in body
    assert (
        "times less probable" in body
        or "There is no analysis without this entity" in body
    )


def test_phone_and_dark_mode(open_page, html):
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


def test_descriptions_are_in_a_table(opened, text):
    assert opened.locator("#values tbody tr").count() == len(text)
    opened.locator("#values summary").click()
    row = opened.locator("#values tbody tr").nth(2)
    assert f"3 {text[2]}" in row.inner_text() and "is updated most" in row.inner_text()
    assert opened.locator("#picture").get_attribute("aria-label")
    assert opened.locator("#words").get_attribute("aria-live") == "polite"


# spaCy cannot store surrogates.
@pytest.mark.parametrize("text", [t for t in HOSTILE if "\ud800" not in t])
def test_hostile_text_is_shown_as_text(open_page, trained, text):
    told = explain(trained, text)
    page = open_page(gates_page(open_gates(trained, text), explanation=told))
    assert page.title() == "LSTM gates"
    assert page.locator(".char").count() == len(text)
    page.locator(".char").last.hover()
    assert f"character {len(text)} of {len(text)}" in words(page)
    if "\u202e" in text:
        assert "\u202e" not in page.inner_text("body")


def test_columns_of_tokens_are_wider(open_page, examples):
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
    """Screen readers and the choice of fonts depend on it."""
    nlp = spacy.blank(lang)
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    train(nlp, examples, steps=40)
    text = examples[0].text
    told = explain(nlp, text)
    assert told.entities
    gates = gates_page(open_gates(nlp, text), explanation=told)
    for html in (gates, attribution_page(told), str(render(nlp(text)))):
        assert set(re.findall(r' lang="(.*?)"', html)) == {"en", expected}
        page = open_page(html)
        # All elements with parts of the text, except the description.
        texts = page.locator(".text, .char, section.attribution mark, #values th span")
        found = texts.evaluate_all("all => all.map(e => e.closest('[lang]').lang)")
        assert len(found) > 0 and set(found) == {expected}
    page = open_page(gates)
    page.locator(".char").first.hover()
    assert page.locator("#words strong").get_attribute("lang") == expected


def test_invisible_characters_are_shown_by_their_code_points(open_page, trained):
    page = open_page(gates_page(open_gates(trained, "王\u200b芳\ufeff")))
    assert page.locator(".char").all_text_contents() == ["王", "U+200B", "芳", "U+FEFF"]


def test_cell_states_are_exact_to_the_second_decimal(open_page, trained, text):
    cell = open_gates(trained, text).layers[0].cell[0]
    position, unit = np.unravel_index(np.abs(cell).argmax(), cell.shape)
    page = open_page(gates_page(open_gates(trained, text)))
    box = page.locator(".units").bounding_box()
    x, y = 26 * position + 5, box["height"] * (unit + 0.5) / 16
    page.locator(".units").hover(position={"x": int(x), "y": int(y)})
    told = re.search(
        rf"Hidden unit {unit}: .*cell state (\S+), hidden", words(page)
    ).group(1)
    expected = float(cell[position, unit])
    assert float(told.replace("−", "-")) == pytest.approx(expected, abs=0.0051)


def test_long_labels_do_not_widen_a_phone(open_page, trained, text):
    label = "ORGANIZATION_HEADQUARTERS"
    ranking = {label: [RankedUnit(label, 0, 0, 1, 0.5)]}
    page = gates_page(open_gates(trained, text), ranking=ranking)
    assert fits_the_width(open_page(page, viewport=PHONE))


def test_chinese_is_drawn(draws_chinese, open_page, trained):
    """Without a font for Chinese, all characters are the same box."""
    page = open_page(gates_page(open_gates(trained, "王芳")))
    one, other = (page.locator(".char").nth(k).screenshot() for k in (0, 1))
    assert one != other


def test_size():
    """A page of 300 characters, with a network of the size in the configs."""
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
