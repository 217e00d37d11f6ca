"""The names of labels and tags that are numbers in a file."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import srsly

from ...exceptions import DataError
from ..values import features_in_parquet, is_parquet

# Files beside a data set in which Hugging Face Datasets describe its features.
_DESCRIPTIONS = ("dataset_info.json", "dataset_infos.json", "README.md")
# One name per line, in the order of the numbers.
_LISTS = ("labels.txt", "label_list.txt", "tags.txt")
_NUMBERED = re.compile(r"\s*([0-9]{1,9})\s*=\s*(.*?)\s*")
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)\n---", re.DOTALL)
# Larger files are not lists of names, nor descriptions.
_MAX_SIZE = 1 << 22


def parse_label_names(names: str) -> dict[int, str]:
    """Parse the option `label_names`.

    names: Names separated by commas, in the order of the numbers, or "number=name"; or
        a file with one of these per line, or with JSON: an array of names, an object
        from names to numbers or from numbers to names, or doccano's labels.
    RETURNS: The name of each number.
    RAISES (DataError): If it is neither, and for a number with two names.
    """
    if "\n" in names:
        return _numbered(names.splitlines(), "the label names")
    path = Path(names)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if is_file:
        return _names_in_file(path)
    if "," not in names and ("/" in names or path.suffix in (".txt", ".json")):
        raise DataError(f"{names}: no such file: expected a file with names of labels")
    return _numbered(names.split(","), "the label names")


def format_label_names(names: dict[int, str]) -> str:
    """Return names of numbers in the form that `parse_label_names` reads."""
    return "".join(f"{number}={name}\n" for number, name in sorted(names.items()))


def find_label_names(path: Path, key: str) -> str | None:
    """Find the names of the numbers in a file: in the metadata of a Parquet file, or in
    a file beside it.

    path: The file with the numbers.
    key: The key or column of the numbers.
    RETURNS: The names, as `parse_label_names` reads them; None if there are none.
    RAISES (DataError): If they are described in different ways.
    """
    found: dict[tuple[str, ...], str] = {}
    for where, features in _features_of(path):
        if described := names_in_features(features, key):
            found.setdefault(tuple(described), where)
    if len(found) > 1:
        listed = " and ".join(found.values())
        raise DataError(
            f"{path}: {listed} have different names for the numbers of {key!r}: give "
            f"the names with --label-names"
        )
    for names in found:
        return format_label_names(dict(enumerate(names)))
    for name in _LISTS:
        file = path.parent / name
        if file.is_file() and file != path:
            return format_label_names(_names_in_file(file))
    return None


def names_in_features(features: Any, key: str) -> list[str] | None:
    """Return the names of the class labels of a column in a description of features of
    Hugging Face Datasets.

    features: Features by column, as in ``dataset_info.json``; or a list of them, each
        with its name, as in the front matter of ``README.md``.
    key: The column.
    RETURNS: The names in the order of their numbers; None if there are none.
    """
    if isinstance(features, list):
        features = {
            feature.get("name"): feature
            for feature in features
            if isinstance(feature, dict) and isinstance(feature.get("name"), str)
        }
    feature = features.get(key) if isinstance(features, dict) else None
    # The class labels are within a sequence, in one of several spellings.
    for _ in range(10):
        if isinstance(feature, list):
            feature = feature[0] if len(feature) == 1 else None
        if not isinstance(feature, dict):
            return None
        names = feature.get("names")
        if isinstance(names, dict):
            numbered = {str(number): name for number, name in names.items()}
            names = [numbered.get(str(i)) for i in range(len(numbered))]
        if isinstance(names, list):
            return names if _are_names(names) else None
        inner = ("class_label", "feature", "sequence", "list", "dtype")
        feature = next((feature[name] for name in inner if name in feature), None)
    return None


def _features_of(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield where features are described, and the features."""
    if is_parquet(path):
        yield path.name, features_in_parquet(path)
    # The files of a data set are often in a folder of their own.
    for folder in (path.parent, path.parent.parent):
        for name in _DESCRIPTIONS:
            try:
                described = _load(folder / name)
            except (OSError, ValueError, RecursionError):
                continue
            yield from ((name, features) for features in _features_in(described))


def _load(path: Path) -> Any:
    if not path.is_file() or path.stat().st_size > _MAX_SIZE:
        return None
    text = path.read_text("utf-8-sig")
    if path.suffix == ".json":
        return json.loads(text)
    match = _FRONT_MATTER.match(text)
    # Errors of the YAML parser are no ValueErrors.
    try:
        front_matter = srsly.yaml_loads(match[1]) if match else None
    except Exception:
        return None
    return front_matter.get("dataset_info") if isinstance(front_matter, dict) else None


def _features_in(described: Any) -> Iterator[Any]:
    """Yield the features of each configuration of a data set."""
    if isinstance(described, list):
        configs: Iterable[Any] = described
    elif isinstance(described, dict):
        configs = [described, *described.values()]
    else:
        configs = ()
    for config in configs:
        if isinstance(config, dict) and isinstance(config.get("features"), dict | list):
            yield config["features"]


def _names_in_file(path: Path) -> dict[int, str]:
    try:
        text = path.read_text("utf-8-sig")
        value = json.loads(text) if text.lstrip().startswith(("[", "{")) else None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as names of labels: {error}") from None
    if value is None:
        lines = text.strip().splitlines()
        items = lines[0].split(",") if len(lines) == 1 else lines
        return _numbered(items, str(path))
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = [(number, name) for name, number in value.items()]
        if all(key.isdecimal() and len(key) < 10 for key in value):
            pairs = [(int(key), name) for key, name in value.items()]
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        pairs = [(item.get("id"), item.get("text")) for item in value]
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    are_numbers = all(type(number) is int for number, _ in pairs)
    if not pairs or not are_numbers or not _are_names([name for _, name in pairs]):
        raise DataError(
            f"{path}: expected names of labels: one per line, or JSON such as "
            f'["O", "B-PER"] or {{"0": "O", "1": "B-PER"}}'
        )
    names: dict[int, str] = dict(pairs)
    if len(names) < len(pairs):
        raise DataError(f"{path}: two labels have the same number")
    return names


def _numbered(items: list[str], where: str) -> dict[int, str]:
    """Number names from 0, unless they have numbers."""
    listed = [item.strip() for item in items]
    while listed and not listed[-1]:
        listed.pop()
    matches = [_NUMBERED.fullmatch(item) for item in listed]
    if any(matches):
        pairs = [(int(m[1]), m[2]) for m in matches if m and m[2]]
        names = dict(pairs)
        if len(names) < len(listed):
            raise DataError(f"{where}: expected 'number=name' for each label, once")
        return names
    if not all(listed):
        raise DataError(f"{where}: the name of number {listed.index('')} is empty")
    return dict(enumerate(listed))


def _are_names(values: list[Any]) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)
