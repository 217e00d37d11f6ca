"""Text and numbers in the form in which pages show them."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from ..evaluation import significance
from ..evaluation.significance import decimals
from ..util.text import code_point, is_control


def visible(text: str) -> Markup:
    """Convert text to HTML. Control characters, and characters that change the
    direction of the text around them, are shown by their code points; line breaks and
    tabs are kept."""
    # A fast path for most texts. Directional characters are not printable.
    if text.isprintable():
        return escape(text)
    return Markup("").join(_visible_char(char) for char in text)


def _visible_char(char: str) -> Markup:
    if char in "\n\t" or not is_control(char):
        return escape(char)
    return Markup('<span class="code-point">{}</span>').format(code_point(char))


def language(lang: str | None) -> str | None:
    """Return the value of the attribute `lang` of an element, which screen readers and
    the choice of fonts depend on: the pages are in English, the texts in the language
    of the pipeline.

    lang: A language as spaCy names it. "", or "xx" for any: unknown. None: that of the
        parent element.
    """
    return "" if lang == "xx" else lang


def percent(score: float | None, interval: Sequence[float] | None = None) -> str:
    """Format a score in percent; "–" if there is none.

    score: The score.
    interval: Its confidence interval, which decides how many decimals there are. None:
        two.
    """
    return significance.percent(score, decimals(interval), none="–")


def interval_text(interval: Sequence[float] | None) -> str:
    """Format a confidence interval in percent; "–" if there is none, or if it has no
    width."""
    return significance.interval_text(interval, none="–")
