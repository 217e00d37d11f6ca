"""Small parts of pages: text that is safe in HTML, notes and tables."""

import html
from collections.abc import Iterable, Sequence

from ..evaluation import significance
from ..evaluation.significance import decimals
from ..util.text import code_point, is_control


def text_html(text: str) -> str:
    """Convert text to HTML. Control characters, and characters that change the
    direction of the text around them, are shown by their code points; line breaks and
    tabs are kept."""
    # A fast path for most texts. Directional characters are not printable.
    if text.isprintable():
        return html.escape(text)
    return "".join(_char_html(char) for char in text)


def _char_html(char: str) -> str:
    if char in "\n\t" or not is_control(char):
        return html.escape(char)
    return f'<span class="code-point">{code_point(char)}</span>'


def lang_html(lang: str | None) -> str:
    """Return the attribute `lang` of an element, which screen readers and the choice of
    fonts depend on: the pages are in English, the texts in the language of the
    pipeline.

    lang: A language as spaCy names it. "", or "xx" for any: unknown. None: that of the
        parent element.
    RETURNS: The attribute, with a space before it; empty for None.
    """
    if lang is None:
        return ""
    return f' lang="{html.escape("" if lang == "xx" else lang)}"'


def label_html(label: str) -> str:
    """Convert a label to HTML, isolated from the direction of the text around it."""
    return f"<bdi>{text_html(label)}</bdi>"


def note_html(text: str) -> str:
    """Return a paragraph of explanations. The text is HTML."""
    return f'<p class="note">{text}</p>'


def table_html(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = ""
) -> str:
    """Return a table that can be scrolled if it is too wide, also with the keyboard.

    header: The headings of the columns, as HTML.
    rows: The cells of each row, as HTML. The first one is the heading of the row.
    caption: The caption, as HTML; empty: none.
    RETURNS: The table.
    """
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    caption = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="wide" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def percent(score: float | None, interval: Sequence[float] | None = None) -> str:
    """Format a score in percent; "–" if there is none.

    score: The score.
    interval: Its confidence interval, which decides how many decimals there are. None:
        two.
    """
    return significance.percent(score, decimals(interval), none="–")


def interval_html(interval: Sequence[float] | None) -> str:
    """Format a confidence interval in percent; "–" if there is none, or if it has no
    width."""
    return significance.interval_text(interval, none="–")


def chart_html(title: str, svg: str, legend: str, table: str) -> str:
    """Return a chart with its title, its legend and a table of its values."""
    return (
        f'<figure class="chart"><figcaption>{title}</figcaption>{svg}{legend}'
        f"<details><summary>Values</summary>{table}</details></figure>"
    )
