"""Generate the synthetic data sets in assets/sample: Chinese résumés and news.

They are generated from small grammars, the files in scripts/grammars. A rule is a
name, a colon and alternatives separated by "|"; after "+:" they are added to those
of the rule in an earlier file. An alternative is text with slots, such as
"{NAME}任{ORG}{TITLE}。". A slot is replaced by a random alternative of the rule with
its name or, if there is none, by the result of Faker's method of that name. A slot
in capitals is an entity, and its name is the label; a suffix after a dot
distinguishes rules for the same label: "{ORG.school}" is an ORG. If it has other
such slots in it, only the outermost is an entity. "#" stands for any digit, "%"
for a digit that is not zero.

Some annotation is then made wrong, as annotators would: see `add_noise`.
"""

import json
import random
import re
from pathlib import Path
from typing import Annotated

import typer
from build_corpus import SPLIT, SPLIT_SEED
from faker import Faker
from faker.providers.job.zh_CN import Provider as Jobs

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.data.split import PARTS, parse_split, split_records
from spacy_lstm_ner.util.atomic import AtomicSet

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "assets" / "sample"
GRAMMARS = ROOT / "scripts" / "grammars"

# The grammars of each file, later ones on top of earlier ones.
FILES = {
    "easy.json": ("shared", "easy"),
    "resume.json": ("shared", "easy", "names", "resume"),
    "news.txt": ("shared", "names", "news"),
}

# What tests and the tutorial learn in seconds: without hard names, and without noise.
EASY = "easy.json"

# The share of entities whose annotation is made wrong, by the part of the data that
# build_corpus.py puts the sentence in: test data is checked more carefully.
NOISE = {"train": 0.08, "dev": 0.05, "test": 0.05}

# What an annotator could take a short entity for, unless its ending tells the type.
CONFUSED = {
    "CONT": "LOC",
    "COU": "LOC",
    "EVT": "ORG",
    "LOC": "ORG",
    "NAME": "ORG",
    "PER": "ORG",
}
SHORT, ENDINGS = 4, ("人", "籍")

Rules = dict[str, list[str]]
# Text with the label of its entity, or "" for none.
Piece = tuple[str, str]


def read_rules(*grammars: str) -> Rules:
    """Read grammars by their names. Indented lines continue a rule."""
    # Those of Faker's jobs that are no headings or lists ("经理/主管").
    job = re.compile(r"\w+(师|员|经理|总监|主管)")
    rules = {"job": [name for name in Jobs.jobs if job.fullmatch(name)]}
    for grammar in grammars:
        text = (GRAMMARS / f"{grammar}.txt").read_text(encoding="utf-8")
        for rule in re.split(r"\n(?! )", text.strip()):
            if rule.startswith("#"):
                continue
            name, _, choices = rule.partition(":")
            earlier = rules[name[:-1]] if name.endswith("+") else []
            added = [choice.strip() for choice in choices.split("|")]
            rules[name.removesuffix("+")] = earlier + added
    return rules


def fill(template: str, rules: Rules, fake: Faker) -> list[Piece]:
    """Replace the slots of a template, recursively.

    template: Text with slots.
    rules: The alternatives for each slot.
    fake: Chooses alternatives, and generates values for slots without a rule.
    RETURNS: Pieces of text, each with the label of its entity, or "" for none.
    """
    pieces = []
    # The odd items are the names of the slots.
    for i, part in enumerate(re.split(r"\{(.+?)\}", template)):
        if i % 2 == 0:
            pieces.append((fake.numerify(part), ""))
        elif part not in rules:
            pieces.append((getattr(fake, part)(), ""))
        else:
            inner = fill(fake.random.choice(rules[part]), rules, fake)
            if part[0].isupper():
                # One entity, however many pieces it consists of.
                inner = [("".join(text for text, _ in inner), part.partition(".")[0])]
            pieces += inner
    return pieces


def make_sentences(rules: Rules, fake: Faker, number: int) -> dict[str, list[Piece]]:
    """Generate this many different sentences, by their texts."""
    sentences: dict[str, list[Piece]] = {}
    while len(sentences) < number:
        pieces = fill("{sentence}", rules, fake)
        entities = [text for text, label in pieces if label]
        if len(set(entities)) < len(entities):
            continue  # a repeated entity sounds unnatural
        sentences["".join(text for text, _ in pieces)] = pieces
    return sentences


def add_noise(pieces: list[Piece], share: float, rng: random.Random) -> list[Piece]:
    """Make the annotation of some entities wrong, in one of three ways:

    - missed: it is not annotated; not the first entity of a sentence;
    - boundary: it lacks its last character, or its first one, which belongs to the
      entity before if they touch; not if it has less than three;
    - type: it has the type of `CONFUSED`.

    pieces: A sentence.
    share: The probability of an entity to become wrong, if one of the ways is possible.
    rng: Makes the choices.
    RETURNS: The same text with other entities.
    """
    noisy: list[Piece] = []
    for text, label in pieces:
        kinds = []
        if label and rng.random() < share:
            kinds += ["missed"] * any(label for _, label in noisy)
            kinds += ["last", "first"] * (len(text) > 2)
            if label in CONFUSED and len(text) <= SHORT and not text.endswith(ENDINGS):
                kinds.append("type")
        kind = rng.choice(kinds) if kinds else ""
        if kind == "missed":
            noisy.append((text, ""))
        elif kind == "last":
            noisy += [(text[:-1], label), (text[-1], "")]
        elif kind == "first":
            before, label_before = noisy.pop() if noisy else ("", "")
            noisy += [(before + text[0], label_before), (text[1:], label)]
        elif kind == "type":
            noisy.append((text, CONFUSED[label]))
        else:
            noisy.append((text, label))
    return noisy


def to_tags(pieces: list[Piece]) -> list[str]:
    """Return one BIO tag per character."""
    tags = []
    for text, label in pieces:
        if label:
            tags += [f"B-{label}"] + [f"I-{label}"] * (len(text) - 1)
        else:
            tags += ["O"] * len(text)
    return tags


@exit_on_error()
def make_sample(
    out: Annotated[
        Path, typer.Argument(help="Folder for the files", show_default="assets/sample")
    ] = SAMPLE,
    records: Annotated[int, typer.Option(min=1, help="Sentences in each file")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the random choices")] = 0,
    noise: Annotated[bool, typer.Option(help="Make some annotation wrong")] = True,
) -> None:
    """Generate small labeled data sets from sentence patterns and invented names.

    resume.json and easy.json contain JSON lines in which the text is a string; news.txt
    contains Python literals in which it is a list of characters. easy.json has no
    noise. All people, companies and events are fictitious. The same seed and version
    of Faker generate the same files.
    """
    part_of = split_records(records, parse_split(SPLIT), int(SPLIT_SEED))
    with AtomicSet() as files:
        for name, grammars in FILES.items():
            fake = Faker("zh_CN")
            fake.seed_instance(seed)
            sentences = make_sentences(read_rules(*grammars), fake, records)
            # Without noise, the texts are the same.
            rng = random.Random(seed)
            with files.add(out / name).open(
                "w", encoding="utf-8", newline="\n"
            ) as file:
                for part, (text, pieces) in zip(
                    part_of, sentences.items(), strict=True
                ):
                    if noise and name != EASY:
                        pieces = add_noise(pieces, NOISE[PARTS[part]], rng)
                    tags = to_tags(pieces)
                    if name.endswith(".json"):
                        record = {"text": text, "labels": tags}
                        file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    else:
                        record = {"text": list(text), "labels": tags}
                        file.write(repr(record) + "\n")


if __name__ == "__main__":
    typer.run(make_sample)
