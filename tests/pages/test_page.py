"""The skeleton of the pages: text of users stays text."""

import pytest

from spacy_lstm_ner.pages.entities import marked_text
from spacy_lstm_ner.pages.error_page import error_page
from spacy_lstm_ner.pages.page import environment, page

from ..helpers.browser import HOSTILE, PHONE, fits_the_width


def entities_page(text, entities=(), title="entities", **kwargs):
    styles = {label: "c0" for _, _, label, _ in entities}
    return page(
        "entities.html", title, texts=[marked_text(text, entities, styles)], **kwargs
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(open_page, text):
    entities = [(0, len(text), text[:20], 0.5)]
    html = entities_page(
        text, entities, text, data={"text": text}, script="let ran = true;"
    )
    opened = open_page(html)
    assert opened.title() != "run"
    assert opened.locator("mark").count() == 1
    assert opened.locator("mark script, mark img").count() == 0
    visible = opened.locator("mark").text_content()
    for part in ("<script>", "<img", "👨‍👩‍👧", "&lt;b&gt;"):
        assert (part in text) == (part in visible)
    data = opened.evaluate("JSON.parse(document.getElementById('data').textContent)")
    assert data == {"text": text.encode("utf8", "replace").decode()}


def test_only_the_script_of_the_page_runs(open_page):
    template = environment.from_string(
        "{% extends 'base.html' %}{% block main %}<p onclick='alert(1)'>x</p>"
        "<script>document.title = 'run'</script>{% endblock %}"
    )
    opened = open_page(page(template, "still", script="window.own = 1"))
    opened.locator("p").click()
    assert opened.title() == "still"
    assert opened.evaluate("window.own") == 1
    assert all("Content Security Policy" in error for error in open_page.errors)
    assert open_page.errors
    open_page.errors.clear()


def test_templates_escape_all_values():
    template = environment.from_string("<p title='{{ x }}'>{{ x }}</p>")
    assert template.render(x="<b>'") == "<p title='&lt;b&gt;&#39;'>&lt;b&gt;&#39;</p>"


def test_long_text_is_wrapped_on_a_phone(open_page):
    text = "王芳" * 25_000 + "a" * 500
    opened = open_page(entities_page(text), viewport=PHONE)
    assert fits_the_width(opened)
    assert len(opened.inner_text(".text")) == len(text)


def test_marks_touch_neither_each_other_nor_the_lines_around_them(open_page):
    """Entities without a space between them, over several lines."""
    text = "王芳任教授" * 60
    entities = [
        (start + 5 * k, end + 5 * k, label, 0.5)
        for k in range(60)
        for start, end, label in ((0, 2, "NAME"), (2, 3, "X"), (3, 5, "TITLE"))
    ]
    opened = open_page(entities_page(text, entities), viewport=PHONE)
    boxes = opened.locator("mark").evaluate_all(
        "marks => marks.flatMap(m => [...m.getClientRects()])"
        ".map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len({top for _, top, _, _ in boxes}) > 10
    for k, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[k + 1 :]:
            beside = other[0] >= right + 2 or other[2] <= left - 2
            below = other[1] >= bottom + 2 or other[3] <= top - 2
            assert beside or below


def test_a_label_stays_with_the_end_of_its_entity(open_page):
    """At all widths of the window, whatever is before the entity."""
    text = "一二三四五六七八九十" * 2 + "王芳" + "一二三"
    html = entities_page(text, [(20, 22, "NAME", 0.5)])
    opened = open_page(html, viewport={"width": 480, "height": 700})
    tops = set()
    for width in range(300, 480, 7):
        opened.set_viewport_size({"width": width, "height": 700})
        last, label = opened.evaluate(
            """() => {
              const range = document.createRange();
              const text = document.querySelector("mark").firstChild;
              range.setStart(text, 1);
              range.setEnd(text, 2);
              const label = document.querySelector("mark .label");
              return [range, label].map(e => e.getClientRects())
                .map(boxes => [boxes.length, boxes[0].bottom]);
            }"""
        )
        tops.add(round(label[1]))
        assert label[0] == 1 and abs(last[1] - label[1]) < 12, width
    assert len(tops) > 1, "the test would show nothing"


def test_probabilities_are_beside_labels(open_page):
    html = entities_page("王芳任教授", [(0, 2, "NAME", 0.97), (3, 5, "TITLE", 1.0)])
    opened = open_page(html)
    assert opened.locator("mark .label").all_text_contents() == [
        "NAME 0.97",
        "TITLE >0.99",
    ]


def test_errors_are_pages_for_browsers(open_page):
    from http import HTTPStatus

    opened = open_page(error_page(HTTPStatus.NOT_FOUND, HOSTILE[0]))
    assert opened.title() == "404 Not Found"
    assert HOSTILE[0] in opened.inner_text("main")
    assert opened.locator("main a").count() == 2
