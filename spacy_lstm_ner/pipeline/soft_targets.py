"""Soft targets of several teachers, and for the tags of a student. What a component
gives as a teacher is in distributions.py."""

from collections.abc import Iterable

import numpy as np
from thinc.types import Floats2d

from ..data.soft_targets import SoftTargets
from ..layers.crf_loss import SoftPaths
from ..tags import TagSet


def mean_targets(targets: Iterable[SoftTargets]) -> SoftTargets:
    """The mixture of the distributions of several teachers for the same text, with
    equal shares: its expected counts are the mean of theirs.

    targets: Soft targets with the same labels, maybe in different orders.
    RETURNS: Their mean, with the labels in the order of the first.
    RAISES (KeyError): If one has a label that another one lacks.
    """
    first, *rest = targets
    tags, transitions = first.tags.copy(), first.transitions.copy()
    for other in rest:
        ids = other.names.ids_of(first.names)
        tags += other.tags[:, ids]
        transitions += other.transitions[np.ix_(ids, ids)]
    n = 1 + len(rest)
    return SoftTargets(first.names, tags / n, transitions / n)


def soft_paths(tags: TagSet, targets: Iterable[SoftTargets]) -> SoftPaths:
    """Soft targets as expected counts of the tags of a student.

    tags: The T tags of the student.
    targets: (B,) the soft targets of texts with N characters in total.
    RETURNS: The expected counts.
    RAISES (KeyError): For a label that the student does not have.
    """
    found = [_in_tags(tags, each) for each in targets]
    return SoftPaths(
        np.concatenate([by_unit for by_unit, _ in found]),
        np.array([by_pair for _, by_pair in found]),
    )


def _in_tags(tags: TagSet, targets: SoftTargets) -> tuple[Floats2d, Floats2d]:
    # Several tags of BIOES may be the same tag in BIO.
    to_tags = np.equal.outer(tags.ids_of(targets.names), np.arange(len(tags)))
    to_tags = to_tags.astype("float64")
    return targets.tags @ to_tags, to_tags.T @ targets.transitions @ to_tags
