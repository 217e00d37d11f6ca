"""The example files of all layouts are read right, or refused with a reason.

`expected.txt` has what is read from each file, for people to check. After a change that
is meant, write it again:

    python -m tests.data.formats.test_examples
"""

from pathlib import Path

import pytest
import spacy

from spacy_lstm_ner.data.docs import doc_from_text
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.tags import Span
from spacy_lstm_ner.util.text import escaped

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"
EXPECTED = HERE / "expected.txt"
NLP = spacy.blank("zh")
#: Examples that are refused, but read with an option, as the error says.
OPTIONS = {
    "doccano_v1_numbers.jsonl": {"label_names": "3=PER,4=ORG,5=LOC"},
    "spert.json": {"joiner": " "},
}


def example_paths() -> list[Path]:
    return sorted(path for path in EXAMPLES.iterdir() if path.name != "README.md")


def marked(text: str, entities: list[Span]) -> str:
    """The text, and the text of each entity with its offsets."""
    found = [f"{e.label}[{e.start}:{e.end}]={text[e.start : e.end]}" for e in entities]
    return escaped(" | ".join([text, *found]))


def described(path: Path) -> str:
    """What is read from a file, as text; of some also with an option."""
    lines = [f"## {path.name}", *read_with(path)]
    if options := OPTIONS.get(path.name):
        lines += [f"  with {options}:", *read_with(path, **options)]
    return "\n".join(lines).replace(f"{EXAMPLES}/", "") + "\n"


def read_with(path: Path, **options) -> list[str]:
    lines: list[str] = []
    log = ProblemLog()
    try:
        file = DataFile(path, ReadingOptions(**options))
        report = log.of_file(path)
        rows = [f"{name}: {value}" for name, value in file.describe()]
        lines += [f"  {row}" for row in rows]
        for text in file.texts(log):
            lines.append(marked(text.text, text.entities))
            lines += [f"  missing: {text.text[s:e]}" for s, e in text.missing]
            lines += [f"  incorrect: {span}" for span in text.incorrect]
            doc_from_text(NLP, text, report=report)
        lines += [f"  {line}" for line in (*log.losses(), *log.messages())]
    except DataError as error:
        lines += [f"  refused: {line}" for line in str(error).splitlines()]
    return lines


def expected() -> dict[str, str]:
    parts = EXPECTED.read_text("utf8").split("## ")[1:]
    return {part.partition("\n")[0]: f"## {part}".strip() for part in parts}


@pytest.mark.parametrize("path", example_paths(), ids=lambda path: path.name)
def test_example(path):
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    assert described(path).strip() == expected()[path.name]


def test_no_example_is_missing():
    assert set(expected()) == {path.name for path in example_paths()}


def test_refused_examples_are_named_so():
    for name, text in expected().items():
        is_refused = name.startswith("refused_") or name in OPTIONS
        assert is_refused == ("refused: " in text), name


if __name__ == "__main__":
    EXPECTED.write_text("\n".join(map(described, example_paths())), "utf8")
