"""Prepare a report for the documentation, on data whose texts must not be published:
without the sections that quote them.

    python -m spacy project run all . --vars.dataset resume
    python scripts/publish_report.py reports/resume.html corpus/resume \\
        docs/results/report/resume.html

Needs Chromium and Playwright (the extra `tests`).
"""

import re
import shutil
from html import unescape
from pathlib import Path
from typing import Annotated

import spacy
import typer
from playwright.sync_api import sync_playwright
from spacy.tokens import DocBin

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import atomic_write

# This many characters in a row are a quotation. Shorter ones may be a type or a word of
# the page.
QUOTATION = 8

# Removes the sections that contain one of the quotations; returns their headings.
REMOVE_SECTIONS = """([quoted, note]) => {
  const removed = [];
  for (const section of document.querySelectorAll("section")) {
    const text = section.textContent;
    if (!quoted.some((words) => text.includes(words))) continue;
    const heading = section.querySelector("h1, h2, h3");
    removed.push(heading ? heading.textContent.trim() : "a section");
    const left = document.createElement("p");
    left.textContent = note;
    section.replaceChildren(...(heading ? [heading] : []), left);
  }
  return removed;
}"""
NOTE = "Left out here, since it quotes texts of the data."


@exit_on_error()
def publish_report(
    report: Annotated[Path, typer.Argument(help="Page that `lstm-ner report` wrote")],
    corpus: Annotated[Path, typer.Argument(help="Folder of the .spacy files")],
    output: Annotated[Path, typer.Argument(help="Page to write")],
) -> None:
    """Write a report without the sections that quote texts of a corpus. It is an error
    if a quotation is left elsewhere."""
    quotations = read_quotations(corpus)
    html = report.read_text(encoding="utf-8")
    quoted = sorted(found_in(html, quotations))
    if quoted:
        html, removed = remove_sections(html, quoted)
        print("Left out:", *removed, sep="\n- ")
    if left := found_in(html, quotations):
        raise ValueError(f"{report} quotes the data outside of sections: {min(left)!r}")
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(output) as new:
        new.write_text(html, encoding="utf-8", newline="\n")


def read_quotations(corpus: Path) -> set[str]:
    """RETURNS: What the texts of all .spacy files in a folder consist of, in pieces of
    `QUOTATION` characters."""
    vocab = spacy.blank("xx").vocab
    pieces = set()
    for path in sorted(corpus.glob("*.spacy")):
        for doc in DocBin().from_disk(path).get_docs(vocab):
            pieces |= pieces_of(doc.text)
    if not pieces:
        raise ValueError(f"{corpus} has no .spacy files with texts")
    return pieces


def pieces_of(text: str) -> set[str]:
    ends = range(QUOTATION, len(text) + 1)
    return {text[end - QUOTATION : end] for end in ends}


def found_in(html: str, quotations: set[str]) -> set[str]:
    """RETURNS: The quotations in a page: in its scripts, and in its text, where marks
    of entities may be inside of them."""
    text = unescape(re.sub(r"<[^>]*>", "", html))
    return (pieces_of(html) | pieces_of(text)) & quotations


def remove_sections(html: str, quoted: list[str]) -> tuple[str, list[str]]:
    """RETURNS: The page without the contents of the sections that have one of these
    words in them, and the headings of these sections."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        # The scripts of the page would change it before it is written.
        page = browser.new_page(java_script_enabled=False)
        page.set_content(html)
        removed = page.evaluate(REMOVE_SECTIONS, [quoted, NOTE])
        html = page.content()
        browser.close()
    return html, removed


if __name__ == "__main__":
    typer.run(publish_report)
