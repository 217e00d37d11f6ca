"""Files are written whole or not at all, whatever happens."""

import errno
import linecache
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from types import CodeType

import pytest

from spacy_lstm_ner.exceptions import PartlyWrittenError
from spacy_lstm_ner.util.atomic import AtomicSet, atomic_write

from ..helpers.disks import full_disk, immutable, posix
from ..helpers.processes import heed_signals

HIDDEN = ".lstm-ner-*.tmp"


def content(folder: Path) -> dict[str, str]:
    """All files of a folder, hidden ones, too."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf8")
        for path in folder.rglob("*")
        if path.is_file()
    }


# One file


@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_is_written_completely_or_not_at_all(tmp_path, old):
    path = tmp_path / "a.txt"
    if old:
        path.write_text(old)
    for error in (ValueError("no"), KeyboardInterrupt(), SystemExit(143)):
        with pytest.raises(type(error)), atomic_write(path) as new:
            new.write_text("half")
            raise error
        assert content(tmp_path) == ({"a.txt": old} if old else {})
    with atomic_write(str(path)) as new:
        new.write_text("new")
        assert content(tmp_path).get("a.txt") == old
    assert content(tmp_path) == {"a.txt": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folders_are_created_but_not_after_an_error(tmp_path):
    path = tmp_path / "some" / "where" / "a.txt"
    with pytest.raises(ValueError), atomic_write(path) as new:
        new.write_text("new")
        raise ValueError
    assert list(tmp_path.iterdir()) == []
    with atomic_write(path) as new:
        new.write_text("new")
    assert path.read_text() == "new"


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "pipeline"
    for name in ("a", "b"):
        with atomic_write(path, replace_folder=True) as new:
            new.mkdir()
            (new / name).write_text(name)
        assert content(tmp_path) == {f"pipeline/{name}": name}
    is_told = pytest.raises(OSError, match="pipeline is a folder: give the path")
    with is_told, atomic_write(path):
        raise AssertionError("not before something long is computed")
    # One in place of the other.
    with atomic_write(path, replace_folder=True) as new:
        new.write_text("file")
    with atomic_write(path) as new:
        new.mkdir()
    assert list(tmp_path.rglob("*")) == [path] and path.is_dir()


def test_a_file_that_was_not_written_is_an_error(tmp_path):
    is_told = pytest.raises(OSError, match=r"a\.txt: the file was not written")
    with is_told, atomic_write(tmp_path / "a.txt"):
        pass


@posix
def test_permissions_are_kept_or_set_by_the_umask(tmp_path):
    path = tmp_path / "a.txt"
    before = os.umask(0o027)
    try:
        with atomic_write(path) as new:
            new.write_text("new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        with atomic_write(path) as new:
            new.write_text("new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


@posix
def test_targets_of_symbolic_links_are_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    for text in ("to a file that is not there yet", "to a file"):
        with atomic_write(link) as new:
            new.write_text(text)
        assert link.is_symlink() and target.read_text() == text
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="loop"), atomic_write(loop):
        pass
    assert loop.is_symlink()


@posix
def test_devices_and_pipes_are_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as new:
        new.write_text("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    with atomic_write("/dev/null") as new:
        new.write_text("gone")
    assert Path("/dev/null").is_char_device()
    code = """
        from spacy_lstm_ner.util.atomic import atomic_write
        print("before", flush=True)
        with atomic_write("/dev/stdout") as new:
            new.write_text("written")
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    for target in (subprocess.PIPE, (tmp_path / "out.txt").open("w")):
        done = subprocess.run(command, stdout=target, check=True)
        got = done.stdout or (tmp_path / "out.txt").read_bytes()
        assert got == b"before\nwritten"


# Several files


def write_three(folder: Path, text: str) -> None:
    with AtomicSet() as files:
        for name in ("a", "b", "c"):
            files.add(folder / name).write_text(text)


def test_all_files_of_a_set_or_none_are_written(tmp_path):
    with pytest.raises(ValueError), AtomicSet() as files:
        files.add(tmp_path / "a").write_text("new")
        files.add(tmp_path / "b").write_text("new")
        raise ValueError
    assert list(tmp_path.iterdir()) == []
    write_three(tmp_path, "new")
    assert content(tmp_path) == dict.fromkeys("abc", "new")
    with (
        pytest.raises(OSError, match="is given twice as an output file"),
        AtomicSet() as files,
    ):
        files.add(tmp_path / "a").write_text("1")
        files.add(tmp_path / "." / "a").write_text("2")
    assert content(tmp_path) == dict.fromkeys("abc", "new")


