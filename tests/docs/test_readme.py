"""README.md: short, with the two commands of the set-up, and links that hold on a
package index."""

import re
from configparser import RawConfigParser
from urllib.parse import urlsplit

from ..helpers.documentation import DOCS, README
from ..helpers.paths import REPOSITORY

TEXT = README.read_text("utf8")
MKDOCS = (REPOSITORY / "mkdocs.yml").read_text("utf8")
SITE = re.search(r"^site_url: (.+)$", MKDOCS, re.MULTILINE)[1]
REPO = re.search(r"^repo_url: (.+)$", MKDOCS, re.MULTILINE)[1]
RAW = REPO.replace("github.com", "raw.githubusercontent.com")


def test_it_fits_on_a_page():
    assert len(TEXT.splitlines()) <= 150


def test_two_commands_do_all_the_set_up():
    commands = re.findall(r"^pip install .+ && .+$", TEXT, re.MULTILINE)
    assert commands == [
        'pip install -e ".[project]" && python -m spacy project run all',
        'pip install -e ".[tests]" && python -m pytest',
    ]


def local_file(url):
    """The file of the repository that an address of the project shows."""
    for prefix, folder in (
        (f"{REPO}/blob/main/", REPOSITORY),
        (f"{RAW}/main/", REPOSITORY),
        (SITE, DOCS),
    ):
        if url.startswith(prefix):
            path = folder / url.removeprefix(prefix)
            return path.with_suffix(".md") if path.suffix == ".html" else path
    return None


def test_links_are_absolute_and_lead_to_files_that_exist():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 10
    own = [link for link in links if "lstm-ner" in link]
    for link in own:
        assert (path := local_file(link)) is not None, link
        assert path.is_file(), link
    others = set(links).difference(own)
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    for link in others:
        anchor = link.removeprefix("#")
        assert urlsplit(link).scheme == "https" or anchor in map(str.lower, headings)


def test_the_package_has_the_same_addresses():
    setup = RawConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf8")
    assert setup["metadata"]["url"] == REPO
    urls = dict(
        re.split(r"\s*=\s*", line, maxsplit=1)
        for line in setup["metadata"]["project_urls"].strip().splitlines()
    )
    assert urls["Documentation"] == SITE
    for url in (urls["Changelog"], urls["Contributing"]):
        assert local_file(url).is_file()


def test_the_changelog_has_dated_versions():
    text = (REPOSITORY / "CHANGELOG.md").read_text("utf8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    for version in versions[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version)
    for name in re.findall(r"^## \[(.+?)\]", text, re.MULTILINE):
        assert re.search(rf"^\[{name}\]: {REPO}/", text, re.MULTILINE), name
    parts = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert parts <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_places_for_additions_exist():
    """The table "Where things go" names files and folders of the repository."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf8")
    table = text.partition("\n| to add | go to |\n")[2].partition("\n\n")[0]
    places = re.findall(r"`([\w/]+(?:\.\w+|/))`", table)
    assert len(places) > 20
    for place in places:
        roots = (REPOSITORY, REPOSITORY / "spacy_lstm_ner")
        assert any((root / place).exists() for root in roots), place
