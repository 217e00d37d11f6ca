"""A real browser without a window, for what users see of a page."""

import shutil
from pathlib import Path

import pytest

# Where the project's pages are looked at: a screen, and a phone.
SCREEN = {"width": 1200, "height": 800}
PHONE = {"width": 375, "height": 700}
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser():
    """Chromium. Tests that need it are skipped where there is none."""
    api = pytest.importorskip(
        "playwright.sync_api",
        reason='needs Playwright: pip install "spacy-lstm-ner[tests]"',
    )
    with api.sync_playwright() as playwright:
        installed = [path for name in _NAMES if (path := shutil.which(name))]
        own = playwright.chromium.executable_path
        found = [*installed, *([own] if Path(own).exists() else [])]
        if not found:
            pytest.skip(
                "needs a browser: install Chromium (apt install chromium, or python "
                "-m playwright install chromium)"
            )
        # As root, Chromium does not start inside its sandbox.
        launched = playwright.chromium.launch(
            executable_path=found[0], args=["--no-sandbox"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def draws_chinese(browser):
    """Tests of what Chinese looks like are skipped where there is no font for it."""
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
    """Opens HTML as a file, with no network. Errors on the page, in `open_page.errors`,
    fail the test."""
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


def fits_the_width(page) -> bool:
    """Does the page as a whole stay inside the window, with nothing to scroll to?"""
    return page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
