"""Valid data files in every layout, which are then changed: those that the tests of the
formats use as examples, and others."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
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
    # UTF-16 without a byte-order mark.
    "stored-3.txt": {"encoding": "utf-16-le"},
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
    options: Mapping[str, Any] = MappingProxyType({})


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
    found["columns"] = [
        *columns,
        *_with("王 B-P\n芳 I-P\n在 O\n\n沪 B-L\n", "# id 7\n{}", "{}end\n{}"),
        "1\t王\tB-P\n2\t芳\tI-P\n3\t在\tO\n\n1\t沪\tB-L\n2\t市\tO\n",
        'sentence,word,tag\n1,王,B-P\n1,芳,I-P\n1,",",O\n2,沪,B-L\n2,市,O\n',
        "王 0\n芳 0\n沪 B_L\n市 I_L\n到 0\n\n青 B_L\n岛 I_L\n",
        "王 PER\n芳 PER\n在 O\n了 O\n\n沪 LOC\n市 O\n的 O\n",
        "王 PER-B\n芳 PER-I\n在 O\n\n沪 LOC-B\n市 O\n",
    ]
    found["sentences"] = [
        "王 芳 在\tB-P I-P O\n沪 市\tB-L O\n",
        "王 芳 在 ||| B-P I-P O\n沪 市 ||| B-L O\n",
        "王/B-P 芳/I-P 在/O\n沪/B-L 市/O\n",
        "王芳在沪\tB-P I-P O B-L\n沪市\tB-L O\n",
    ]
    word = "{}\t{}\t_\t_\t_\t_\t_\t_\t_\tNE={}\n"
    tokens = [("1", "王", "B-P"), ("2", "芳", "I-P"), ("3-4", "在沪", "O")]
    tokens += [("3", "在", "O"), ("4", "沪", "O"), ("5.1", "空", "O"), ("5", "市", "O")]
    sentence = "".join(word.format(*token) for token in tokens)
    found["conllu"] = [f"# text = 王芳在沪市\n{sentence}\n{sentence}\n"]
    text = "\n".join(json.dumps(v, ensure_ascii=False) for v in values * 3) + "\n"
    found["stored"] = [
        gzip.compress(text.encode()),
        _zipped(text.encode()),
        text.encode("utf-16"),
        (columns[0] * 4).encode("utf-16-le"),
        (columns[0] * 9).encode("gb18030"),
        text.encode("utf-8-sig"),
        str(columns[0]).replace("\n", "\r\n").encode(),
        str(columns[0]).replace("\n", "\r").encode(),
    ]
    return found


def _with(text: str, *around: str) -> list[str | bytes]:
    return [each.replace("{}", text) for each in around]


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.jsonl", data)
    return file.getvalue()


def _parquet() -> bytes:
    from pyarrow import Table, parquet

    rows = [{"tokens": list(text), "ner_tags": tags.split()} for text, tags in RECORDS]
    file = io.BytesIO()
    parquet.write_table(Table.from_pylist(rows), file)
    return file.getvalue()


def _brat() -> dict[str, bytes]:
    texts = {"a": "王芳在沪宁医院\n工作。\n", "b": "李雷去了青岛\n", "c": "无\n"}
    found = {f"{name}.txt": text.encode() for name, text in texts.items()}
    entities = "T1\tPER 0 2\t王芳\nT2\tORG 3 7\t沪宁医院\nR1\tAt Arg1:T1 Arg2:T2\n"
    found["a.ann"] = f"{entities}T3\tX 3 5;8 10\t沪宁 工作\n#1\tNote T1\tx\n".encode()
    found["b.ann"] = "T1\tPER 0 2\t李雷\nT2\tLOC 4 6\t青岛\n".encode()
    return {**found, "c.ann": b""}


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
            data = f"{content}\n".encode() if isinstance(content, str) else content
            name = f"{kind}-{number}.txt"
            found.append(Seed(name, {name: data}, name, OPTIONS.get(name, {})))
    found.append(Seed("rows.parquet", {"rows.parquet": _parquet()}, "rows.parquet"))
    found += [Seed("brat", _brat(), ""), Seed("one-brat", _brat(), "a.ann")]
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
