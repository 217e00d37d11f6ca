"""The paths without certain entities: spans that are annotated as incorrect.

The tags of an incorrect span cannot simply be excluded: they may be part of another
entity, for example of a longer one. So an entity that begins where an incorrect span
begins, with the same label, has to use copies of the tags of its label. Copies have the
same scores, and show that the entity began there; so the copy that closes an entity is
excluded exactly where an incorrect span ends. After the last incorrect end, the entity
continues with the original tags, and the copies are available for the next incorrect
span. In BIO, too, there are separate copies for the last unit of an entity and for the
units before.

This is exact, even if incorrect spans overlap. The loss sums over the remaining paths
and subtracts nothing, so no precision is lost if an incorrect entity was almost
certain.
"""

from collections.abc import Iterable

import numpy as np

from ..layers.crf import TransitionConstraints
from ..layers.crf_loss import Annotation
from ..tags import TagSet

# The copies for one label, by what they mean for an entity: its first unit, its only
# unit, an inner unit, its last unit; and the first or inner unit after which it
# continues with the original tags.
_BEGIN, _SINGLE, _INSIDE, _END, _BEGIN_AND_LEAVE, _LEAVE = range(6)
_N = 6
# The prefixes of the tags that they copy.
_PREFIXES = {"BIOES": "BSIEBI", "BIO": "BBIIBI"}


def exclude_spans(
    tags: TagSet,
    allowed: np.ndarray,
    incorrect: Iterable[tuple[int, int, str]],
) -> Annotation:
    """Exclude all paths that have an entity with exactly one of these extents and its
    label.

    tags: T tags.
    allowed: (N, T) bool, the tags that are allowed at each unit.
    incorrect: Entity spans, in rows of the batch.
    RETURNS: The remaining paths.
    RAISES (ValueError): For a label that the tag set does not have.
    """
    ends: dict[tuple[str, int], set[int]] = {}
    for start, end, label in incorrect:
        ends.setdefault((label, start), set()).add(end)
    copied: list[int] = []
    columns: list[np.ndarray] = []
    originals = allowed.copy()
    # For each set of copies, its label and the first unit where it is available again.
    sets: list[tuple[str, int]] = []
    for label, start in sorted(ends):
        span_ends = ends[label, start]
        last = max(span_ends) - 1
        available = [
            i
            for i, (set_label, first_free) in enumerate(sets)
            if set_label == label and first_free <= start
        ]
        if available:
            k = available[0]
            sets[k] = (label, last + 1)
        else:
            k = len(sets)
            sets.append((label, last + 1))
            copied += [
                tags.names.index(f"{prefix}-{label}")
                for prefix in _PREFIXES[tags.scheme]
            ]
            columns.append(np.zeros((len(allowed), _N), dtype=bool))
        originals[start, copied[k * _N : k * _N + 2]] = False
        copies = columns[k]
        if start == last:
            copies[start, _BEGIN_AND_LEAVE] = True
            continue
        copies[start, [_BEGIN, _SINGLE]] = True
        copies[start + 1 : last, _INSIDE] = True
        copies[start + 1 : last + 1, _END] = True
        copies[last, _LEAVE] = True
        for end in span_ends:
            copies[end - 1, _SINGLE if end == start + 1 else _END] = False
    copied_tags = np.array(copied, dtype="int64")
    copies_allowed = np.hstack(columns) & allowed[:, copied_tags]
    return Annotation(
        np.hstack((originals, copies_allowed)),
        copied_tags,
        _with_copies(tags.constraints, copied_tags),
    )


def _with_copies(
    constraints: TransitionConstraints, copied: np.ndarray
) -> TransitionConstraints:
    """Add the constraints of the copies.

    constraints: Those of the T tags.
    copied: (C,) the tag that each copy is a copy of.
    RETURNS: Those of the T tags, followed by the C copies.
    """
    role = np.arange(len(copied)) % _N
    set_index = np.arange(len(copied)) // _N
    begins = np.isin(role, (_BEGIN, _SINGLE, _BEGIN_AND_LEAVE))
    ends = np.isin(role, (_SINGLE, _END))
    leaves = np.isin(role, (_BEGIN_AND_LEAVE, _LEAVE))
    inside = ~constraints.starts
    copy_to_tag = np.where(
        inside, leaves[:, None] & constraints.transitions[copied], ends[:, None]
    )
    continues = np.isin(role, (_BEGIN, _INSIDE))[:, None]
    same_set = set_index[:, None] == set_index
    return TransitionConstraints(
        starts=np.concatenate((constraints.starts, begins)),
        transitions=np.block(
            [
                [constraints.transitions, constraints.transitions[:, copied] & begins],
                [copy_to_tag, np.where(begins, ends[:, None], continues & same_set)],
            ]
        ),
        ends=np.concatenate((constraints.ends, ends)),
    )
