"""Commands write whole or not at all, and end as commands should."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)

from .helpers.disks import full_disk, immutable, posix
from .helpers.paths import REPOSITORY
from .helpers.pipelines import SMALL_MODEL, loaded_again
from .helpers.processes import heed_signals

HIDDEN = ".lstm-ner-*.tmp"

RESUME = Path(__file__).parent / "data" / "resume.jsonl"
COMMAND = [sys.executable, "-m", "spacy", "lstm-ner"]


def run(*args: object):
    result = CliRunner().invoke(app, ["lstm-ner", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result.exit_code, " ".join(result.output.split())


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """With model/, of two components, and dev.spacy."""
    folder = tmp_path_factory.mktemp("files")
    nlp = loaded_again(trained)
    settings = {"model": SMALL_MODEL, "overwrite": True}
    second = nlp.add_pipe("lstm_ner", name="second", config=settings)
    second.from_bytes(nlp.get_pipe("lstm_ner").to_bytes(exclude=["vocab"]))
    second.overwrite = True
    nlp.to_disk(folder / "model")
    code, _ = run("convert", REPOSITORY / "assets/sample/easy.json", "-n", 120,
                  folder / "dev.spacy")  # fmt: skip
    assert code == 0
    return folder


@pytest.fixture
def model(folder):
    """The same, with all files as they were at the end."""
    before = content(folder)
    yield folder / "model"
    for name, data in before.items():
        (folder / name).write_bytes(data)


# A limit, a full disk, an immutable file


@posix
def test_calibrate_under_a_limit_leaves_the_pipeline_unchanged(folder, model):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))

    before = content(model)
    done = subprocess.run(
        [*COMMAND, "calibrate", model, folder / "dev.spacy"],
        **{"preexec_fn": limit, "capture_output": True, "text": True},
    )
    assert done.returncode == 1
    assert str(model) in done.stdout and "File too large" in done.stdout
    assert "The pipeline was not modified." in done.stdout
    assert content(model) == before
    assert spacy.load(model).pipe_names == ["lstm_ner", "second"]


def test_calibrate_changes_one_file_for_each_component(folder, model):
    before = content(model)
    code, output = run("calibrate", model, folder / "dev.spacy")
    assert code == 0, output
    after = content(model)
    assert before.keys() == after.keys()
    changed = [name for name in before if before[name] != after[name]]
    assert sorted(changed) == ["lstm_ner/cfg", "second/cfg"]
    assert spacy.load(model).get_pipe("second").temperature != 1.0


@posix
@pytest.mark.parametrize("fixed", ["lstm_ner", "second"])
def test_calibrate_all_components_or_none(folder, model, fixed):
    before = content(model)
    with immutable(model / fixed / "cfg"):
        code, output = run("calibrate", model, folder / "dev.spacy")
    assert code == 1
    assert f"{model / fixed / 'cfg'}: Operation not permitted" in output
    assert "The pipeline was not modified." in output
    assert content(model) == before


@posix
@pytest.mark.parametrize("fixed", ["train", "dev", "test"])
def test_split_if_one_file_cannot_be_replaced(tmp_path, fixed):
    sample = REPOSITORY / "assets" / "sample"
    split = "--split", "80/10/10"
    assert run("convert", sample / "resume.json", tmp_path / "out", *split)[0] == 0
    before = content(tmp_path)
    with immutable(tmp_path / "out" / f"{fixed}.spacy"):
        code, output = run("convert", sample / "news.txt", tmp_path / "out", *split)
    assert code == 1
    assert f"{fixed}.spacy: Operation not permitted" in output
    assert "Nothing was written." in output
    assert content(tmp_path) == before


@posix
def test_full_disk_is_reported(folder, tmp_path):
    model, dev = folder / "model", folder / "dev.spacy"
    # The disk takes no more than what is there.
    with full_disk(tmp_path / "disk", "8k") as disk:
        for name in ("out.spacy", "out.json"):
            (disk / name).write_text("old")
        for args, name in (
            (("convert", RESUME), "out.spacy"),
            (("evaluate", model, dev, "--output"), "out.json"),
            (("errors", model, dev, "--quiet", "--output"), "out.json"),
            (("gates", model, "王芳任教授。", "--quiet"), "out.json"),
        ):
            code, output = run(*args, disk / name)
            assert code == 1, args
            assert f"{disk / name}: No space left on device" in output
        assert content(disk) == {"out.spacy": b"old", "out.json": b"old"}


@posix
def test_read_only_folder(folder, tmp_path):
    with immutable(tmp_path):
        for args in (
            ("convert", RESUME),
            ("evaluate", folder / "model", folder / "dev.spacy", "--output"),
        ):
            code, output = run(*args, tmp_path / "out.spacy")
            assert code == 1, args
            assert f"{tmp_path / 'out.spacy'}: " in output
            assert "not permitted" in output or "denied" in output


def test_unwritable_output_is_reported_at_once(folder, tmp_path):
    """Before a long computation. Folders are kept, and no other files are written."""
    for args in (
        ("evaluate", "no-model", folder / "dev.spacy", "--output"),
        ("errors", "no-model", folder / "dev.spacy", "--output"),
        ("report", "no-model", folder / "dev.spacy"),
        ("gates", "no-model", "王芳"),
    ):
        code, output = run(*args, tmp_path)
        message = f"{tmp_path} is a folder: give the path of a file."
        assert code == 1 and message in output
        code, output = run(*args, folder / "dev.spacy" / "out")
        assert code == 1 and "Not a directory" in output
    assert list(tmp_path.iterdir()) == []


def test_output_that_is_an_input_is_rejected(folder, tmp_path):
    data = tmp_path / "dev.spacy"
    shutil.copy(folder / "dev.spacy", data)
    link = tmp_path / "link.spacy"
    link.symlink_to(data)
    before = data.read_bytes()
    for args in (
        ("evaluate", "no-model", data, "--output", link),
        ("errors", "no-model", data, "--output", data),
        ("errors", "no-model", folder / "dev.spacy", "--train", data, "-o", data),
        ("report", "no-model", link, data),
        ("gates", "no-model", "王芳", data, "--corpus", data),
    ):
        code, output = run(*args)
        assert code == 1 and "is an input file: choose another output file" in output
    text = tmp_path / "text.spacy"
    text.write_text("王 B-P\n芳 I-P\n", "utf8")
    code, output = run("convert", text, text)
    assert code == 1 and "is an input file: choose another output file" in output
    assert data.read_bytes() == before and text.read_text("utf8")[0] == "王"


# Signals


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file that takes some seconds."""
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    line = json.dumps({"text": "王芳任教授。" * 20, "labels": ["B-A"] * 120})
    path.write_text(f"{line}\n" * 40_000, "utf8")
    return path


