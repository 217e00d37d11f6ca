"""What a text file is that has no entities which can be read, and what to do."""

import re

_MAX_LINES = 200
_BRAT = re.compile(r"T\d+\t\S+ \d+ \d+[^\t]*\t|[REAMN*#]\S*\t\S+ ")
_TAG = re.compile(r"[BIESMLUW]-\S+|O")
_WITH_PART_OF_SPEECH = re.compile(r"(\S+/[A-Za-z]{1,4}\s+){2,}")
_MAX_SHOWN = 60
#: What can be set for columns.
_SETTINGS = "set the columns, such as unit=1,tag=2, or their separator"


def looks_like(lines: list[str], rows: list[list[str]]) -> str:
    """Describe what a file without tags is, with what to do about it.

    lines: Its first lines.
    rows: The cells of these lines, if they are columns.
    """
    filled = [line.strip() for line in lines if line.strip()][:_MAX_LINES]
    if not filled:
        return "the file is empty"

    def share(pattern: re.Pattern[str]) -> float:
        return sum(bool(pattern.match(line)) for line in filled) / len(filled)

    if share(_BRAT) > 0.5:
        return (
            "these are annotations of brat: name the file *.ann, beside its text as "
            "*.txt"
        )
    if filled[0].startswith("<") and share(re.compile("<")) > 0.3:
        return "this is XML or HTML: convert it to one of the formats of `convert`"
    if filled[0].startswith(("{", "[")) and share(re.compile(r"[\[{]")) > 0.5:
        return "this looks like JSON, but it cannot be parsed"
    if are_only_tags(lines):
        return (
            "there are only tags: give the file with the units, too, beside it as "
            "train.words and train.tags, or paste both side by side"
        )
    if share(_WITH_PART_OF_SPEECH) > 0.5:
        return (
            "this is text with a part of speech after each word, without entities. "
            "Parts of speech such as nr can be read as entities if all other words "
            "have the tag O"
        )
    if rows:
        last = dict.fromkeys(row[-1].strip() for row in rows)
        shown = ", ".join(last)
        return (
            f"if these are columns, the last of {len(rows[0])} has "
            f"{shown:.{_MAX_SHOWN}} and so on. If another one has the tags, {_SETTINGS}"
        )
    if all(len(line) <= 2 or " " not in line for line in filled) and (
        sum(map(len, filled)) < 3 * len(filled)
    ):
        return "there is one unit per line, but without a tag: add a column of tags"
    return (
        "this is text without annotation, or annotation in a format that is not known. "
        f"If these are columns, {_SETTINGS}; if the tags are in another file, name the "
        "two files as train.words and train.tags"
    )


def are_only_tags(lines: list[str]) -> bool:
    """Return whether all words of some lines are tags, some of them of entities."""
    words = {word for line in lines[:_MAX_LINES] for word in line.split()}
    return bool(words - {"O"}) and all(map(_TAG.fullmatch, words))