@pytest.mark.parametrize("there", ["", "a", "abc"])
@pytest.mark.parametrize("links", [True, False])
def test_replaced_files_are_restored(tmp_path, monkeypatch, there, links):
    """The last one cannot be replaced, with hard links and without."""
    folder = tmp_path / "new"
    if there:
        folder.mkdir()
    for name in there:
        (folder / name).write_text("old")
    if not links:

        def no_links(*args, **kwargs):
            raise PermissionError(errno.EPERM, "no hard links")

        monkeypatch.setattr(os, "link", no_links)
    before = content(tmp_path)
    replace = os.replace

    def fail_at_c(source, target):
        if Path(target) == folder / "c" and Path(source).read_text() == "new":
            raise PermissionError(errno.EPERM, "Not permitted", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_c)
    with pytest.raises(PermissionError) as error:
        write_three(folder, "new")
    assert error.value.filename == str(folder / "c")
    assert content(tmp_path) == before
    assert folder.exists() == bool(there)
    assert not list(tmp_path.rglob(HIDDEN))


@pytest.mark.parametrize("step", range(1, 20))
def test_an_interrupt_at_any_step_of_the_commit(tmp_path, monkeypatch, step):
    """Files and folders, old and new."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part").write_text("old")
    (tmp_path / "file").write_text("old")
    before = content(tmp_path)
    count = 0

    def interrupted(function, after):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == step and not after:
                raise KeyboardInterrupt
            result = function(*args, **kwargs)
            if count == step and after:
                raise KeyboardInterrupt
            return result

        return call

    after = bool(step % 2)
    for name in ("replace", "link", "fsync"):
        monkeypatch.setattr(os, name, interrupted(getattr(os, name), after))
    try:
        with AtomicSet() as files:
            for name in ("folder", "other"):
                new = files.add(tmp_path / name, replace_folder=True)
                new.mkdir()
                (new / "part").write_text("new")
            files.add(tmp_path / "file").write_text("new")
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    after_it = content(tmp_path)
    assert after_it == before or set(after_it.values()) == {"new"}
    assert not list(tmp_path.glob(HIDDEN))


# Nothing guards the way into a guard.
GUARDS = (
    "try:",
    "self.discard()",
    "except BaseException as error:",
    "self._undo(error)",
    "problems: list[str] | None = None",
    "while problems is None:",
    "with suppress(KeyboardInterrupt, SystemExit), _uninterrupted():",
)


@pytest.mark.parametrize(("n_files", "fails"), [(1, False), (2, False), (2, True)])
def test_an_interrupt_anywhere(tmp_path, monkeypatch, n_files, fails):
    """Of the module, and of what it calls in the standard library; also while the first
    file is restored, since the second one cannot be replaced. A signal is handled
    between two lines of Python."""
    replace = os.replace

    def replace_first(source, target):
        if "new" in Path(source).parts and Path(target).name == "1":
            raise PermissionError(errno.EPERM, "Not permitted")
        replace(source, target)

    if fails:
        monkeypatch.setattr(os, "replace", replace_first)
    targets = [tmp_path / str(i) for i in range(n_files)]
    seen: Counter[tuple[CodeType, int]] = Counter()
    done: set[tuple[CodeType, int, int]] = set()
    last = None

    def trace(frame, event, argument):
        nonlocal last
        file = Path(frame.f_code.co_filename)
        if file.name not in ("atomic.py", "shutil.py"):
            return None
        where = (frame.f_code, frame.f_lineno)
        line = linecache.getline(str(file), frame.f_lineno).strip()
        if event == "line" and line not in GUARDS:
            seen[where] += 1
            if (*where, seen[where]) not in done and seen[where] < 3:
                last = (*where, seen[where])
                done.add(last)
                signal.raise_signal(signal.SIGINT)
        return trace

    while True:
        seen.clear()
        before = len(done)
        for target in targets:
            target.write_text("old")
        try:
            with AtomicSet() as files:
                sys.settrace(trace)
                for target in targets:
                    files.add(target).write_text("new")
        except KeyboardInterrupt:
            pass
        except PermissionError:
            assert fails
        finally:
            sys.settrace(None)
        assert len({target.read_text() for target in targets}) == 1, last
        assert not list(tmp_path.glob(HIDDEN)), last
        if len(done) == before:
            break
    assert len(done) > 60
    assert {target.read_text() for target in targets} == {"old" if fails else "new"}


def test_files_that_cannot_be_restored_are_reported_and_kept(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").write_text("old")
    replace = os.replace
    moved = []

    def fail(source, target):
        if moved:
            raise PermissionError(errno.EPERM, "Not permitted")
        replace(source, target)
        moved.append(target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PartlyWrittenError) as error, AtomicSet() as files:
        files.add(tmp_path / "a").write_text("new")
        files.add(tmp_path / "b").write_text("new")
    said = str(error.value)
    assert f"{tmp_path / 'a'} could not be restored" in said
    rest = said.partition("a could not be restored")[2]
    kept = Path(rest.split("the old content is in ")[1].split("\n")[0])
    assert kept.read_text() == "old" and (tmp_path / "a").read_text() == "new"
    assert (tmp_path / "b").read_text() == "old"
    # Nor does a later run remove it.
    monkeypatch.undo()
    (hidden,) = tmp_path.glob(HIDDEN)
    os.utime(hidden, (0, 0))
    write_three(tmp_path, "new")
    assert kept.read_text() == "old"


@posix
def test_an_immutable_file_in_a_set(tmp_path):
    write_three(tmp_path, "old")
    with immutable(tmp_path / "b"), pytest.raises(PermissionError) as error:
        write_three(tmp_path, "new")
    assert error.value.filename == str(tmp_path / "b")
    assert content(tmp_path) == dict.fromkeys("abc", "old")
    assert len(list(tmp_path.iterdir())) == 3


@posix
def test_a_file_that_is_a_mount_point(tmp_path):
    """As in containers."""
    write_three(tmp_path, "old")
    other = tmp_path / "b"
    try:
        done = subprocess.run(["mount", "--bind", other, other], capture_output=True)
    except OSError as error:
        pytest.skip(f"mount cannot be run: {error}")
    if done.returncode:
        pytest.skip("no file can be mounted")
    try:
        with pytest.raises(OSError) as error:
            write_three(tmp_path, "new")
        assert error.value.filename == str(other)
        assert content(tmp_path) == dict.fromkeys("abc", "old")
    finally:
        subprocess.run(["umount", other], check=True)


# What the system does


@posix
@pytest.mark.parametrize("large", ["a", "b"])
def test_a_full_disk_is_reported_and_nothing_is_lost(tmp_path, large):
    with full_disk(tmp_path / "disk") as disk:
        for name in "ab":
            (disk / name).write_text("old")
        with pytest.raises(OSError) as error, AtomicSet() as files:
            for name in "ab":
                with files.add(disk / name).open("w") as file:
                    file.write("new" * (100_000 if name == large else 1))
        assert error.value.errno == errno.ENOSPC
        assert error.value.filename == str(disk / large if large == "a" else disk)
        with pytest.raises(OSError) as error, atomic_write(disk / "a") as new:
            new.write_bytes(b"0" * 1_000_000)
        assert error.value.filename == str(disk / "a")
        assert content(disk) == {"a": "old", "b": "old"}
        assert len(list(disk.iterdir())) == 2


@posix
def test_no_inodes_left(tmp_path):
    """The hidden folder cannot be created either."""
    with full_disk(tmp_path / "disk", "64k,nr_inodes=3") as disk:
        (disk / "a").write_text("old")
        (disk / "b").write_text("old")
        with pytest.raises(OSError) as error, atomic_write(disk / "a") as new:
            new.write_text("new")
        assert error.value.filename == str(disk / "a")
        assert content(disk) == {"a": "old", "b": "old"}


def in_process(code: str, *args: object, **settings) -> subprocess.Popen:
    code = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        + (
            "from spacy_lstm_ner.util.atomic import AtomicSet, atomic_write\n"
            "from spacy_lstm_ner.util import atomic\n"
        )
        + textwrap.dedent(code)
    )
    command = [sys.executable, "-c", code, *map(str, args)]
    settings = {"stdout": subprocess.PIPE, "text": True, **settings}
    return subprocess.Popen(command, preexec_fn=heed_signals, **settings)


@posix
def test_limit_of_the_file_size(tmp_path):
    (tmp_path / "a").write_text("old")
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with atomic_write(sys.argv[1]) as new:
                new.write_text("new" * 1000)
        except OSError as error:
            print(error.filename)
    """
    process = in_process(code, tmp_path / "a")
    assert process.communicate()[0] == f"{tmp_path / 'a'}\n"
    assert content(tmp_path) == {"a": "old"}


