"""Paths without a certain entity: what spans that are known to be wrong leave.

It would be too much to rule out the tags of a wrong span: they may be part of another
entity, a longer one for instance. So an entity that begins where a wrong one does, with
its label, has to go over copies of its tags. They have the same scores, and tell that
the entity began there; so the copy that closes it is ruled out just where the wrong one
ends. After the last wrong end the entity goes on over its usual tags, and the copies
are free for the next wrong span. In BIO, too, the copies that close an entity are apart
from those that do not.

This is exact, also where wrong spans overlap, and a sum of what is left: nothing is
subtracted, so nothing is lost where a wrong entity was almost certain.
"""

from collections.abc import Iterable

import numpy as np

from ..layers.crf import TransitionConstraints
from ..layers.crf_loss import Annotation
from ..tags import TagSet

# The copies of one label, and the prefixes of the tags that they are of.
_BEGINS, _ALONE, _GOES_ON, _CLOSES, _BEGINS_AND_LEAVES, _LEAVES = range(6)
_PREFIXES = {"BIOES": "BSIEBI", "BIO": "BBIIBI"}
_N = 6


def exclude_spans(
    tags: TagSet,
    allowed: np.ndarray,
    wrong: Iterable[tuple[int, int, str]],
) -> Annotation:
    """Rule out the paths that have one of these entities: from there to there, with
    this label.

    tags (TagSet): T tags.
    allowed (np.ndarray): (N, T) bool, the tags that are allowed at each unit.
    wrong (Iterable[tuple[int, int, str]]): Entity spans, in rows of the batch.
    RETURNS (Annotation): What is allowed then.
    RAISES (ValueError): For a label that the tag set does not have.
    """
    ends: dict[tuple[str, int], set[int]] = {}
    for start, end, label in wrong:
        ends.setdefault((label, start), set()).add(end)
    copied: list[int] = []
    columns: list[np.ndarray] = []
    usual = allowed.copy()
    # For each set of copies its label, and where it is free again.
    free_from: list[tuple[str, int]] = []
    for label, start in sorted(ends):
        its_ends = ends[label, start]
        last = max(its_ends) - 1
        free = [
            i for i, (name, n) in enumerate(free_from) if name == label and n <= start
        ]
        if free:
            k = free[0]
            free_from[k] = (label, last + 1)
        else:
            k = len(free_from)
            free_from.append((label, last + 1))
            copied += [
                tags.names.index(f"{prefix}-{label}")
                for prefix in _PREFIXES[tags.scheme]
            ]
            columns.append(np.zeros((len(allowed), _N), dtype=bool))
        usual[start, copied[k * _N : k * _N + 2]] = False
        copies = columns[k]
        if start == last:
            copies[start, _BEGINS_AND_LEAVES] = True
            continue
        copies[start, [_BEGINS, _ALONE]] = True
        copies[start + 1 : last, _GOES_ON] = True
        copies[start + 1 : last + 1, _CLOSES] = True
        copies[last, _LEAVES] = True
        for end in its_ends:
            copies[end - 1, _ALONE if end == start + 1 else _CLOSES] = False
    tag_of = np.array(copied, dtype="int64")
    copies_allowed = np.hstack(columns) & allowed[:, tag_of]
    rules = _rules(tags.constraints, tag_of)
    return Annotation(np.hstack((usual, copies_allowed)), tag_of, rules)


def _rules(old: TransitionConstraints, tag_of: np.ndarray) -> TransitionConstraints:
    """Which copies may follow which tags and copies, and which tags they."""
    role = np.arange(len(tag_of)) % _N
    number = np.arange(len(tag_of)) // _N
    opens = np.isin(role, (_BEGINS, _ALONE, _BEGINS_AND_LEAVES))
    closed = np.isin(role, (_ALONE, _CLOSES))
    leaves = np.isin(role, (_BEGINS_AND_LEAVES, _LEAVES))
    inside = ~old.starts
    before_tags = np.where(
        inside, leaves[:, None] & old.transitions[tag_of], closed[:, None]
    )
    stays = np.isin(role, (_BEGINS, _GOES_ON))[:, None] & (number[:, None] == number)
    return TransitionConstraints(
        starts=np.concatenate((old.starts, opens)),
        transitions=np.block(
            [
                [old.transitions, old.transitions[:, tag_of] & opens],
                [before_tags, np.where(opens, closed[:, None], stays)],
            ]
        ),
        ends=np.concatenate((old.ends, closed)),
    )
