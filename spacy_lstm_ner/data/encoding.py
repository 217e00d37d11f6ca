"""From the bytes of a file to lines of text, and the repair of surrogate code points.

Files are read as bytes, line by line: a file may be larger than memory, and a line that
is not UTF-8 does not affect other lines.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# One half of a character outside the Basic Multilingual Plane, as JSON escapes and some
# export tools write it.
_SURROGATE = re.compile("[\ud800-\udfff]")
#: A character; a surrogate pair counts as one.
CHARACTER = re.compile("[\ud800-\udbff][\udc00-\udfff]|.", re.DOTALL)


def read_lines(
    path: Path,
    report: Callable[[int, str, str], None],
    progress: Callable[[int], object],
) -> Iterator[tuple[int, str]]:
    """Decode the lines of a file. Surrogates are passed through: see
    `repair_surrogates`.

    path: The file.
    report: Called for each problem with line number, kind and message.
    progress: Called with the number of bytes of each line.
    YIELDS: The number of each line, from 1, and its text.
    """
    with path.open("rb") as file:
        # Only "\n" ends a line here: a text may well contain U+2028 or a form feed.
        for number, raw in enumerate(file, 1):
            progress(len(raw))
            if number == 1 and raw.startswith(_BYTE_ORDER_MARK):
                report(number, "byte-order mark", "at the beginning of the file")
                raw = raw[len(_BYTE_ORDER_MARK) :]
            line = raw.rstrip(b"\r\n")
            if raw.endswith((b"\r\n", b"\r")):
                report(number, "Windows line end", r"lines end in \r\n")
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                try:
                    text = line.decode(errors="surrogatepass")
                except UnicodeDecodeError:
                    message = f"{error.reason}, byte {error.start + 1}"
                    report(number, "not UTF-8", message)
                    text = line.decode(errors="replace")
            yield number, text


def repair_surrogates(
    units: list[str],
    tags: list[str],
    lines: list[int],
    report: Callable[[int, str, str], None],
) -> tuple[list[str], list[str], list[int]]:
    """Join surrogate pairs, within a unit or across two, and replace lone surrogates,
    which spaCy cannot store. Two units that are joined keep the tag of the first.

    units: The units of a record.
    tags: The tag of each unit.
    lines: The line of each unit.
    report: Called for each problem with line number, kind and message.
    RETURNS: Units, tags and lines.
    """
    if not _SURROGATE.search("".join(units) + "".join(tags)):
        return units, tags, lines

    def repair(text: str, line: int) -> str:
        if not _SURROGATE.search(text):
            return text
        repaired = _SURROGATE.sub("\ufffd", _join_pairs(text))
        lone = repaired.count("\ufffd") > text.count("\ufffd")
        kind = "lone surrogate" if lone else "surrogate pair"
        report(line, kind, f"in {repaired!r}")
        return repaired

    new_units: list[str] = []
    new_tags: list[str] = []
    new_lines: list[int] = []
    for unit, tag, line in zip(units, tags, lines, strict=True):
        pair = new_units[-1] + unit if new_units else ""
        if len(pair) == 2 and len(_join_pairs(pair)) == 1:
            new_units[-1] = pair
        else:
            new_units.append(unit)
            new_tags.append(repair(tag, line))
            new_lines.append(line)
    new_units = [
        repair(unit, line) for unit, line in zip(new_units, new_lines, strict=True)
    ]
    return new_units, new_tags, new_lines


def _join_pairs(text: str) -> str:
    """Join each surrogate pair into one character."""
    return text.encode("utf-16-le", "surrogatepass").decode(
        "utf-16-le", "surrogatepass"
    )