@posix
def test_read_only_folder(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "a").write_text("old")
    folder.chmod(0o555)
    try:
        try:
            (folder / "test").touch()
        except OSError:
            with pytest.raises(PermissionError) as error, atomic_write(folder / "a"):
                pass
        else:  # as root
            (folder / "test").unlink()
            is_told = pytest.raises(OSError)
            with immutable(folder), is_told as error, atomic_write(folder / "a"):
                pass
        assert error.value.filename == str(folder / "a")
    finally:
        folder.chmod(0o755)
    assert content(folder) == {"a": "old"}


WRITE_SLOWLY = """
    with AtomicSet() as files:
        for name in "ab":
            new = files.add(Path(sys.argv[1]) / name)
            new.write_text("half")
        print("begun", flush=True)
        time.sleep(60)
"""


@posix
def test_kill_keeps_the_old_files_and_later_runs_clean_up(tmp_path):
    write_three(tmp_path, "old")
    process = in_process(WRITE_SLOWLY, tmp_path)
    assert process.stdout.readline() == "begun\n"
    # Not that of a process that runs, however old it looks.
    (hidden,) = tmp_path.glob(HIDDEN)
    os.utime(hidden, (0, 0))
    write_three(tmp_path, "old")
    assert hidden.exists()
    process.kill()
    process.communicate()
    shown = {path.name for path in tmp_path.iterdir() if path.name[0] != "."}
    assert shown == set("abc")
    assert {(tmp_path / name).read_text() for name in "abc"} == {"old"}
    assert list(tmp_path.glob(HIDDEN)) == [hidden]
    os.utime(hidden, None)
    write_three(tmp_path, "new")
    assert hidden.exists(), "it may belong to a process that has just begun"
    os.utime(hidden, (0, 0))
    write_three(tmp_path, "new")
    assert content(tmp_path) == dict.fromkeys("abc", "new")
    assert not hidden.exists()


