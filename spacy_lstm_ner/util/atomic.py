"""Files that are written whole or not at all.

Everything is first written to a hidden folder beside its place, `.lstm-ner-….tmp`, and
moved from there at the end. What a process leaves behind that was killed can be
deleted, and a later one does: unless it has a folder `old`, with files that were about
to be replaced.
"""

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = ".lstm-ner-", ".tmp"
#: Whoever writes holds a lock on this file in the hidden folder.
_LOCK = "lock"
#: In seconds. A folder without a lock may also be one that is just being made.
_STALE_AFTER = 3600
#: What a write that has no room fails with. These errors do not name the file.
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class PartlyWrittenError(OSError):
    """Raised if only some of several files could be replaced, and the others could not
    be restored. The message says which. After any other error all files are unchanged.
    """


@dataclass
class _Entry:
    path: Path
    """As the caller names it."""
    target: Path
    """Where that is: symbolic links are followed."""
    new: Path
    old: Path
    """Where what is replaced is kept until all is in place."""
    is_device: bool
    had_old: bool = False
    new_folders: list[Path] = field(default_factory=list)


class AtomicSet:
    """Files and folders that are put in place together, or none of them.

        with AtomicSet() as files:
            files.add("train.spacy").write_bytes(train)
            files.add("dev.spacy").write_bytes(dev)

    They come to their places at the end of the block. After an exception in the block,
    or if one of them cannot be put in place, everything is as it was. A file that
    replaces another has its permissions. Symbolic links stay, and what they lead to is
    replaced; what is written for a device or a pipe, such as /dev/stdout, is copied to
    it.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        #: The hidden folders, by the folder that they are in; and their locks.
        self._folders: dict[Path, Path] = {}
        self._locks: list[int] = []

    def __enter__(self) -> "AtomicSet":
        return self

    def add(self, path: str | Path, *, replace_folder: bool = False) -> Path:
        """Announce a file or folder.

        path (str | Path): Where it will be.
        replace_folder (bool): Whether it may replace a folder.
        RETURNS (Path): Where to write it until then. The name is the same.
        RAISES (OSError): Where nothing can be written.
        """
        path = Path(path)
        with naming(path):
            is_device = _is_device(path)
            target = path if is_device else Path(os.path.realpath(path))
            if any(target == entry.target for entry in self._entries):
                raise OSError(f"{path}: named twice as a file to write.")
            if target.is_dir() and not replace_folder:
                raise OSError(f"{path} is a folder: name a file.")
            if target.is_symlink() and not is_device:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            folder = self._folder(
                Path(tempfile.gettempdir()) if is_device else _nearest_folder(target)
            )
            number = len(self._entries)
            entry = _Entry(
                path,
                target,
                new=folder / "new" / str(number) / target.name,
                old=folder / "old" / str(number) / target.name,
                is_device=is_device,
            )
            entry.new.parent.mkdir(parents=True)
        self._entries.append(entry)
        return entry.new

    def scratch(self, beside: str | Path) -> Path:
        """RETURNS (Path): A folder on the file system of the folder `beside`, for what
        is not kept."""
        with naming(beside):
            folder = self._folder(Path(beside)) / "scratch"
            folder.mkdir(exist_ok=True)
        return folder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._commit()
            elif isinstance(error, OSError):
                named = self._named(error)
                if named is not error:
                    raise named from error
        finally:
            self.discard()

    def _folder(self, beside: Path) -> Path:
        """The hidden folder in a folder: files can only be moved in one step within a
        file system."""
        if beside not in self._folders:
            _remove_stale(beside)
            folder = Path(tempfile.mkdtemp(_SUFFIX, _PREFIX, beside))
            self._folders[beside] = folder
            if fcntl:
                self._locks.append(os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR))
                # Where there are no locks, nobody removes what looks stale either.
                with suppress(OSError):
                    fcntl.flock(self._locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._folders[beside]

    def _named(self, error: OSError) -> OSError:
        """An error of the block, with the path that the caller knows."""
        if isinstance(error.filename, str | os.PathLike):
            failed = Path(error.filename)
            for entry in self._entries:
                if failed == entry.new or entry.new in failed.parents:
                    return _with_path(error, entry.path)
        elif error.filename is None and error.errno in _NO_ROOM and self._entries:
            paths = [entry.path for entry in self._entries]
            return _with_path(error, paths[0] if len(paths) == 1 else paths[0].parent)
        return error

    def _commit(self) -> None:
        for entry in self._entries:
            if not os.path.lexists(entry.new):
                raise FileNotFoundError(f"{entry.path}: no such file was made.")
        # What cannot be undone comes last.
        self._entries.sort(key=lambda entry: entry.is_device)
        try:
            for entry in self._entries:
                with naming(entry.path):
                    _prepare(entry)
            for entry in self._entries:
                with naming(entry.path):
                    self._put_in_place(entry)
        except BaseException as error:
            # An interrupt may come at any moment, after the last one, too.
            if any(os.path.lexists(entry.new) for entry in self._entries):
                self._undo(error)
            raise
        for folder in {entry.target.parent for entry in self._entries}:
            _sync(folder, required=False)

    def _put_in_place(self, entry: _Entry) -> None:
        if entry.is_device:
            # What /dev/stdout leads to may be a file, which is not emptied.
            device = os.open(entry.path, os.O_WRONLY | os.O_APPEND)
            with entry.new.open("rb") as source, open(device, "wb") as sink:
                shutil.copyfileobj(source, sink)
            entry.new.unlink()
            return
        for folder in reversed([p for p in entry.target.parents if not p.exists()]):
            folder.mkdir()
            entry.new_folders.append(folder)
        entry.had_old = os.path.lexists(entry.target)
        is_folder = entry.target.is_dir() or entry.new.is_dir()
        # One file is replaced in one step, and that it fails changes nothing.
        if entry.had_old and (is_folder or len(self._entries) > 1):
            entry.old.parent.mkdir(parents=True)
            _put_aside(entry.target, entry.old, is_folder)
        os.replace(entry.new, entry.target)

    def _undo(self, error: BaseException) -> None:
        """Put back what was replaced."""
        while True:
            try:
                problems = self._put_back()
                break
            except (KeyboardInterrupt, SystemExit):
                # It takes no time, and the first one is raised after it.
                continue
        if problems:
            raise PartlyWrittenError(
                "\n".join([f"Not all files could be replaced: {error}", *problems])
            ) from error

    def _put_back(self) -> list[str]:
        """Undo what has been done, which is seen from what is there.

        RETURNS (list[str]): What could not be undone.
        """
        problems = []
        for entry in reversed(self._entries):
            is_in_place = not entry.is_device and not os.path.lexists(entry.new)
            try:
                if os.path.lexists(entry.old):
                    if is_in_place and (entry.target.is_dir() or entry.old.is_dir()):
                        os.replace(entry.target, entry.new)
                    os.replace(entry.old, entry.target)
                    # Where both are names of one file, that moves nothing.
                    entry.old.unlink(missing_ok=True)
                elif is_in_place and not entry.had_old:
                    os.replace(entry.target, entry.new)
            except OSError as problem:
                why = problem.strerror or problem
                problems.append(
                    f"{entry.path} could not be put back ({why}): it is {entry.old}"
                    if os.path.lexists(entry.old)
                    else f"{entry.path} is new and could not be removed ({why})"
                )
            for folder in reversed(entry.new_folders):
                with suppress(OSError):
                    folder.rmdir()
        return problems

    def discard(self) -> None:
        """Remove what was written and is not in its place."""
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()
        is_done = not any(os.path.lexists(entry.new) for entry in self._entries)
        for folder in self._folders.values():
            # What could not be put back is kept.
            if is_done or not _has_old_files(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_write(path: str | Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """Write a file or a folder whole, or not at all: see `AtomicSet`.

    path (str | Path): Where it will be.
    replace_folder (bool): Whether it may replace a folder.
    YIELDS (Path): Where to write it until the end of the block.
    RAISES (OSError): Where it cannot be written; the error names the path.
    """
    with AtomicSet() as files:
        yield files.add(path, replace_folder=replace_folder)


def check_writable(path: str | Path, *inputs: str | Path | None) -> None:
    """Find out whether `atomic_write` can begin, before something that takes long.

    path (str | Path): A file.
    inputs (str | Path | None): What is read: it must not be written over.
    RAISES (OSError): Where it cannot; the error names the path.
    """
    for name in inputs:
        if name is not None and os.path.realpath(name) == os.path.realpath(path):
            raise OSError(f"{path} is read here: name another file for the output.")
    files = AtomicSet()
    try:
        files.add(path)
    finally:
        files.discard()


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Errors of the operating system name this path: that of a full disk names none,
    and others the name of a temporary file."""
    try:
        yield
    except OSError as error:
        # Those with an own message name what they are about.
        if error.errno is None:
            raise
        raise _with_path(error, path) from error


