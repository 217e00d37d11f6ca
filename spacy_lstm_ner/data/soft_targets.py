"""Soft targets: training data in which the annotation of a text is a distribution over
all its analyses, that of a teacher. They are in a Doc, and saved with it.

What the loss needs of a distribution is how often each tag and each transition occur on
average (see layers/crf_loss.py). These expected counts are stored for the characters of
the text, as tags of the BIOES scheme, with the names of the labels: the model that
learns from them may have its labels in another order, more of them, or the BIO scheme.
Counts below 0.001 are left out, and so is "O", which is what is missing to the sum. So
they take about 10 bytes for each character of an entity.

They are in the attrs of a span group without spans, which any .spacy file keeps, for
the reason that annotating.py names.
"""

from itertools import compress
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc, SpanGroup
from thinc.types import Floats2d

from ..tags import TagSet

#: The key of ``doc.spans``.
KEY = "soft_targets"
# Counts below this are not stored.
_MIN_COUNT = 1e-3


class SoftTargets(NamedTuple):
    """A distribution over the analyses of a text of n characters, by its expected
    counts of T tags in the BIOES scheme."""

    #: The T tags.
    names: TagSet
    #: (n, T) the probability of each tag at each character.
    tags: Floats2d
    #: (T, T) how often each tag follows each other one.
    transitions: Floats2d


def set_soft_targets(doc: Doc, targets: SoftTargets) -> None:
    """Store soft targets in a Doc. They replace its annotation in training.

    doc: The Doc.
    targets: The soft targets, for each character of ``doc.text``.
    """
    names = targets.names
    width = len(names.prefixes)
    used = targets.tags.max(axis=0, initial=0.0) >= _MIN_COUNT  # (T,)
    by_label = used[1:].reshape((-1, width)).any(axis=1)
    labels = list(compress(names.labels, by_label))
    # "O", and the tags of the labels that occur.
    selected = np.flatnonzero(np.append(True, np.repeat(by_label, width)))
    tags = targets.tags[:, selected]
    transitions = targets.transitions[np.ix_(selected, selected)].copy()
    tags_stored, transitions_stored = tags >= _MIN_COUNT, transitions >= _MIN_COUNT
    # What these have is what is missing to the sum.
    tags_stored[:, 0] = transitions_stored[0, 0] = False
    units, ids = np.nonzero(tags_stored)
    from_ids, to_ids = np.nonzero(transitions_stored)
    doc.spans[KEY] = SpanGroup(
        doc,
        name=KEY,
        attrs={
            "length": len(tags),
            "labels": labels,
            "units": units.astype("int32"),
            "tags": ids.astype("int32"),
            "probabilities": tags[units, ids].astype("float32"),
            "from": from_ids.astype("int32"),
            "to": to_ids.astype("int32"),
            "counts": transitions[from_ids, to_ids].astype("float32"),
        },
    )


def has_soft_targets(doc: Doc) -> bool:
    """Return whether a Doc has soft targets."""
    return KEY in doc.spans and "probabilities" in doc.spans[KEY].attrs


def soft_labels(doc: Doc) -> list[str]:
    """The labels that occur in the soft targets of a Doc; none if it has no soft
    targets."""
    return list(doc.spans[KEY].attrs["labels"]) if has_soft_targets(doc) else []


def get_soft_targets(doc: Doc) -> SoftTargets:
    """Read the soft targets of a Doc that has some.

    doc: The Doc.
    RETURNS: The soft targets, with the labels that occur in them.
    RAISES (ValueError): If they are those of another text.
    """
    attrs = doc.spans[KEY].attrs
    n, length = attrs["length"], len(doc.text)
    if n != length:
        raise ValueError(
            f"The soft targets in doc.spans[{KEY!r}] are for {n} characters, and the "
            f"text has {length}: {doc.text[:40]!r}. Remove the group if the text was "
            f"split or changed."
        )
    names = TagSet(attrs["labels"], "BIOES")
    tags = np.zeros((n, len(names)))
    tags[attrs["units"], attrs["tags"]] = attrs["probabilities"]
    tags[:, 0] = 1 - tags.sum(axis=1)
    transitions = np.zeros((len(names), len(names)))
    transitions[attrs["from"], attrs["to"]] = attrs["counts"]
    transitions[0, 0] = max(n - 1, 0) - transitions.sum()
    return SoftTargets(names, tags, transitions)
