"""Scores that `evaluate` or `spacy train` has written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srsly


def read_scores(path: Path) -> dict[str, Any]:
    """Read scores that `lstm-ner evaluate` has written.

    path: The file.
    RETURNS: The scores.
    RAISES (OSError, ValueError): If the file cannot be read or contains no scores of
        entities.
    """
    if not path.is_file():
        raise OSError(f"{path}: no such file")
    try:
        scores: dict[str, Any] = srsly.json_loads(path.read_text("utf8"))
    except ValueError as error:
        raise ValueError(f"{path}: invalid JSON: {error}") from None
    if not isinstance(scores, dict) or not isinstance(
        entity_scores_of(scores).get("ents_f"), int | float
    ):
        raise ValueError(
            f"{path}: no scores of entities (ents_f): use a file written by `lstm-ner "
            f"evaluate --output`"
        )
    return scores


def entity_scores_of(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of the entities of a pipeline: those of ``doc.ents``, or if there are
    none, those of the first span group, with the same keys.

    scores: Scores, in which those of a span group begin with "spans_" and its key.
    RETURNS: The scores, with ents_p, ents_r, ents_f and others.
    """
    group = scored_group(scores)
    if group is None:
        return dict(scores)
    prefix = f"spans_{group}_"
    of_group = {
        f"ents_{key.removeprefix(prefix)}": value
        for key, value in scores.items()
        if key.startswith(prefix)
    }
    return {**scores, **of_group}


def scored_group(scores: Mapping[str, Any]) -> str | None:
    """The key of the first span group in scores; None if they have scores of
    ``doc.ents``, or of no group."""
    if scores.get("ents_f") is not None:
        return None
    prefix, suffix = "spans_", "_f"
    groups = (
        key.removeprefix(prefix).removesuffix(suffix)
        for key, value in scores.items()
        if key.startswith(prefix) and key.endswith(suffix) and value is not None
    )
    return next(groups, None)
