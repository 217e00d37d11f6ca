"""Texts in units (characters or tokens), with a tag for each unit."""

from typing import NamedTuple

from ...tags import OUTSIDE, Span
from ...tags.schemes import PREFIXES
from ..problems import MISALIGNED
from .base import ExportedText, WritingLog, WritingOptions, without_overlaps


class Tagged(NamedTuple):
    """A text in units.

    units: The units.
    spans: Its entities, in units.
    entities: The same entities by character offsets.
    """

    units: list[str]
    spans: list[Span]
    entities: list[Span]


def unit_offsets(exported: ExportedText, unit: str) -> list[tuple[int, int]]:
    """Divide a text into units.

    exported: The text.
    unit: "character", "token", or "auto".
    RETURNS: Start and end of each unit, in characters.
    """
    doc = exported.doc
    if unit == "auto":
        has_letters = doc.vocab.writing_system["has_letters"]
        unit = "token" if has_letters else "character"
    if unit == "character":
        return [(i, i + 1) for i in range(len(exported.text))]
    return [(token.idx, token.idx + len(token)) for token in doc]


def tagged_text(
    exported: ExportedText, options: WritingOptions, log: WritingLog
) -> Tagged:
    """Divide a text into units. Tokens that are whitespace are no units.

    exported: The text.
    options: The options, which have the kind of unit.
    log: Entities that are lost, and texts that units do not restore, are counted in it.
    RETURNS: The units and the entities that begin and end with a unit.
    """
    text = exported.text
    offsets = unit_offsets(exported, options.unit)
    # Units that are characters have all blanks of the text.
    if len(offsets) < len(text):
        offsets = [(i, j) for i, j in offsets if not text[i:j].isspace()]
        if not _is_regular(text, offsets):
            log.changes["text whose blanks are not in the file"] += 1
    starts = {start: i for i, (start, _) in enumerate(offsets)}
    ends = {end: i for i, (_, end) in enumerate(offsets, start=1)}
    aligned = []
    for entity in exported.entities:
        if entity.start in starts and entity.end in ends:
            aligned.append(entity)
        else:
            log.lost[MISALIGNED] += 1
    entities = [Span(*entity[:3]) for entity in without_overlaps(aligned, log)]
    spans = [Span(starts[start], ends[end], label) for start, end, label in entities]
    return Tagged([text[start:end] for start, end in offsets], spans, entities)


def prefixes_of(scheme: str) -> tuple[str, str, str, str]:
    """RETURNS (tuple[str, str, str, str]): The prefixes of a scheme: of the first unit
    of an entity, of those inside, of the last one, and of the only one."""
    prefixes = {meaning: prefix for prefix, meaning in PREFIXES[scheme].items()}
    begin, inside = prefixes["B"], prefixes["I"]
    return begin, inside, prefixes.get("E", inside), prefixes.get("S", begin)


def tags_from_spans(spans: list[Span], n: int, scheme: str) -> list[str]:
    """Convert entity spans to tags.

    spans: The entities, which do not overlap.
    n: Number of units.
    scheme: The tag scheme.
    RETURNS: The tag of each unit.
    """
    begin, inside, end, single = prefixes_of(scheme)
    tags = [OUTSIDE] * n
    for start, stop, label in spans:
        tags[start:stop] = [f"{inside}-{label}"] * (stop - start)
        tags[start] = f"{begin}-{label}"
        tags[stop - 1] = f"{end if stop - start > 1 else single}-{label}"
    return tags


def _is_regular(text: str, offsets: list[tuple[int, int]]) -> bool:
    """Return whether a text is its units joined by nothing, or by one blank each."""
    units = [text[start:end] for start, end in offsets]
    return text in ("".join(units), " ".join(units))
