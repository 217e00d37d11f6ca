"""Templates, and the skeleton of all pages: one HTML file, with its styles, script and
data."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from ..util.text import probability_text
from . import elements

_FOLDER = Path(__file__).parent

#: The templates. All values are escaped, unless they are `Markup`.
environment = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters.update(
    visible=elements.visible,
    probability=probability_text,
    percent=elements.percent,
    interval=elements.interval_text,
    language=elements.language,
)


@cache
def asset(name: str) -> str:
    """Read a style sheet or script from the folder `static`."""
    return (_FOLDER / "static" / name).read_text("utf8")


def page(
    template: str | Template,
    title: str,
    *,
    script: str = "",
    data: Any = None,
    connect: bool = False,
    **context: Any,
) -> str:
    """Return an HTML page in a single file.

    template: The template, or its name. It extends base.html.
    title: The title, as text.
    script: The only script that the page may run.
    data: Data for the script, as JSON in the element "data".
    connect: Whether the script may send requests to the server of the page.
    context: The values that the template shows.
    RETURNS: The page.
    """
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        f"base-uri 'none'; form-action 'none'; script-src {_hash(script)}"
        + ("; connect-src 'self'" if connect else "")
    )
    return fragment(
        template,
        title=title,
        policy=Markup(policy),
        style=Markup(asset("style.css")),
        script=Markup(script),
        data=None if data is None else _json(data),
        **context,
    )


def fragment(template: str | Template, **context: Any) -> str:
    """Return a part of a page.

    template: The template, or its name.
    context: The values that it shows.
    """
    text = environment.get_template(template).render(context)
    # UTF-8 cannot encode surrogates.
    return text.encode("utf8", "replace").decode()


def _json(data: Any) -> Markup:
    """Write data as JSON for an element `script`, which "</script>" in a text must not
    end."""
    values = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(values.replace("<", "\\u003c"))


def _hash(script: str) -> str:
    if not script:
        return "'none'"
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def iframe(page: str, title: str, *, height: int = 640) -> str:
    """Return a frame that contains a page, for notebooks. The page cannot access the
    document around it.

    page: The page.
    title: Its title for screen readers.
    height: Height in pixels.
    RETURNS: The element `iframe`.
    """
    return (
        f'<iframe srcdoc="{escape(page)}" title="{escape(title)}" '
        f'sandbox="allow-scripts" width="100%" height="{height}" '
        f'style="border: 0; color-scheme: light dark"></iframe>'
    )
