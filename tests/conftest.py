"""Fixtures and markers that all tests share."""

import os
import shutil
from pathlib import Path

import pytest
import spacy

from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.evaluation.error_analysis import find_errors

from .helpers.browser import BROWSERS, SCREEN
from .helpers.held_out import save_held_out
from .helpers.paths import EASY, NESTED_SAMPLE, REPOSITORY
from .helpers.pipelines import SMALL_MODEL, loaded_again, train
from .helpers.service import needs_server, serving


def pytest_addoption(parser):
    parser.addoption(
        "--run-slow", action="store_true", help="also run the tests marked as slow"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-slow"):
        skip = pytest.mark.skip(reason="slow: give --run-slow to run it")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


# Data and pipelines


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with resume.json, train_data3.txt and resume/*.char.bmes."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("SPACY_LSTM_NER_DATA", default))
    if not (folder / "resume.json").is_file():
        pytest.skip(
            "needs the real data sets: set SPACY_LSTM_NER_DATA to a folder with "
            "resume.json, train_data3.txt and resume/*.char.bmes"
        )
    return folder


@pytest.fixture(scope="session")
def examples():
    """The first 60 sentences of the easy sample, tokenized by character."""
    corpus = BIOCorpus(EASY, limit=60)
    return list(corpus(spacy.blank("zh")))


@pytest.fixture(scope="session")
def trained(examples):
    """A trained blank Chinese pipeline. Do not change it: copy it."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    return train(nlp, examples)


@pytest.fixture(scope="session")
def nested_examples():
    """The first 60 sentences of the sample with nested entities."""
    corpus = BIOCorpus(NESTED_SAMPLE, limit=60)
    return list(corpus(spacy.blank("zh")))


@pytest.fixture(scope="session")
def trained_nested(nested_examples):
    """A trained pipeline with `lstm_nested_ner`. Do not change it: copy it."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_nested_ner", config={"model": SMALL_MODEL})
    return train(nlp, nested_examples, steps=90)


@pytest.fixture(scope="session")
def held_out_folder(trained, tmp_path_factory):
    """The trained pipeline and data that it was not trained on, see
    `save_held_out`. Do not write to it."""
    return save_held_out(trained, tmp_path_factory.mktemp("held_out"))


@pytest.fixture(scope="session")
def analysis(held_out_folder):
    """The errors of the trained pipeline on the held-out data."""
    return find_errors(held_out_folder / "model", held_out_folder / "data.spacy")


@pytest.fixture(scope="session")
def demo_server(trained):
    """A server with the page, and the trained pipeline."""
    needs_server()
    with serving(lambda: loaded_again(trained), all_entities=True) as server:
        yield server


# Pages in a browser


@pytest.fixture(scope="session")
def browser():
    """Chromium. Tests that need it are skipped where there is none."""
    api = pytest.importorskip(
        "playwright.sync_api",
        reason='needs Playwright: pip install "spacy-lstm-ner[tests]"',
    )
    with api.sync_playwright() as playwright:
        installed = [path for name in BROWSERS if (path := shutil.which(name))]
        own = playwright.chromium.executable_path
        available = [*installed, *([own] if Path(own).exists() else [])]
        if not available:
            pytest.skip(
                "needs a browser: install Chromium (apt install chromium, or python "
                "-m playwright install chromium)"
            )
        # As root, Chromium does not start inside its sandbox.
        launched = playwright.chromium.launch(
            executable_path=available[0], args=["--no-sandbox"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def draws_chinese(browser):
    """Skip tests of rendered Chinese text where no font has its characters."""
    page = browser.new_page()
    page.set_content("<span style='font-size: 40px'>王</span>")
    one = page.screenshot()
    page.set_content("<span style='font-size: 40px'>芳</span>")
    other = page.screenshot()
    page.close()
    if one == other:
        pytest.skip("needs a font for Chinese (apt install fonts-noto-cjk)")


@pytest.fixture
def open_page(browser, tmp_path):
    """A function that opens HTML as a file, without network access. Errors on the
    page, in `open_page.errors`, fail the test."""
    contexts, errors = [], []

    def open_html(html: str, *, viewport=SCREEN, dark: bool = False):
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(html, "utf8")
        context = browser.new_context(
            viewport=viewport,
            color_scheme="dark" if dark else "light",
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.on("request", lambda r: r.url.startswith("http") and errors.append(r.url))
        page.goto(path.as_uri())
        return page

    open_html.errors = errors
    yield open_html
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def open_demo(browser, demo_server):
    """Opens the page of the trained pipeline. Errors on the page, and requests to
    anywhere else, fail the test."""
    contexts, errors = [], []

    def open_page(*, viewport=SCREEN, dark=False, wait=True):
        context = browser.new_context(
            viewport=viewport, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.on(
            "request",
            lambda r: (
                r.url.startswith(("data:", "blob:", demo_server.url))
                or errors.append(r.url)
            ),
        )
        page.goto(demo_server.url)
        if wait:
            page.locator("#result mark").first.wait_for()
        return page

    open_page.errors = errors
    yield open_page
    for context in contexts:
        context.close()
    assert not errors
