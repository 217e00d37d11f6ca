"""The steps of `python -m spacy project run release` that are not commands:

check       stop unless a pipeline that was trained on a data set may be released
pipeline    package a trained pipeline with its license and model card
notes       print the release notes of a version, from CHANGELOG.md
sum-up      check what is in the folder, and write the notes and SHA256SUMS

`assets/datasets.yml` says what may be released, and what the cards say.
"""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from configparser import RawConfigParser
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer

from spacy_lstm_ner.util.atomic import AtomicSet

ROOT = Path(__file__).parents[1]
DATASETS = ROOT / "assets" / "datasets.yml"
CHECKSUMS = "SHA256SUMS"
NOTES = "RELEASE_NOTES.md"
UNRELEASED = "Unreleased"
AUTHOR = "The spacy_lstm_ner developers"
# A lexicon of a pipeline contains words of this dictionary.
JIEBA_LEXICON = "spacy-lstm-ner.JiebaLexicon.v1"
JIEBA = {
    "name": "dictionary of jieba",
    "url": "https://github.com/fxsjy/jieba",
    "author": "Sun Junyi",
    "license": "MIT",
}

app = typer.Typer(help=__doc__, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def check(dataset: str) -> None:
    """Stop unless a pipeline that was trained on a data set may be released."""
    facts = require_license(dataset)
    print(f"A pipeline trained on {dataset} may be released: {facts['reason']}")


@app.command()
def pipeline(
    dataset: str,
    model: Path,
    scores: Path,
    output: Path,
    name: Annotated[str, typer.Option()],
    version: Annotated[str, typer.Option()],
) -> None:
    """Package a trained pipeline with its license and model card. The wheel, the card
    and the license are written to a folder, together or not at all."""
    # The other steps do without spaCy, and take no time.
    from spacy_lstm_ner.sharing.card import package_name, wheel_name, write_card

    facts = require_license(dataset)
    with tempfile.TemporaryDirectory() as temporary:
        # A copy: the trained pipeline stays as it is.
        folder = Path(shutil.copytree(model, Path(temporary, "model")))
        about = {
            **facts["about"],
            "author": AUTHOR,
            "url": urls()["Documentation"],
            "machine": machine(),
            "citation": citation(),
        }
        add_sources(folder)
        card = write_card(
            folder, scores=scores, about=about, name=name, version=version
        )
        meta = srsly.read_json(folder / "meta.json")
        license = ROOT / facts["license_file"]
        shutil.copy(license, folder / "LICENSE")
        (folder / "LICENSES_SOURCES").write_text(list_licenses(meta), "utf8")
        run("spacy", "package", folder, temporary, "--build", "wheel")
        title = f"{package_name(meta)}-{version}"
        wheel = Path(temporary, title, "dist", wheel_name(meta))
        with AtomicSet() as files:
            shutil.copy(wheel, files.add(output / wheel.name))
            shutil.copy(card, files.add(output / f"{title}.md"))
            shutil.copy(license, files.add(output / f"{title}-LICENSE.txt"))
    print(f"Written: {output / wheel.name}, with {title}.md and {title}-LICENSE.txt")


@app.command()
def notes(
    tag: Annotated[
        str, typer.Option(help="The tag of the release, such as v1.2.0")
    ] = "",
) -> None:
    """Print the release notes. With a tag, it has to be the version of setup.cfg, and
    CHANGELOG.md has to have a section for it, and nothing that is unreleased."""
    version = read_setup()["metadata"]["version"]
    if tag and tag != f"v{version}":
        raise ValueError(
            f"The tag is {tag}, and the version in setup.cfg is {version}: "
            f"set both to the same version."
        )
    print(release_notes(version, is_release=bool(tag)), end="")


@app.command("sum-up")
def sum_up(folder: Path) -> None:
    """Check what a release has to consist of, and write the notes and the checksums."""
    version = read_setup()["metadata"]["version"]
    for pattern, what in (
        (f"spacy_lstm_ner-{version}-*.whl", "the wheel of the package"),
        (f"spacy_lstm_ner-{version}.tar.gz", "the source distribution"),
        ("zh_*.whl", "a wheel of a Chinese pipeline"),
        ("zh_*.md", "its model card"),
    ):
        if not list(folder.glob(pattern)):
            raise OSError(f"{folder} lacks {what}, {pattern}.")
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.name not in (CHECKSUMS, NOTES)
    )
    text = release_notes(version, is_release=False)
    sums = [(sha256(path.read_bytes()), path.name) for path in files]
    sums.append((sha256(text.encode()), NOTES))
    with AtomicSet() as new:
        new.add(folder / NOTES).write_text(text, "utf8", newline="\n")
        lines = "".join(f"{digest}  {name}\n" for digest, name in sorted(sums))
        new.add(folder / CHECKSUMS).write_text(lines, "utf8", newline="\n")
    for path in files:
        print(f"{path.stat().st_size:>12,} {path.name}")
    print(f"Written: {folder / NOTES}, {folder / CHECKSUMS}")


