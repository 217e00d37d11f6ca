"""Atomic writes: files are written completely or not at all.

Files are first written to a hidden folder next to their destination,
`.lstm-ner-….tmp`, and moved from there at the end. A folder that is left by a process
that was killed can be deleted, and a later process does so, unless it has a folder
`old` with files that were about to be replaced.
"""

import errno
import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = ".lstm-ner-", ".tmp"
# A process that writes holds a lock on this file in the hidden folder.
_LOCK = "lock"
# In seconds. A recent folder without a lock may belong to a process that is about to
# lock it.
_STALE_AFTER = 3600
# Signals whose handlers may raise an exception. SIGHUP does not exist on Windows.
_SIGNALS = [
    signal.SIGINT,
    signal.SIGTERM,
    *filter(None, [getattr(signal, "SIGHUP", 0)]),
]
# Errors of a full disk. They do not name the file.
_DISK_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class PartlyWrittenError(OSError):
    """Raised if only some of several files could be replaced, and the others could not
    be restored. The message says which. After any other error all files are unchanged.
    """


@dataclass
class _Entry:
    """A file or folder to be written.

    path: Its path as given by the caller.
    target: The path after following symbolic links.
    new: Where it is written until the commit.
    old: Where the file that it replaces is kept during the commit.
    is_device: Whether it is a device or a pipe, which cannot be replaced.
    had_old: Whether it replaces a file or folder.
    new_folders: Parent folders that were created for it.
    """

    path: Path
    target: Path
    new: Path
    old: Path
    is_device: bool
    had_old: bool = False
    new_folders: list[Path] = field(default_factory=list)


class AtomicSet:
    """A context manager that writes several files and folders together or not at all.

        with AtomicSet() as files:
            files.add("train.spacy").write_bytes(train)
            files.add("dev.spacy").write_bytes(dev)

    They are moved to their destinations at the end of the block. After an exception in
    the block, or if one of them cannot be moved, all files are unchanged. A file that
    replaces another one keeps its permissions. If the destination is a symbolic link,
    its target is replaced. If it is a device or a pipe, such as /dev/stdout, the
    content is copied to it.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        #: The hidden folders by their parent folder, and their locks.
        self._folders: dict[Path, Path] = {}
        self._locks: list[int] = []

    def __enter__(self) -> "AtomicSet":
        return self

    def add(self, path: str | Path, *, replace_folder: bool = False) -> Path:
        """Add a file or folder to be written.

        path: The destination.
        replace_folder: Whether it may replace a folder.
        RETURNS: The path to write to. It has the same name.
        RAISES (OSError): If the destination cannot be written to.
        """
        path = Path(path)
        with path_in_errors(path):
            is_device = _is_device(path)
            target = path if is_device else Path(os.path.realpath(path))
            if any(target == entry.target for entry in self._entries):
                raise OSError(f"{path} is given twice as an output file.")
            if target.is_dir() and not replace_folder:
                raise OSError(f"{path} is a folder: give the path of a file.")
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
        """RETURNS (Path): A folder for temporary files, on the same file system as the
        folder `beside`."""
        with path_in_errors(beside):
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
        """Return the hidden folder in a folder, and create it if necessary. It is not
        in a central place because files can be moved in one step only within a file
        system."""
        if beside not in self._folders:
            _remove_stale(beside)
            folder = beside / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
            # First, since an interrupt can occur as soon as the folder is there.
            self._folders[beside] = folder
            folder.mkdir(0o700)
            if fcntl:
                self._locks.append(os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR))
                # Without support for locks, no process removes stale folders either.
                with suppress(OSError):
                    fcntl.flock(self._locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._folders[beside]

    def _named(self, error: OSError) -> OSError:
        """Return an error of the block with the path as given by the caller."""
        if isinstance(error.filename, str | os.PathLike):
            failed = Path(error.filename)
            for entry in self._entries:
                if failed == entry.new or entry.new in failed.parents:
                    return _with_path(error, entry.path)
        elif error.filename is None and error.errno in _DISK_FULL and self._entries:
            paths = [entry.path for entry in self._entries]
            return _with_path(error, paths[0] if len(paths) == 1 else paths[0].parent)
        return error

    def _commit(self) -> None:
        for entry in self._entries:
            if not os.path.lexists(entry.new):
                raise FileNotFoundError(f"{entry.path}: the file was not written.")
        # Devices come last, since writing to them cannot be undone.
        self._entries.sort(key=lambda entry: entry.is_device)
        try:
            for entry in self._entries:
                with path_in_errors(entry.path):
                    _prepare(entry)
            for entry in self._entries:
                with path_in_errors(entry.path):
                    self._put_in_place(entry)
        except BaseException as error:
            self._undo(error)
            raise
        for folder in {entry.target.parent for entry in self._entries}:
            _sync(folder, required=False)

    def _put_in_place(self, entry: _Entry) -> None:
        if entry.is_device:
            # /dev/stdout may be redirected to a file, which must not be truncated.
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
        # A single file is replaced in one step, and needs no backup.
        if entry.had_old and (is_folder or len(self._entries) > 1):
            entry.old.parent.mkdir(parents=True)
            _back_up(entry.target, entry.old, is_folder)
        os.replace(entry.new, entry.target)

    def _undo(self, error: BaseException) -> None:
        """Restore what was replaced."""
        problems: list[str] | None = None
        while problems is None:
            # The error is raised afterwards; an interrupt may have come before the
            # block, or in it.
            with suppress(KeyboardInterrupt, SystemExit), _uninterrupted():
                problems = self._restore()
        if problems:
            raise PartlyWrittenError(
                "\n".join([f"Not all files could be replaced: {error}", *problems])
            ) from error

    def _restore(self) -> list[str]:
        """Undo all moves. Which ones were made is determined from the files that exist.
        If it was all of them, since an interrupt came after the last one, they stay.

        RETURNS: What could not be undone.
        """
        problems: list[str] = []
        if not any(os.path.lexists(entry.new) for entry in self._entries):
            return problems
        for entry in reversed(self._entries):
            is_in_place = not entry.is_device and not os.path.lexists(entry.new)
            try:
                if os.path.lexists(entry.old):
                    if is_in_place and (entry.target.is_dir() or entry.old.is_dir()):
                        os.replace(entry.target, entry.new)
                    os.replace(entry.old, entry.target)
                    # If both are hard links to one file, `replace` does nothing.
                    entry.old.unlink(missing_ok=True)
                elif is_in_place and not entry.had_old:
                    os.replace(entry.target, entry.new)
            except OSError as problem:
                reason = problem.strerror or problem
                problems.append(
                    f"{entry.path} could not be restored ({reason}): the old content "
                    f"is in {entry.old}"
                    if os.path.lexists(entry.old)
                    else f"{entry.path} is new and could not be removed ({reason})"
                )
            for folder in reversed(entry.new_folders):
                with suppress(OSError):
                    folder.rmdir()
        return problems

    def discard(self) -> None:
        """Remove files that were not moved to their destinations."""
        try:
            with _uninterrupted():
                self._discard()
        except BaseException:
            # Interrupted before or after what cannot be interrupted.
            self._discard()
            raise

    def _discard(self) -> None:
        while self._locks:
            os.close(self._locks.pop())
        is_done = not any(os.path.lexists(entry.new) for entry in self._entries)
        for folder in self._folders.values():
            # Files that could not be restored are kept.
            if is_done or not _has_old_files(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay the exceptions that signals raise, as by Ctrl+C, to the end of the block,
    which should be quick."""
    handlers: dict[int, Any] = {}
    received: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        handlers = {key: handler for key, handler in handlers.items() if handler}
    try:
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, lambda *signal: received.append(signal))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in received:
            handlers[number](number, frame)