@posix
@pytest.mark.parametrize(
    ("number", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGKILL", -9)]
)
def test_convert_is_interrupted_while_writing(large, tmp_path, number, code):
    out = tmp_path / "out"
    split = "--split", "80/20"
    run("convert", REPOSITORY / "assets" / "sample" / "news.txt", out, *split)
    before = content(out)
    process = subprocess.Popen(
        [*COMMAND, "convert", large, out, *split, "--shard-size", "100"],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
        preexec_fn=heed_signals,
    )
    until = time.monotonic() + 60
    # Two shards are there, one half.
    while not list(tmp_path.rglob("part-00002.spacy")):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    process.send_signal(getattr(signal, number))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert output == "" and "Traceback" not in errors
    left = list(out.glob(HIDDEN))
    assert len(left) == (number == "SIGKILL")
    visible = {k: v for k, v in content(out).items() if not k.startswith(".")}
    assert visible == before
    for path in left:
        os.utime(path, (0, 0))
    # What training reads are not the leftovers.
    assert {path.name for path in spacy.training.corpus.walk_corpus(out, ".spacy")} == {
        "train.spacy",
        "dev.spacy",
    }
    code, _ = run("convert", RESUME, out / "test.spacy")
    assert code == 0 and not list(out.glob(HIDDEN))


@posix
def test_signal_handlers_are_restored_after_a_command(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    run("convert", RESUME, tmp_path / "out.spacy")
    assert signal.getsignal(signal.SIGTERM) == before


# Output


def closed_pipe(*args: object, lines: int) -> tuple[int, bytes, bytes]:
    """What a command does whose output is not read after so many lines."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    read = b"".join(process.stdout.readline() for _ in range(lines))
    process.stdout.close()
    errors = process.stderr.read()
    return process.wait(timeout=60), read, errors


@posix
@pytest.mark.parametrize("lines", [0, 2])
def test_closed_output_pipe(folder, tmp_path, lines):
    out = tmp_path / "errors.jsonl"
    args = folder / "model", folder / "dev.spacy", "--limit", 0, "--output", out
    code, _, errors = closed_pipe("errors", *args, lines=lines)
    # What is short may have been printed before.
    assert code in ((141,) if lines == 0 else (0, 141)) and errors == b""
    # The file is there all the same.
    assert out.read_text("utf8").endswith("\n")


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_printed_is_an_error(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "convert", RESUME, tmp_path / "out.spacy"],
            **{"stdout": full, "stderr": subprocess.PIPE, "text": True},
        )
    assert done.returncode == 1
    assert done.stderr == "Error: No space left on device\n"
    assert (tmp_path / "out.spacy").is_file()


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "check"])
def test_ascii_console(trained, tmp_path, command):
    """Labels and file names are Chinese, but the console only supports ASCII."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "姓名", "pattern": "王芳"}])
    nlp.to_disk(tmp_path / "模型")
    doc = nlp("王芳任教授")
    DocBin(docs=[doc]).to_disk(tmp_path / "数据.spacy")
    model = [tmp_path / "模型"] if command != "check" else []
    done = subprocess.run(
        [*COMMAND, command, *model, tmp_path / "数据.spacy"],
        **{"capture_output": True, "env": {**os.environ, "PYTHONIOENCODING": "ascii"}},
    )
    assert done.returncode == 0 and done.stderr == b"", done


# Errors


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError("Unable to allocate 6.4 GiB"), "Not enough memory: Unable to"),
        (MemoryError(), "Not enough memory"),
        (
            OSError(errno.EIO, "Input/output error", "data.txt"),
            "data.txt: Input/output",
        ),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "can't decode byte"),
        (RecursionError("too deep"), "too deep"),
        (OverflowError("too large"), "too large"),
        (ValueError("\x1b[31mred"), r"\x1b[31mred"),
        (ValueError(), "ValueError"),
    ],
)
def test_errors_end_with_a_message(monkeypatch, error, says):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("spacy_lstm_ner.evaluation.evaluate.evaluate", fail)
    code, output = run("evaluate", "model", "data")
    assert code == 1
    assert "Error:" in output and says in output


