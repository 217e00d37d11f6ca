"""The options for reading dataset files.

They are defined here once. The function `convert` and the corpus reader
`spacy-lstm-ner.BIOCorpus.v1` take them as keyword arguments, and the command `convert`
as command-line options of the same names.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypedDict, TypeVar

from ..exceptions import DataError
from ..tags import FILE_SCHEMES
from .split import parse_split

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How to read a dataset file.

    format: The file format: "jsonl", "literal" or "columns" (a key of
        `formats.FORMATS`), or "auto" to detect it.
    scheme: The tag scheme: "BIO", "IOB1", "BIOES" or "BMES", or "auto" to detect it.
    separator: Separator between columns. None: whitespace.
    joiner: Text inserted between units: "" if the units are characters, " " if they are
        words of a language that separates words with spaces.
    segmentation_digits: In columns, whether each character is followed by its position
        in the word, as in "科0". These digits are removed. None: detect it.
    split: Percentages such as "80/10/10" (train/dev/test) or "90/10" (train/dev), to
        split each file at random. None: no split.
    seed: Random seed of the split.
    limit: Read only the first `limit` records of each file. 0: all.
    strict: Raise a `DataError` at the first problem in a file instead of repairing or
        skipping what is affected.
    RAISES (DataError): For an unknown scheme or an invalid split.
    """

    format: str = "auto"
    scheme: str = "auto"
    separator: str | None = None
    joiner: str = ""
    segmentation_digits: bool | None = None
    split: str | None = None
    seed: int = 0
    limit: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        if self.scheme not in ("auto", *FILE_SCHEMES):
            raise DataError(
                f"unknown scheme {self.scheme!r}: use auto or one of {FILE_SCHEMES}"
            )
        if self.split:
            parse_split(self.split)

    @property
    def shares(self) -> list[int] | None:
        """The percentage of each part of the split; None without a split."""
        return parse_split(self.split) if self.split else None


class ReadingKeywords(TypedDict, total=False):
    """`ReadingOptions` as keyword arguments, for type checkers: see
    `accepts_reading_options`."""

    format: str
    scheme: str
    separator: str | None
    joiner: str
    segmentation_digits: bool | None
    split: str | None
    seed: int
    limit: int
    strict: bool


def accepts_reading_options(function: FunctionT) -> FunctionT:
    """Decorate a function that has ``**options: Unpack[ReadingKeywords]``, so that its
    signature at run time lists the options by name, with types and defaults: for
    ``help()`` and for spaCy, which checks configs against signatures."""
    signature = inspect.signature(function)
    explicit = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=field.type,
        )
        for field in fields(ReadingOptions)
    ]
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*explicit, *options]
    )
    # `Unpack` is in typing only since Python 3.11.
    function.__annotations__.pop("options", None)
    return function