@contextmanager
def atomic_write(path: str | Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """Write a file or a folder completely or not at all: see `AtomicSet`.

    path: The destination.
    replace_folder: Whether it may replace a folder.
    YIELDS: The path to write to.
    RAISES (OSError): If it cannot be written; the error names the path.
    """
    with AtomicSet() as files:
        yield files.add(path, replace_folder=replace_folder)


def check_writable(path: str | Path, *inputs: str | Path | None) -> None:
    """Check that a file can be written, before a long computation.

    path: The file.
    inputs: Input files, which must not be overwritten.
    RAISES (OSError): If it cannot be written; the error names the path.
    """
    for name in inputs:
        if name is not None and os.path.realpath(name) == os.path.realpath(path):
            raise OSError(f"{path} is an input file: choose another output file.")
    files = AtomicSet()
    try:
        files.add(path)
    finally:
        files.discard()


@contextmanager
def path_in_errors(path: str | Path) -> Iterator[None]:
    """Set the path in errors of the operating system. The error of a full disk has no
    path, and others have that of a temporary file."""
    try:
        yield
    except OSError as error:
        # Errors with a message of their own already name the path.
        if error.errno is None:
            raise
        raise _with_path(error, path) from error


def _with_path(error: OSError, path: str | Path) -> OSError:
    return OSError(error.errno, error.strerror, str(path))


def _is_device(path: Path) -> bool:
    """Return whether a path can only be written to and not replaced."""
    name = os.path.abspath(path)
    if name in ("/dev/stdout", "/dev/stderr") or name.startswith("/dev/fd/"):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _nearest_folder(target: Path) -> Path:
    """Return the closest parent folder that exists."""
    return next(path for path in target.parents if os.path.lexists(path))


def _prepare(entry: _Entry) -> None:
    """Flush a new file to disk, and give it the permissions of the file that it
    replaces. Otherwise the user's umask applies, as with `open`."""
    if entry.is_device:
        return
    for path in (entry.new, *entry.new.rglob("*")):
        _sync(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        old = entry.target.stat()
        if stat.S_ISDIR(old.st_mode) == entry.new.is_dir():
            # Not every file system has owners, and only root may change them.
            if hasattr(os, "chown"):
                with suppress(OSError):
                    os.chown(entry.new, old.st_uid, old.st_gid)
            with suppress(OSError):
                entry.new.chmod(stat.S_IMODE(old.st_mode))


def _back_up(target: Path, old: Path, is_folder: bool) -> None:
    if not is_folder:
        # With a hard link the file is never missing. Not every file system has them.
        with suppress(OSError):
            os.link(target, old)
            return
    os.replace(target, old)


def _sync(path: Path, *, required: bool = True) -> None:
    """Flush a file or folder to disk.

    required: Raise an error if it fails.
    RAISES (OSError): If it fails; some systems report a full disk only now.
    """
    try:
        # Windows cannot open folders, and requires files to be opened for writing.
        file = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except OSError:
        return
    try:
        os.fsync(file)
    except OSError as error:
        # EINVAL: not supported for this file.
        if required and error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def _has_old_files(folder: Path) -> bool:
    return any(folder.glob("old/*/*"))


def _remove_stale(beside: Path) -> None:
    """Remove hidden folders of processes that were killed."""
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
