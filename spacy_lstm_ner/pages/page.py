"""The frame of all pages, and text that is safe to put into one."""

import base64
import hashlib
import html
import json
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

# Control characters, halves of surrogate pairs, and what turns the direction of text.
# Joiners (Cf, too) stay: emoji and Indic scripts are put together with them.
_SHAPELESS = ("Cc", "Cs", "Zl", "Zp")
_TURNS_TEXT = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@cache
def asset(name: str) -> str:
    """A style sheet or script that lies beside this file."""
    return (Path(__file__).parent / name).read_text("utf8")


def page(
    title: str,
    body: str,
    *,
    style: str = "",
    script: str = "",
    data: Any = None,
    connect: bool = False,
    framed: Iterable[str] = (),
) -> str:
    """A page of HTML in one file.

    title (str): Its title, as text.
    body (str): What is in it, as HTML.
    style (str): Styles beside those of page.css.
    script (str): The one script that may run.
    data (Any): Values for the script, which finds them as JSON in the element "data".
    connect (bool): Let the script talk to the server that the page came from.
    framed (Iterable[str]): The scripts of other pages that this one shows in a frame
        (`srcdoc`): there the policies of both hold, so that both have to name them.
    RETURNS (str): The page.
    """
    values = ""
    if data is not None:
        # "</script>" in a text must not end the element.
        values = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        values = _well_formed(values).replace("<", "\\u003c")
        values = f'<script id="data" type="application/json">{values}</script>\n'
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        f"base-uri 'none'; form-action 'none'; script-src {_hashes(script, *framed)}"
        + ("; connect-src 'self'" if connect else "")
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(_well_formed(title))}</title>
<style>
{asset("page.css")}{style}</style>
</head>
<body>
{_well_formed(body)}
{values}{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def _hashes(*scripts: str) -> str:
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts if script]
    listed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return " ".join(listed) or "'none'"


def _well_formed(text: str) -> str:
    """Text that can be written as UTF-8: halves of surrogate pairs are replaced."""
    return text.encode("utf8", "replace").decode()


def text_html(text: str) -> str:
    """Text as HTML. Characters that have no shape, or would turn the direction of what
    stands around them, are shown by their code points; line breaks and tabs stay."""
    if text.isprintable() and not any(char in text for char in _TURNS_TEXT):
        return html.escape(text)
    return "".join(_char_html(char) for char in text)


def _char_html(char: str) -> str:
    if char in "\n\t" or not is_shapeless(char):
        return html.escape(char)
    return f'<span class="shapeless">{code_point(char)}</span>'


def lang_html(lang: str | None) -> str:
    """The attribute that tells screen readers and fonts the language of a text: the
    pages are in English, the texts are not.

    lang (str | None): A language as spaCy names it. "", or "xx" for any: it is not
        known. None: that of what is around it.
    RETURNS (str): The attribute, with a blank before it; empty for None.
    """
    if lang is None:
        return ""
    return f' lang="{html.escape("" if lang == "xx" else lang)}"'


def is_shapeless(char: str) -> bool:
    """Is it a character that nobody would see?"""
    return char in _TURNS_TEXT or unicodedata.category(char) in _SHAPELESS


def code_point(char: str) -> str:
    """U+202E, for example."""
    return f"U+{ord(char):04X}"


def frame(page: str, title: str, *, height: int = 640) -> str:
    """A page inside of another one, as in a notebook: it cannot reach what is around
    it.

    page (str): The page.
    title (str): What it is, for screen readers.
    height (int): Height in pixels.
    RETURNS (str): An `iframe`.
    """
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="{html.escape(title)}" '
        f'sandbox="allow-scripts" width="100%" height="{height}" '
        f'style="border: 0; color-scheme: light dark"></iframe>'
    )
