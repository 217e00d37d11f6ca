"""The skeleton of all pages: one HTML file, with its styles, script and data."""

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any


@cache
def asset(name: str) -> str:
    """Read a style sheet or script from the folder of this module."""
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
    """Return an HTML page in a single file.

    title: The title, as text.
    body: The content, as HTML.
    style: Styles in addition to those of page.css.
    script: The only script that the page may run.
    data: Data for the script, as JSON in the element "data".
    connect: Whether the script may send requests to the server of the page.
    framed: The scripts of other pages that this page shows in a frame (`srcdoc`). The
        policies of both pages apply to them, so both must allow them.
    RETURNS: The page.
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
    """Replace surrogates, which UTF-8 cannot encode."""
    return text.encode("utf8", "replace").decode()


def iframe(page: str, title: str, *, height: int = 640) -> str:
    """Return a frame that contains a page, for notebooks. The page cannot access the
    document around it.

    page: The page.
    title: Its title for screen readers.
    height: Height in pixels.
    RETURNS: The element `iframe`.
    """
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="{html.escape(title)}" '
        f'sandbox="allow-scripts" width="100%" height="{height}" '
        f'style="border: 0; color-scheme: light dark"></iframe>'
    )
