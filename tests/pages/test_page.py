"""The skeleton of the pages: text of users stays text."""

import pytest

from spacy_lstm_ner.pages.entities import entities_html, hue
from spacy_lstm_ner.pages.page import page

from ..helpers.browser import HOSTILE, PHONE, contrast, fits_the_width


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(open_page, text):
    label = text[:20]
    shown = entities_html(text, [(0, len(text), label, 0.5)])
    opened = open_page(page(text, shown, data={"text": text}, script="let ran = true;"))
    assert opened.title() != "run"
    assert opened.locator("mark").count() == 1
    assert opened.locator("mark script, mark img").count() == 0
    visible = opened.locator("mark").text_content()
    for part in ("<script>", "<img", "👨‍👩‍👧", "&lt;b&gt;"):
        assert (part in text) == (part in visible)
    data = opened.evaluate("JSON.parse(document.getElementById('data').textContent)")
    assert data == {"text": text.encode("utf8", "replace").decode()}


def test_only_the_script_of_the_page_runs(open_page):
    body = "<script>document.title = 'run'</script><p onclick='alert(1)'>x</p>"
    opened = open_page(page("still", body, script="window.own = 1"))
    opened.locator("p").click()
    assert opened.title() == "still"
    assert opened.evaluate("window.own") == 1
    assert all("Content Security Policy" in error for error in open_page.errors)
    assert open_page.errors
    open_page.errors.clear()


def test_long_text_is_wrapped_on_a_phone(open_page):
    text = "王芳" * 25_000 + "a" * 500
    opened = open_page(page("long", entities_html(text, [])), viewport=PHONE)
    assert fits_the_width(opened)
    assert len(opened.inner_text(".text")) == len(text)


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_in_light_and_dark_mode(open_page, dark):
    body = entities_html("王芳任教授", [(0, 2, "NAME", 0.97), (3, 5, "TITLE", 1.0)])
    opened = open_page(page("colours", body), dark=dark)
    assert opened.locator("mark .label").all_text_contents() == [
        "NAME 0.97",
        "TITLE 1.00",
    ]
    for selector in ("body", "mark >> nth=0", "mark >> nth=1"):
        style = opened.locator(selector).evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        )
        assert contrast(*style) >= 4.5, style


def test_a_label_has_one_hue():
    assert hue("ORG") == hue("ORG") != hue("TITLE")
    assert 0 <= hue("anything") < 360