@posix
@pytest.mark.parametrize("step", range(1, 9))
def test_kill_during_the_commit(tmp_path, step):
    """No file is ever missing or incomplete, and the old ones are kept."""
    write_three(tmp_path, "old")
    code = """
        count = 0
        def killed(function):
            def call(*args, **kwargs):
                global count
                count += 1
                if count == int(sys.argv[2]):
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)
            return call
        for name in ("link", "replace"):
            setattr(os, name, killed(getattr(os, name)))
        with AtomicSet() as files:
            for name in "abc":
                files.add(Path(sys.argv[1]) / name).write_text("new")
    """
    in_process(code, tmp_path, step).communicate()
    now = [(tmp_path / name).read_text() for name in "abc"]
    assert set(now) <= {"old", "new"}
    if "new" in now and "old" in now:
        (hidden,) = tmp_path.glob(HIDDEN)
        os.utime(hidden, (0, 0))
        (tmp_path / "more").mkdir()
        with atomic_write(tmp_path / "d") as new:
            new.write_text("new")
        kept = {path.name: path.read_text() for path in hidden.glob("old/*/*")}
        for name, text in zip("abc", now, strict=True):
            assert text == "old" or kept[name] == "old"


@posix
def test_the_library_sets_no_signal_handlers(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with atomic_write(tmp_path / "a") as new:
        new.write_text("new")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == (
            before
        )


@posix
@pytest.mark.parametrize(
    ("number", "code"),
    [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)],
)
def test_signals_end_commands_without_temporary_files(tmp_path, number, code):
    write_three(tmp_path, "old")
    body = textwrap.indent(textwrap.dedent(WRITE_SLOWLY), "    ")
    program = (
        "import typer\nfrom spacy_lstm_ner.cli.exit import exit_on_error\n"
        f"@exit_on_error()\ndef main():\n{body}\n"
        "sys.argv, arguments = sys.argv[:2], None\n"
        "app = typer.Typer()\napp.command()(main)\napp(args=[])\n"
    )
    process = in_process(program, tmp_path, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(getattr(signal, number))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert content(tmp_path) == dict.fromkeys("abc", "old")


def test_other_old_files_are_not_removed(tmp_path):
    """Whatever their name and age."""
    (tmp_path / ".lstm-ner-mine.tmp").write_text("mine")
    (tmp_path / ".lstm-ner-folder.tmp").mkdir()
    (tmp_path / ".lstm-ner-folder.tmp" / "notes").write_text("mine")
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    with atomic_write(tmp_path / "a") as new:
        new.write_text("new")
    assert len(content(tmp_path)) == 3
