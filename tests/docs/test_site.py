"""The site of the documentation: built strictly, complete, and usable from a folder."""

import os
import re
import subprocess
import sys

import pytest

import spacy_lstm_ner
from spacy_lstm_ner.cli import lstm_ner_cli

from ..helpers.browser import PHONE, fits_the_width
from ..helpers.documentation import DOCS
from ..helpers.paths import REPOSITORY


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(
            module,
            reason='needs MkDocs: pip install "spacy-lstm-ner[docs]"',
        )
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf8",
    )
    assert result.returncode == 0, result.stdout
    return folder


def html(site, page):
    return (site / page).read_text("utf8")


def test_every_page_is_built(site):
    for page in DOCS.rglob("*.md"):
        path = page.relative_to(DOCS).with_suffix(".html")
        assert (site / path).is_file(), path


def test_nothing_is_loaded_from_other_hosts(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|iframe|source)\b[^>]*\bsrc="?https?:[^" >]+'
            r'|<link\b[^>]*\brel="?(?:stylesheet|preload|icon)[^>]*href="?https?:',
            page.read_text("utf8"),
        )
        assert not loaded, page


def test_the_reference_has_every_public_name(site):
    pages = html(site, "reference/api.html") + html(site, "reference/layers.html")
    pages += html(site, "reference/component.html")
    for name in spacy_lstm_ner.__all__:
        if not name.startswith("__"):
            assert f'id="{name}"' in pages, name


def test_docstrings_become_tables(site):
    """Names and defaults from the signature, descriptions from the docstring."""
    page = html(site, "reference/api.html")
    for keyword in ("RETURNS", "RAISES", "YIELDS"):
        assert not re.search(rf"\b{keyword}\b", page)
    rows = [
        re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", row)).strip()
        for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    ]
    assert any(row.startswith("seed int ") and row.endswith(" 0") for row in rows)
    assert any(row.startswith("spans_key ") for row in rows)


def test_every_command_has_its_options(site):
    page = html(site, "reference/commands.html")
    for command in lstm_ner_cli.registered_commands:
        assert f'<h2 id="{command.name}">' in page
    for option in ("--split", "--gpu-id", "--no-browser", "--output"):
        assert f"<code>{option}</code>" in page


def test_every_registered_name_is_there(site):
    page = html(site, "reference/architectures.html")
    setup = (REPOSITORY / "setup.cfg").read_text("utf8")
    names = re.findall(r"^    (spacy-lstm-ner\.\w+\.v\d) = ", setup, re.MULTILINE)
    assert len(names) > 15
    for name in names:
        assert name in page, name


def test_the_chinese_page_says_that_it_is_chinese(site):
    assert '<html lang="zh-Hans"' in html(site, "tutorial/inside.zh.html")
    assert '<html lang="en"' in html(site, "tutorial/inside.html")


@pytest.fixture
def opened(site, browser):
    """Opens a page of the site from its folder, without a network."""
    contexts, errors = [], []

    def open_page(path, **options):
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.on("request", lambda r: r.url.startswith("http") and errors.append(r.url))
        page.goto((site / path).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


PATHS = ["index.html", "quickstart.html", "guides/errors.html", "reference/api.html"]


@pytest.mark.parametrize("path", [*PATHS, "about/contributing.html"])
def test_pages_fit_on_a_phone(opened, path):
    assert fits_the_width(opened(path, viewport=PHONE))


def test_search_works_in_a_folder(opened):
    page = opened("reference/api.html")
    page.keyboard.press("/")
    page.keyboard.type("threshold")
    page.locator(".md-search-result__item").first.wait_for(timeout=20_000)
    assert "Component" in page.locator(".md-search-result__list").inner_text()


def test_all_pages_are_in_the_navigation():
    config = re.split(r"^nav:$", (REPOSITORY / "mkdocs.yml").read_text(), flags=re.M)[1]
    listed = set(re.findall(r": ([\w./-]+\.md)$", config, re.MULTILINE))
    assert listed == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
