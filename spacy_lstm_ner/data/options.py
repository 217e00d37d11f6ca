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
from ..tags import FILE_SCHEMES, SCHEME_ALIASES
from .split import parse_split

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_CHOICES = {
    "ends": ("auto", "inclusive", "exclusive"),
    "offsets": ("auto", "characters", "utf16"),
}


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How to read a dataset file.

    format: The file format, a key of `formats.FORMATS`, or "auto" to detect it.
    encoding: The text encoding, such as "gb18030", or "auto" to detect it.
    scheme: The tag scheme: "BIO", "IOB1", "BIOES", "BMES", "BILOU" or "BMEWO", or
        "auto" to detect it. "IOB2", "IOBES" and "BILUO" are other names of these.
    separator: Separator between columns. None: detect it.
    columns: The columns by name, numbered from 1, such as "unit=2,tag=4". With
        "sentence=1", a column of sentence numbers separates the records. None: detect
        them.
    comment: How lines that are comments begin, such as "#". "": no line is a comment.
        None: detect it.
    header: Whether the first line has the names of the columns. None: detect it.
    joiner: Text inserted between units: "" if the units are characters, " " if they are
        words of a language that separates words with spaces. None: detect for each pair
        of units whether they are such words.
    segmentation_digits: In columns, whether each character is followed by its
        position in the word, as in "科0". These digits are removed. None: detect it.
    ends: Whether the end of an entity, in character offsets, is the index after its
        last character ("exclusive") or of its last character ("inclusive"); "auto" to
        decide by the text of the entities in the file.
    offsets: What character offsets count: "characters" (code points) or "utf16" (as
        JavaScript does), or "auto" to decide by the text of the entities in the file.
    label_names: The names of labels or tags that are numbers in the file: separated by
        commas in the order of the numbers or as "3=PER,4=LOC", or a file with one name
        per line, or with JSON. None: the file, or one beside it, has to have the names.
    spans_key: The span group for all entities if some of them overlap; `doc.ents` has
        the longest ones.
    split: Percentages such as "80/10/10" (train/dev/test) or "90/10" (train/dev), to
        split each file at random. None: no split.
    seed: Random seed of the split.
    limit: Read only the first `limit` records of each file. 0: all.
    force: Accept a file without entities, or with many unknown tags.
    strict: Raise a `DataError` at the first problem in a file instead of repairing or
        skipping what is affected.
    RAISES (DataError): For an unknown scheme or an invalid split.
    """

    format: str = "auto"
    encoding: str = "auto"
    scheme: str = "auto"
    separator: str | None = None
    columns: str | None = None
    comment: str | None = None
    header: bool | None = None
    joiner: str | None = None
    segmentation_digits: bool | None = None
    ends: str = "auto"
    offsets: str = "auto"
    label_names: str | None = None
    spans_key: str = "sc"
    split: str | None = None
    seed: int = 0
    limit: int = 0
    force: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        scheme = SCHEME_ALIASES.get(self.scheme, self.scheme)
        object.__setattr__(self, "scheme", scheme)
        if self.scheme not in ("auto", *FILE_SCHEMES):
            raise DataError(
                f"unknown scheme {self.scheme!r}: use auto or one of {FILE_SCHEMES}"
            )
        for name, values in _CHOICES.items():
            if (value := getattr(self, name)) not in values:
                raise DataError(f"unknown {name} {value!r}: use one of {values}")
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
    encoding: str
    scheme: str
    separator: str | None
    columns: str | None
    comment: str | None
    header: bool | None
    joiner: str | None
    segmentation_digits: bool | None
    ends: str
    offsets: str
    label_names: str | None
    spans_key: str
    split: str | None
    seed: int
    limit: int
    force: bool
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