def test_bugs_are_not_hidden(monkeypatch):
    def fail(*args, **kwargs):
        raise AttributeError("a fault")

    monkeypatch.setattr("spacy_lstm_ner.evaluation.evaluate.evaluate", fail)
    result = CliRunner().invoke(app, ["lstm-ner", "evaluate", "model", "data"])
    assert isinstance(result.exception, AttributeError)


def test_ctrl_c(monkeypatch):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("spacy_lstm_ner.evaluation.evaluate.evaluate", fail)
    code, output = run("evaluate", "model", "data")
    assert code == 130 and output == ""


def test_missing_gpu_is_reported(folder):
    code, output = run("evaluate", folder / "model", folder / "dev.spacy", "-g", 77)
    assert code == 1 and "Error:" in output


BREAK = {
    "config.cfg": [b"", b"\xff\xfe", b"[nlp]\nlang = 1\n", b'[nlp]\nlang = "xx-no"\n'],
    "meta.json": [b"", b"[]", b"\xff"],
    "tokenizer/cfg": [b"", b"[1, 2]", b"\xff\x00"],
    "vocab/strings.json": [b"", b"{", b"7"],
    "vocab/vectors": [b"", b"not numpy"],
}


@pytest.mark.parametrize("name", BREAK)
def test_damaged_pipelines_are_reported(folder, model, name):
    for data in BREAK[name]:
        (model / name).write_bytes(data)
        for args in (
            ("evaluate", model, folder / "dev.spacy"),
            ("calibrate", model, folder / "dev.spacy"),
            ("errors", model, folder / "dev.spacy"),
            ("gates", model, "王芳", folder / "gates.html"),
        ):
            code, output = run(*args)
            if code:
                assert code == 1 and str(model) in output, (args, data, output)


def test_standard_input_that_is_not_text(folder, tmp_path):
    done = subprocess.run(
        [*COMMAND, "gates", folder / "model", "-", tmp_path / "gates.html"],
        input=b"\xff\xfe",
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert done.returncode == 1 and b"Standard input is not utf-8" in done.stdout
    assert not list(tmp_path.iterdir())
