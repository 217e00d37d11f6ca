"""Valid data files in every layout, which are then changed: those that the tests of the
formats use as examples, and others."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy.tokens import DocBin

EXAMPLES = Path(__file__).parents[2] / "tests" / "data" / "formats" / "examples"
NLP = spacy.blank("zh")
#: The options that examples need.
OPTIONS: dict[str, dict[str, Any]] = {
    "doccano_v1_numbers.jsonl": {"label_names": "3=PER,4=ORG,5=LOC"},
    "refused_contradictory_ends.jsonl": {"ends": "exclusive"},
    "refused_looks_inclusive.jsonl": {"ends": "inclusive"},
    "refused_shifted.jsonl": {"ends": "exclusive"},
    "refused_tag_numbers.jsonl": {"label_names": "O,B-PER,I-PER,B-LOC,I-LOC"},
    "spert.json": {"joiner": " "},
}


class Seed(NamedTuple):
    """A data set.

    name: Its name.
    files: Its files by their paths in its folder.
    entry: The path that is read, in its folder; "" for the folder.
    options: How to read it.
    """

    name: str
    files: dict[str, bytes]
    entry: str
    options: dict[str, Any] = {}


RECORDS: list[tuple[str, str]] = [
    ("中国（上海）自贸区", "B-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC"),
    ("王芳任北京大学教授。", "B-P I-P O B-O I-O I-O I-O B-T I-T O"),
    ("F-35 \u3000飞机\t和😀", "B-X I-X I-X I-X O O B-Y I-Y O O O"),
    ("没有实体", "O O O O"),
    ("张三李四'\"\\", "B-P I-P B-P I-P O O O"),
    ("一", "B-N"),
]
WORDS: list[tuple[str, str]] = [
    ("CNN International 报 道 。", "B-ORG I-ORG O O O"),
    ("EU rejects German call .", "B-ORG O B-MISC O O"),
    ("iPhone 15 发 布", "B-X I-X O O"),
]


def in_scheme(tags: list[str], scheme: str) -> list[str]:
    """Convert BIO tags to another scheme."""
    if scheme == "BIO":
        return tags
    found = []
    end, single = {"BILOU": "LU", "BMEWO": "EW"}.get(scheme, "ES")
    inside = "M" if "M" in scheme else "I"
    for tag, after in zip(tags, [*tags[1:], "O"], strict=True):
        continues = after.startswith("I-")
        prefix = {"B": "B" if continues else single, "I": inside if continues else end}
        found.append(prefix[tag[0]] + tag[1:] if tag != "O" else tag)
    return found


def entities(tags: list[str]) -> list[tuple[int, int, str]]:
    """Convert the BIO tags of characters to entities with exclusive ends."""
    found: list[tuple[int, int, str]] = []
    for i, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append((i, i + 1, tag[2:]))
        elif tag.startswith("I-"):
            found[-1] = (found[-1][0], i + 1, tag[2:])
    return found


def own_seeds() -> dict[str, list[str | bytes]]:
    """RETURNS: The contents of valid files by their kind."""
    records = [(text, tags.split()) for text, tags in RECORDS]
    values = [{"id": 7, "text": t, "labels": tags} for t, tags in records]
    lists = [{"text": list(t), "labels": tags, "p": 0.5} for t, tags in records]
    found: dict[str, list[str | bytes]] = {
        "tags": [
            "\n".join(json.dumps(v, ensure_ascii=False) for v in values),
            "\n".join(json.dumps(v) for v in lists),
            json.dumps(values, ensure_ascii=False, indent=1),
            json.dumps({"data": lists}),
        ],
        "literals": [
            "\n".join(repr(v) for v in values),
            "\n".join(repr({**v, "n": None, "ok": True}) for v in lists),
            "\n".join(ascii(v) for v in lists),
        ],
    }
    columns: list[str | bytes] = []
    for scheme in ("BIO", "BIOES", "BMES", "BILOU", "BMEWO"):
        for middle in (" ", "\t", " NN _ "):
            columns.append(
                "\n\n".join(
                    "\n".join(
                        f"{char}{middle}{tag}"
                        for char, tag in zip(text, in_scheme(tags, scheme), strict=True)
                    )
                    for text, tags in records
                )
            )
    columns.append(
        "\n\n".join(
            "\n".join(f"{text[i]}{i % 3}\t{tag}" for i, tag in enumerate(tags))
            for text, tags in records
        )
    )
    columns.append(
        "\n\n".join(
            "\n".join(map(" ".join, zip(units.split(), tags.split(), strict=True)))
            for units, tags in WORDS
        )
    )
    found["columns"] = columns
    return found


def _examples() -> list[Seed]:
    seeds = []
    for path in sorted(EXAMPLES.iterdir()) if EXAMPLES.is_dir() else []:
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
        base = path if path.is_dir() else path.parent
        contents = {str(file.relative_to(base)): file.read_bytes() for file in files}
        entry = "" if path.is_dir() else path.name
        options = OPTIONS.get(path.name, {})
        seeds.append(Seed(path.name, contents, entry, options))
    return seeds


def seeds() -> list[Seed]:
    """RETURNS: All valid data sets."""
    found = []
    for kind, contents in own_seeds().items():
        for number, content in enumerate(contents):
            data = content.encode() if isinstance(content, str) else content
            name = f"{kind}-{number}.txt"
            found.append(Seed(name, {name: data + b"\n"}, name))
    docs = []
    for text, tags in RECORDS:
        doc = NLP.make_doc(text)
        spans = [doc.char_span(*span) for span in entities(tags.split())]
        doc.ents = [span for span in spans if span is not None]
        docs.append(doc)
    found.append(
        Seed("docs.spacy", {"docs.spacy": DocBin(docs=docs).to_bytes()}, "docs.spacy")
    )
    return [*found, *_examples()]