def _with_path(error: OSError, path: str | Path) -> OSError:
    return OSError(error.errno, error.strerror, str(path))


def _is_device(path: Path) -> bool:
    """Is this something that can only be written to, not replaced?"""
    name = os.path.abspath(path)
    if name in ("/dev/stdout", "/dev/stderr") or name.startswith("/dev/fd/"):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _nearest_folder(target: Path) -> Path:
    """The folder that a file will be in or, where it is not there yet, the one that it
    will be made in."""
    return next(path for path in target.parents if os.path.lexists(path))


def _prepare(entry: _Entry) -> None:
    """Bring to disk what was written, and give it the permissions of what it replaces.
    What was made with `open` has those that the user's umask leaves."""
    if entry.is_device:
        return
    for path in (entry.new, *entry.new.rglob("*")):
        _sync(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        old = entry.target.stat()
        if stat.S_ISDIR(old.st_mode) == entry.new.is_dir():
            # Not every file system has them, and only root may give files away.
            if hasattr(os, "chown"):
                with suppress(OSError):
                    os.chown(entry.new, old.st_uid, old.st_gid)
            with suppress(OSError):
                entry.new.chmod(stat.S_IMODE(old.st_mode))


def _put_aside(target: Path, old: Path, is_folder: bool) -> None:
    if not is_folder:
        # So the file is never missing. Not every file system can do that.
        with suppress(OSError):
            os.link(target, old)
            return
    os.replace(target, old)


def _sync(path: Path, *, required: bool = True) -> None:
    """Have what was written to a file or folder on disk.

    RAISES (OSError): Where it cannot be; for a full disk some systems say so only now.
    """
    try:
        # Windows cannot open folders, and wants files to be writable.
        file = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except OSError:
        return
    try:
        os.fsync(file)
    except OSError as error:
        # EINVAL: there is no such thing here.
        if required and error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def _has_old_files(folder: Path) -> bool:
    return any(folder.glob("old/*/*"))


def _remove_stale(beside: Path) -> None:
    """Remove the hidden folders of processes that were killed."""
    if not fcntl:
        return
    with suppress(OSError), os.scandir(beside) as entries:
        stale = [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(_PREFIX)
            and entry.name.endswith(_SUFFIX)
            and entry.is_dir(follow_symlinks=False)
            and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
            and entry.stat(follow_symlinks=False).st_mtime < time.time() - _STALE_AFTER
        ]
        for folder in stale:
            with suppress(OSError):
                lock = os.open(folder / _LOCK, os.O_RDWR)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if not _has_old_files(folder):
                        shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)
