"""The tags of a model, and the valid transitions between them."""

from collections.abc import Iterable, Sequence

import numpy as np
from thinc.types import Ints1d

from ..layers.crf import TransitionConstraints
from ..layers.marginals import Segments
from .schemes import MODEL_SCHEMES, OUTSIDE, PREFIXES
from .spans import Span


class TagSet:
    """The tags of a model: "O", and each label with each prefix of the scheme.

    Tag 0 is "O". The ids of the tags of label k begin at ``1 + k * P``, where P is the
    number of prefixes. So adding a label does not change the ids of other tags.
    """

    def __init__(self, labels: Iterable[str], scheme: str = "BIOES"):
        """
        labels: Entity labels, in the order of their tags.
        scheme: One of `MODEL_SCHEMES`.
        RAISES (ValueError): For a scheme that is not one of `MODEL_SCHEMES`.
        """
        if scheme not in MODEL_SCHEMES:
            raise ValueError(
                f"Unknown tag scheme {scheme!r} for a model: use one of "
                f"{MODEL_SCHEMES}."
            )
        self.labels = tuple(labels)
        self.scheme = scheme
        self.prefixes = tuple(PREFIXES[scheme])
        self.names = (
            OUTSIDE,
            *tuple(
                f"{prefix}-{label}" for label in self.labels for prefix in self.prefixes
            ),
        )
        prefix = np.array([name[0] for name in self.names])
        label = np.array(
            [-1] + [k for k in range(len(self.labels)) for _ in self.prefixes]
        )
        inside = np.isin(prefix, ("I", "E"))
        # After these prefixes, an entity may (BIO) or must (BIOES) continue.
        unfinished = np.isin(prefix, ("B", "I"))
        same_label = label[:, None] == label[None, :]
        must_close = "E" in self.prefixes
        #: Which sequences of tags are legal.
        self.constraints = TransitionConstraints(
            starts=~inside,
            transitions=np.where(
                inside[None, :],
                unfinished[:, None] & same_label,
                ~unfinished[:, None] if must_close else True,
            ),
            ends=~unfinished if must_close else np.ones_like(unfinished),
        )
        #: (T,) bool, whether an entity begins with this tag.
        self.opens = np.isin(prefix, ("B", "S"))
        self._closes = np.isin(prefix, ("E", "S"))
        self._inside = prefix == "I"
        self._begins = prefix == "B"
        self._ends = prefix == "E"
        self._label = label

    def __len__(self) -> int:
        return len(self.names)

    def ids_from_spans(self, spans: Iterable[tuple[int, int, str]], n: int) -> Ints1d:
        """Convert entity spans to tag ids.

        spans: Entity spans that do not overlap.
        n: Number of units.
        RETURNS: (n,) int32, the tag id of each unit.
        RAISES (KeyError): For a label that this tag set does not have.
        """
        number = {label: k for k, label in enumerate(self.labels)}
        ids = np.zeros(n, dtype="int32")
        width = len(self.prefixes)
        for start, end, label in spans:
            begin = 1 + number[label] * width
            ids[start] = begin
            ids[start + 1 : end] = begin + 1
            if "E" in self.prefixes:
                ids[end - 1] = begin + (3 if end - start == 1 else 2)
        return ids

    def ids_of(self, other: "TagSet") -> Ints1d:
        """Return the tag of this tag set for each tag of another one, which is in
        BIOES. In BIO, "E" becomes "I", and "S" becomes "B". Legal sequences of the one
        become legal sequences of the other, all of them different.

        other: A tag set in BIOES.
        RETURNS: (len(other),) tag ids.
        RAISES (KeyError): For a label that this tag set does not have.
        """
        number = {name: i for i, name in enumerate(self.names)}
        if self.scheme == "BIO":
            for label in self.labels:
                number[f"E-{label}"] = number[f"I-{label}"]
                number[f"S-{label}"] = number[f"B-{label}"]
        for label in other.labels:
            if label not in self.labels:
                raise KeyError(label)
        return np.array([number[name] for name in other.names], dtype="int64")

    def inside(self, ids: Ints1d) -> Ints1d:
        """Return the inside tags with the same labels as the given tags of entities.

        ids: (n,) tag ids.
        RETURNS: (n,) tag ids.
        """
        return 2 + self._label[ids] * len(self.prefixes)

    def in_one_entity(self, n: int) -> np.ndarray:
        """Return the tags that the units of a range may have if they all are part of
        the same entity.

        n: Number of units, at least two.
        RETURNS: (n, T) bool, the allowed tags of each unit.
        """
        allowed = np.tile(self._inside, (n, 1))
        allowed[0] |= self._begins
        allowed[-1] |= self._ends
        return allowed

    def segments(self, spans: Sequence[tuple[int, int, str]]) -> Segments:
        """Convert entity spans to segments of paths, to compute their probabilities.

        spans: Entity spans, in rows of the batch, which may overlap. An empty label is
            for units outside of entities.
        RETURNS: One segment per span.
        RAISES (KeyError): For a label that this tag set does not have.
        """
        width = len(self.prefixes)
        begins = {label: 1 + k * width for k, label in enumerate(self.labels)}
        begins[""] = 0
        starts, ends, begin = (
            np.array(
                [(start, end, begins[label]) for start, end, label in spans],
                dtype="int64",
            )
            .reshape((-1, 3))
            .T
        )
        sizes = ends - starts
        lasts = np.cumsum(sizes) - 1
        tags = np.repeat(begin + 1, sizes)
        if "E" in self.prefixes:
            tags[lasts] += 1
        tags[lasts - sizes + 1] = begin
        if "S" in self.prefixes:
            tags[lasts[sizes == 1]] += 3
        outside = begin == 0
        tags[np.repeat(outside, sizes)] = 0
        # An inside tag is never legal after "O", so it excludes no path there.
        return Segments(starts, ends, tags, np.where(outside, 2, begin + 1))

    def segments_of_path(self, ids: Ints1d, spans: Sequence[Span]) -> Segments:
        """`segments` for all entities of a path.

        ids: (n,) tag ids of the path.
        spans: What `spans_from_ids` returned for it.
        """
        starts, ends = np.array([(start, end) for start, end, _ in spans]).T
        starts = np.ascontiguousarray(starts)
        continuation = self.inside(ids[starts])
        return Segments(starts, np.ascontiguousarray(ends), ids[ids != 0], continuation)

    def spans_from_ids(self, ids: Ints1d) -> list[Span]:
        """Convert tag ids to entity spans.

        ids: (n,) tag ids, a sequence that is valid in the scheme, such as a best path.
        RETURNS: The entity spans in the order of the text.
        """
        if not ids.any():
            return []
        opens = np.flatnonzero(self.opens[ids])
        if "E" in self.prefixes:
            last = np.flatnonzero(self._closes[ids])
        else:
            next_inside = np.append(self._inside[ids[1:]], False)
            last = np.flatnonzero((ids != 0) & ~next_inside)
        labels = self._label[ids[opens]]
        return [
            Span(start, end + 1, self.labels[label])
            for start, end, label in zip(
                opens.tolist(), last.tolist(), labels.tolist(), strict=True
            )
        ]
