"""How commands end where something goes wrong."""

import os
import select
import signal
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType

import typer
from wasabi import Printer

from ..exceptions import PartlyWrittenError
from ..util.text import escaped

# What files, settings and machines may cause. All others are faults of the program, and
# end with a traceback. What is not installed is an ImportError.
_EXPECTED = (
    OSError,
    ValueError,
    ImportError,
    MemoryError,
    OverflowError,
    RecursionError,
    zlib.error,
)
#: As shells count: 128 and the number of the signal.
_INTERRUPTED, _CLOSED_PIPE = 130, 141


@contextmanager
def exit_on_error(note: str = "") -> Iterator[None]:
    """A command ends with a message where something goes wrong, and no traceback; it
    also decorates functions. The exit code is 1; after Ctrl+C 130; after SIGTERM 143,
    with temporary files removed; and 141, without a word, if nobody reads the output
    any more, as `| head` does.

    What the console cannot show is printed as "?".

    note (str): What is true after an error, such as "Nothing was written."
    """
    with _exit_on_signals(), _printing_anything():
        try:
            try:
                yield
            finally:
                # What could not be printed is not to be found out after the end.
                if sys.stdout:
                    sys.stdout.flush()
        except KeyboardInterrupt:
            print(file=sys.stderr)
            raise typer.Exit(_INTERRUPTED) from None
        except _EXPECTED as error:
            if isinstance(error, BrokenPipeError) and _is_output_closed():
                _discard_output()
                raise typer.Exit(_CLOSED_PIPE) from None
            if isinstance(error, PartlyWrittenError):
                note = ""
            _print_error("\n".join(filter(None, [in_words(error), note])))
            raise typer.Exit(1) from None


def in_words(error: BaseException) -> str:
    """What an error says, with the path that it is about, and without anything that
    controls a terminal."""
    if isinstance(error, OSError) and error.strerror:
        path = error.filename
        said = error.strerror
        if isinstance(path, str | bytes | os.PathLike):
            said = f"{os.fsdecode(path)}: {said}"
    elif isinstance(error, MemoryError):
        said = ": ".join(filter(None, ["Not enough memory", str(error)]))
    else:
        said = str(error) or type(error).__name__
    return escaped(said, keep="\n\t")


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """What ends the process by default ends it as an exception does, so that temporary
    files are removed."""
    process = os.getpid()

    def leave(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            # A process that was forked from this one has nothing to tidy up.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        # A closed terminal; Windows has no such signal.
        names = ("SIGTERM", "SIGHUP")
        for number in (getattr(signal, name, None) for name in names):
            if number and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _printing_anything() -> Iterator[None]:
    """A console that cannot show Chinese still gets everything else."""
    output = sys.stdout
    if not isinstance(output, TextIOWrapper):
        yield
        return
    before = output.errors
    output.reconfigure(errors="replace")
    try:
        yield
    finally:
        output.reconfigure(errors=before)


def _print_error(said: str) -> None:
    try:
        Printer().fail("Error:")
        print(said, flush=True)
    except OSError:
        _discard_output()
        print(f"Error: {said}", file=sys.stderr)


def _is_output_closed() -> bool:
    """Is it standard output that nobody reads, and not another pipe?"""
    if not hasattr(select, "poll"):  # Windows
        return True
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return False


def _discard_output() -> None:
    """What is still to be printed goes nowhere, so that Python has nothing to say about
    it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
