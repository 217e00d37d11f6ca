"""The pages of the documentation and their code blocks."""

import contextlib
import io
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .paths import REPOSITORY

README = REPOSITORY / "README.md"
DOCS = REPOSITORY / "docs"
PAGES = [README, REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
#: Guides whose packages are not in the extra `tests`; test_other_tools.py runs their
#: Python blocks.
OTHER_TOOLS = [DOCS / f"guides/{name}.md" for name in ("llm", "streamlit", "trackers")]

_FENCE = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>.+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced code block of a page."""

    language: str
    code: str
    line: int
    #: The reason for not running the block, from a comment above it.
    reason: str | None


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path, language: str) -> list[Block]:
    """RETURNS: The blocks of a page in a language, in order."""
    text = page.read_text("utf8")
    return [
        Block(
            match["language"],
            textwrap.dedent(match["code"]),
            text.count("\n", 0, match.start("code")),
            match["reason"],
        )
        for match in _FENCE.finditer(text)
        if match["language"] == language
    ]


def expected_output(code: str) -> str:
    """RETURNS: The comment lines at the end of a block, after an empty line, or ""."""
    *_, last = code.strip().split("\n\n")
    lines = last.splitlines()
    if not all(line.startswith("# ") for line in lines):
        return ""
    return "".join(f"{line.removeprefix('# ')}\n" for line in lines)


def as_pattern(expected: str) -> str:
    """RETURNS: A regular expression for an expected output, in which "…" stands for
    any text."""
    return ".*".join(re.escape(part) for part in expected.split("…"))


def run_python(page: Path, python: Iterable[Block]) -> None:
    """Run blocks of a page one after the other, and compare what each prints with the
    comments at its end."""
    names = {"__name__": "__main__"}
    for block in python:
        output = io.StringIO()
        code = compile("\n" * block.line + block.code, str(page), "exec")
        with contextlib.redirect_stdout(output):
            exec(code, names)
        if expected := expected_output(block.code):
            assert re.fullmatch(as_pattern(expected), output.getvalue(), re.DOTALL), (
                f"{page}:{block.line} prints\n{output.getvalue()}"
            )
