"""JSON written value by value, so that files may be larger than memory."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# Characters that some readers take for line ends, and JSON allows in strings.
_LINE_ENDS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}


def write_json_lines(path: Path, values: Iterable[Any]) -> None:
    """Write one JSON value a line.

    path: The file.
    values: The values.
    """
    with path.open("w", encoding="utf8", newline="\n") as file:
        for value in values:
            file.write(f"{_dumped(value)}\n")


def write_json_array(path: Path, values: Iterable[Any]) -> None:
    """Write values as one JSON array, each on a line.

    path: The file.
    values: The values.
    """
    with path.open("w", encoding="utf8", newline="\n") as file:
        file.write("[")
        separator = "\n"
        for value in values:
            file.write(f"{separator}{_dumped(value)}")
            separator = ",\n"
        file.write("\n]\n")


def _dumped(value: Any) -> str:
    # srsly would escape Chinese, and round small probabilities to 0.
    return json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS)