def require_license(dataset: str) -> dict[str, Any]:
    """RETURNS: What is known about a data set.
    RAISES (ValueError): If a pipeline that was trained on it may not be released."""
    known: dict[str, Any] = srsly.read_yaml(DATASETS)
    if dataset not in known:
        raise ValueError(
            f"No data set {dataset!r} in {DATASETS.relative_to(ROOT)}: choose one of "
            f"{', '.join(known)}, or describe it there, with its license."
        )
    facts: dict[str, Any] = known[dataset]
    if not facts["may_release"]:
        allowed = [name for name, each in known.items() if each["may_release"]]
        raise ValueError(
            f"A pipeline trained on {dataset} may not be released. {facts['reason']}\n"
            f"Choose {' or '.join(allowed)} (--vars.dataset). For your own use, "
            f"`python -m spacy project run package` makes a package."
        )
    return facts


def add_sources(folder: Path) -> None:
    """Name the dictionary whose words a pipeline contains."""
    if JIEBA_LEXICON in (folder / "config.cfg").read_text("utf8"):
        meta = srsly.read_json(folder / "meta.json")
        meta["sources"] = [*(meta.get("sources") or []), JIEBA]
        srsly.write_json(folder / "meta.json", meta)


def list_licenses(meta: dict[str, Any]) -> str:
    """The file LICENSES_SOURCES, which spaCy's own pipelines have, too."""
    return "\n".join(
        f"{source['name']}\n"
        + "".join(
            f"  {key}: {source[key]}\n"
            for key in ("author", "url", "license")
            if source.get(key)
        )
        for source in meta.get("sources") or []
    )


def machine() -> str:
    """Where the speed was measured."""
    from spacy_lstm_ner.kernels import instruction_set

    cpu = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text("utf8")
        cpu = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)[1]  # type: ignore[index]
    except (OSError, TypeError):
        pass
    kernels = instruction_set()
    return f"{cpu}, {f'kernels for {kernels}' if kernels else 'without kernels'}"


def citation() -> str:
    """BibTeX, from CITATION.cff."""
    cff = srsly.read_yaml(ROOT / "CITATION.cff")
    return (
        "@software{spacy_lstm_ner,\n"
        f"  title = {{{cff['title']}}},\n"
        f"  author = {{{{{cff['authors'][0]['name']}}}}},\n"
        f"  year = {{{str(cff['date-released'])[:4]}}},\n"
        f"  url = {{{cff['repository-code']}}},\n"
        "}"
    )


def release_notes(version: str, *, is_release: bool) -> str:
    """The section of a version in CHANGELOG.md. If there are unreleased changes, those,
    and an error for a release."""
    text = (ROOT / "CHANGELOG.md").read_text("utf8")
    parts = re.split(r"^## \[(.+?)\](?: - (.+))?\n", text, flags=re.MULTILINE)[1:]
    sections = {
        name: (date, re.sub(r"^\[.+?\]: .+\n?", "", body, flags=re.MULTILINE).strip())
        for name, date, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }
    _, unreleased = sections.get(UNRELEASED, (None, ""))
    if unreleased and is_release:
        raise ValueError(
            f"CHANGELOG.md has changes under {UNRELEASED}: move them to a section "
            f"'## [{version}] - DATE'."
        )
    if unreleased:
        return f"# spacy_lstm_ner, changes after {version}\n\n{unreleased}\n"
    if version not in sections:
        raise ValueError(f"CHANGELOG.md has no section '## [{version}] - DATE'.")
    date, body = sections[version]
    return f"# spacy_lstm_ner {version} ({date})\n\n{body}\n"


def read_setup() -> RawConfigParser:
    setup = RawConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    return setup


def urls() -> dict[str, str]:
    lines = read_setup()["metadata"]["project_urls"].strip().splitlines()
    return dict(re.split(r"\s*=\s*", line.strip(), maxsplit=1) for line in lines)  # type: ignore[misc]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def run(module: str, *arguments: Path | str) -> None:
    """Run a module with this Python, and exit with its code if it fails."""
    sys.stdout.flush()
    command = [sys.executable, "-m", module, *map(str, arguments)]
    if code := subprocess.run(command).returncode:
        raise SystemExit(code)


if __name__ == "__main__":
    try:
        app()
    except (OSError, ValueError) as error:
        sys.exit(f"✘ {error}")
