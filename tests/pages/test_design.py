"""What all pages have in common, in a browser: they fit a small phone, their text is
readable in light and dark mode, they are usable with the keyboard, small, and load
nothing. Requests to anywhere else fail `open_page` and `open_demo`."""

import pytest

from spacy_lstm_ner.evaluation.training_log import report_logger
from spacy_lstm_ner.inspect import explain, open_gates, rank_units, render
from spacy_lstm_ner.pages.api_page import api_page
from spacy_lstm_ner.pages.attribution_page import attribution_page
from spacy_lstm_ner.pages.error_page import error_page
from spacy_lstm_ner.pages.gates_page import gates_page
from spacy_lstm_ner.pages.report_page import write_report

from ..helpers.browser import fits_the_width, low_contrast, too_wide
from ..helpers.service import needs_server

SMALL_PHONE = {"width": 360, "height": 640}
WIDE = {"width": 1920, "height": 1080}
TEXT = "李明任北京大学教授，曾在清华大学读书，汉族，中国国籍，现任公司副总经理。"
PAGES = ("report", "gates", "attribution", "entities", "api", "error")


@pytest.fixture(scope="module")
def pages(trained, examples, held_out_folder, tmp_path_factory):
    """All pages but the demo, which needs its server."""
    needs_server()
    from http import HTTPStatus

    from spacy_lstm_ner.server.openapi import openapi
    from spacy_lstm_ner.server.settings import Settings

    folder = tmp_path_factory.mktemp("design")
    log_step, finalize = report_logger(folder / "log.jsonl")(trained, None, None)
    for i in range(6):
        prf = {"p": i / 6, "r": 0.5, "f": 0.25 + i / 12}
        types = dict.fromkeys(trained.get_pipe("lstm_ner").labels, prf)
        log_step(
            {
                **{"step": i, "epoch": 0, "words": 100 * i, "score": prf["f"]},
                "losses": {"lstm_ner": 100.0 / (i + 1)},
                "other_scores": {
                    **{f"ents_{key}": value for key, value in prf.items()},
                    "ents_per_type": types,
                },
            }
        )
        log_step(None)
    finalize()
    write_report(
        *(held_out_folder / "model", held_out_folder / "data.spacy"),
        folder / "report.html",
        log=folder / "log.jsonl",
    )
    explanation = explain(trained, TEXT)
    gold = [eg.reference for eg in examples[:20]]
    return {
        "report": (folder / "report.html").read_text("utf8"),
        "gates": gates_page(
            open_gates(trained, TEXT),
            explanation=explanation,
            ranking=rank_units(trained, gold),
        ),
        "attribution": attribution_page(explanation),
        "entities": str(render(trained(TEXT))),
        "api": api_page(openapi(Settings())),
        "error": error_page(HTTPStatus.NOT_FOUND, "There is nothing at this path."),
    }


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_small_and_load_nothing(pages, name):
    html = pages[name]
    assert len(html.encode()) < 2_000_000
    assert "default-src 'none'" in html and "<iframe" not in html
    assert "src=" not in html and "@import" not in html and "url(" not in html


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_a_small_phone_and_are_readable(pages, open_page, name, dark):
    opened = open_page(pages[name], viewport=SMALL_PHONE, dark=dark)
    paper = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(paper[4:].split(",")[0]) < 60) == dark
    # Also with all details open.
    for _ in range(2):
        assert low_contrast(opened) == []
        assert fits_the_width(opened) and too_wide(opened) == []
        opened.evaluate("document.querySelectorAll('details').forEach(e => e.open = 1)")


def test_low_contrast_is_found(open_page, pages):
    """The check itself."""
    opened = open_page(pages["entities"])
    opened.add_style_tag(content="mark { color: #99a }")
    assert any(problem.startswith("1.") for problem in low_contrast(opened))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_demo_fits_a_small_phone_and_is_readable(open_demo, dark):
    page = open_demo(viewport=SMALL_PHONE, dark=dark)
    page.evaluate(
        """() => {
          document.getElementById("text-problem").textContent = "wrong";
          document.querySelectorAll("details").forEach(e => e.open = true);
        }"""
    )
    page.locator("#attribution").check()
    page.locator("#open-gates").click()
    page.locator("#gates .attribution").first.wait_for()
    assert low_contrast(page) == []
    assert fits_the_width(page) and too_wide(page) == []
    assert len(page.content().encode()) < 2_000_000


def tab_stops(page, limit=60):
    """What the keyboard reaches, and whether a reader sees that it has the focus."""
    stops = []
    page.locator("body").evaluate("e => { e.tabIndex = -1; e.focus(); }")
    for _ in range(limit):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
              const e = document.activeElement;
              const shown = e.closest(".drop") ?? e;
              const style = getComputedStyle(shown);
              return [e.id || e.className || e.tagName,
                style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
            }"""
        )
        if name in ("BODY", "HTML"):
            break
        stops.append(name)
        assert outline, f"the focus on {name} cannot be seen"
    return stops


def test_the_demo_is_usable_with_the_keyboard(open_demo):
    page = open_demo()
    reached = tab_stops(page)
    order = ["text", "read", "threshold", "attribution", "file"]
    assert [stop for stop in reached if stop in order] == order
    assert reached.index("open-gates") < reached.index("attribution")
    page.locator("#open-gates").focus()
    page.keyboard.press("Enter")
    page.locator("#gates .units").first.wait_for()
    # The gates come next, and are read with the arrow keys.
    page.keyboard.press("Tab")
    stops = [page.evaluate("document.activeElement.id")]
    while stops[-1] != "picture":
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id"))
        assert len(stops) < 8
    assert {"pass", "value", "order"} <= {*stops}
    page.keyboard.press("ArrowRight")
    assert "character 1 of" in page.locator("#words").inner_text()


@pytest.mark.parametrize("name", ["report", "gates", "api"])
def test_pages_are_usable_with_the_keyboard(pages, open_page, name):
    opened = open_page(pages[name])
    reached = tab_stops(opened)
    if name == "gates":
        assert "picture" in reached and any("bar" in stop for stop in reached)
    else:
        # Links, and tables that scroll.
        assert "A" in reached and any("scroll" in stop for stop in reached)


def test_the_report_uses_the_width(pages, open_page):
    opened = open_page(pages["report"], viewport=WIDE)
    assert fits_the_width(opened)
    boxes = {
        name: opened.locator(selector).first.bounding_box()
        for name, selector in (
            ("contents", ".contents"),
            ("scores", ".scores"),
            ("charts", ".charts"),
            ("types", ".multiples"),
        )
    }
    # The contents are beside the sections, which are as wide as what is left.
    assert boxes["contents"]["x"] + boxes["contents"]["width"] < boxes["scores"]["x"]
    for name in ("scores", "charts", "types"):
        assert boxes[name]["width"] > 1000, name
    charts = opened.locator(".charts > figure:not(.full)").all()
    rows = {round(chart.bounding_box()["y"]) for chart in charts}
    assert len(charts) == 3 and len(rows) == 1


def test_no_scroll_box_is_in_a_scroll_box(pages, open_page):
    for name in PAGES:
        opened = open_page(pages[name])
        opened.evaluate("document.querySelectorAll('details').forEach(e => e.open = 1)")
        nested = opened.evaluate(
            """() => {
              const scrolls = (e) => /auto|scroll/.test(
                getComputedStyle(e).overflowX + getComputedStyle(e).overflowY);
              const all = [...document.querySelectorAll("main *")].filter(scrolls);
              return all.filter(e => all.some(o => o !== e && o.contains(e))).length;
            }"""
        )
        assert nested == 0, name
