"""Whether the ends of entities are inclusive, and what offsets count.

Tools differ in both, and a wrong guess is silent: it cuts off or adds a character. So
both are decided for a file as a whole, by the text of its entities where the file has
it. Where it has none, by what is possible at all, and by what is known of the keys.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ...exceptions import DataError
from ..options import ReadingOptions
from .spans import RawSpan, SpannedText, ambiguity, fits, n_fitting, shown

# Of the entities, at most this share may not fit what is decided for the file.
_MAX_MISFITS = 0.1
# From so many entities on, the characters after them show whether ends are inclusive.
_MIN_FOLLOWERS = 20
_MIN_PUNCTUATED = 0.2


def detect_offsets(
    texts: list[SpannedText],
    options: ReadingOptions,
    path: Path,
    *,
    convention: str | None = None,
    counted: str | None = None,
) -> ReadingOptions:
    """Decide whether ends are inclusive, and what offsets count.

    texts: The texts at the beginning of a file.
    options: Options that are set are kept.
    path: The file, for messages.
    convention: What the tool that writes these keys uses for ends, if that is known.
    counted: What its offsets count, if that is known.
    RETURNS: The options. `offsets` remains "auto" if no text has characters for which
        it matters: it is then decided for each record by the text of its entities.
    RAISES (DataError): If neither fits, or if the file does not show it and there are
        signs of inclusive ends, or characters that JavaScript counts as two.
    """
    with_text = any(span.surface for text in texts for span in text.spans)
    if with_text:
        ends, offsets = _decide_by_text(texts, options, path)
    else:
        if options.offsets == "auto":
            options = replace(options, offsets=counted or "auto")
        ends, offsets = _decide_without_text(texts, options, path, convention)
        if options.offsets == "auto":
            _check_counted(texts, ends, offsets, path)
    wide = any(text.has_wide_characters for text in texts if text.spans)
    if options.offsets == "auto" and not wide:
        offsets = "auto"
    return replace(options, ends=ends, offsets=offsets)


def _check_counted(
    texts: list[SpannedText], ends: str, offsets: str, path: Path
) -> None:
    """Check that what offsets count makes no difference, or is the only possibility.

    RAISES (DataError): Otherwise.
    """
    other = "utf16" if offsets == "characters" else "characters"
    for text in texts:
        if text.has_wide_characters and any(
            text.place(span, ends, other) is None for span in text.spans
        ):
            return
    for text in texts:
        if problem := ambiguity(text, ends):
            raise DataError(f"{path}: {problem}")


def _decide_by_text(
    texts: list[SpannedText], options: ReadingOptions, path: Path
) -> tuple[str, str]:
    """Decide by the text of the entities."""
    choices = [
        (ends, offsets)
        for ends in _choices(options.ends, ("exclusive", "inclusive"))
        for offsets in _choices(options.offsets, ("characters", "utf16"))
    ]
    n = sum(bool(span.surface) for text in texts for span in text.spans)
    counts = {
        choice: sum(n_fitting(text, *choice) for text in texts) for choice in choices
    }
    # Of equals, the first one.
    best = max(choices, key=lambda choice: counts[choice])
    # What the user says is not doubted: what differs is reported.
    if (n - counts[best]) > _MAX_MISFITS * n and "auto" in (
        options.ends,
        options.offsets,
    ):
        text, span = next(
            (text, span)
            for text in texts
            for span in text.spans
            if span.surface and not fits(text, span, *best)
        )
        raise DataError(
            f"{path}: the text of the entities is not at their offsets, whether ends "
            f"are inclusive or exclusive, and whether they count characters or UTF-16 "
            f"code units: {n - int(counts[best]):,} of {n:,} differ. The first one is "
            f"{shown(span.label)} {shown(span.surface)}, but "
            f"{_readings(text, span)}. "
            f"Check whether the text was changed after annotation; with --ends "
            f"{best[0]} --offsets {best[1]}, the file is read without the entities "
            f"that differ"
        )
    return best


def _decide_without_text(
    texts: list[SpannedText],
    options: ReadingOptions,
    path: Path,
    convention: str | None,
) -> tuple[str, str]:
    """Decide by what is possible, and by the convention of the keys."""
    offsets = options.offsets
    if offsets == "auto":
        beyond = {
            name: sum(
                text.place(span, options.ends, name) is None
                for text in texts
                for span in text.spans
                if text.has_wide_characters
            )
            for name in ("characters", "utf16")
        }
        offsets = "utf16" if beyond["utf16"] < beyond["characters"] else "characters"
    pairs = [
        (text, span)
        for text in texts
        for span in text.spans
        if span.start is not None and span.end is not None
    ]
    if options.ends != "auto":
        return options.ends, offsets
    if not pairs:
        return convention or "exclusive", offsets
    single = [(text, span) for text, span in pairs if span.start == span.end]
    last = [
        (text, span)
        for text, span in pairs
        if span.start != span.end
        and text.place(span, "exclusive", offsets) is not None
        and text.place(span, "inclusive", offsets) is None
    ]
    outside = [
        (text, span)
        for text, span in pairs
        if text.place(span, "exclusive", offsets) is None and span.start != span.end
    ]
    if len(outside) > _MAX_MISFITS * len(pairs):
        text, span = outside[0]
        raise DataError(
            f"{path}: {len(outside):,} of {len(pairs):,} entities are outside of their "
            f"texts, the first one is {shown(span.label)} from {span.start} to "
            f"{span.end}, in a text of {len(text.units or text.text):,}. Check whether "
            f"the text was changed after annotation; with --ends, the file is read "
            f"without these entities"
        )
    if single and (last or convention == "exclusive"):
        text, span = single[0]
        reason = (
            f"{len(last):,} end after the last character of the text"
            if last
            else "tools that write these keys do not count the end"
        )
        raise DataError(
            f"{path}: whether ends are inclusive is contradictory: {len(single):,} of "
            f"{len(pairs):,} entities have the same start and end, such as "
            f"{shown(span.label)} at {span.start}, but {reason}. Set --ends exclusive "
            f"(then these are empty, and not read) or --ends inclusive"
        )
    if single:
        return "inclusive", offsets
    if last or convention:
        return convention or "exclusive", offsets
    _check_followers(pairs, offsets, path)
    return "exclusive", offsets


def _check_followers(
    pairs: list[tuple[SpannedText, RawSpan]], offsets: str, path: Path
) -> None:
    """Check that ends look exclusive, by the characters after entities: many entities
    are followed by a punctuation mark or a blank, and hardly any ends with one.

    RAISES (DataError): If they look inclusive.
    """
    n = at_end = after_end = 0
    for text, span in pairs:
        place = text.place(span, "inclusive", offsets)
        if place is not None and place[1] < len(text.text):
            n += 1
            at_end += not text.text[place[1] - 1].isalnum()
            after_end += not text.text[place[1]].isalnum()
    if n >= _MIN_FOLLOWERS and at_end < 0.02 * n and after_end >= _MIN_PUNCTUATED * n:
        text, span = pairs[0]
        raise DataError(
            f"{path}: ends of entities look inclusive, but the file has no text of "
            f"entities that would show it. The first one is {shown(span.label)}: "
            f"{_readings(text, span)}. Set --ends inclusive or --ends exclusive"
        )


def _choices(value: str, all_values: tuple[str, ...]) -> tuple[str, ...]:
    return all_values if value == "auto" else (value,)


def _readings(text: SpannedText, span: RawSpan) -> str:
    """Return what an entity is if ends are inclusive, and if they are exclusive."""
    found: Iterator[str] = (
        f"{ends} ends read {shown(text.text[slice(*place)])}"
        for ends in ("exclusive", "inclusive")
        if (place := text.place(span, ends, "characters"))
    )
    return ", ".join(found) or "its offsets are outside the text"
