"""Error handling of the commands: messages and exit codes."""

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

# Errors that files, settings and machines can cause. Any other error is a bug, and ends
# with a traceback. An ImportError is raised if an optional package is not installed.
_EXPECTED = (
    OSError,
    ValueError,
    ImportError,
    MemoryError,
    OverflowError,
    RecursionError,
    zlib.error,
)
# The convention of shells: 128 plus the number of the signal.
_INTERRUPTED, _CLOSED_PIPE = 130, 141


@contextmanager
def exit_on_error(note: str = "") -> Iterator[None]:
    """Exit with a message instead of a traceback after an error. Can be used as a
    context manager and as a decorator.

    The exit code is 1 after an error, 130 after Ctrl+C, and 143 after SIGTERM;
    temporary files are removed. It is 141, without a message, if the reader of the
    output has gone, as after `| head`. Characters that the console cannot display are
    printed as "?".

    note: Printed after the error, for example "Nothing was written."
    """
    with _raise_on_signals(), _replace_unprintable():
        try:
            try:
                yield
            finally:
                # Errors of printing must occur here and not when Python exits.
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
            _print_error("\n".join(filter(None, [error_message(error), note])))
            raise typer.Exit(1) from None


def error_message(error: BaseException) -> str:
    """Return the message of an error with the path that it concerns. Control characters
    are escaped."""
    if isinstance(error, OSError) and error.strerror:
        path = error.filename
        message = error.strerror
        if isinstance(path, str | bytes | os.PathLike):
            message = f"{os.fsdecode(path)}: {message}"
    elif isinstance(error, MemoryError):
        message = ": ".join(filter(None, ["Not enough memory", str(error)]))
    else:
        message = str(error) or type(error).__name__
    return escaped(message, keep="\n\t")


@contextmanager
def _raise_on_signals() -> Iterator[None]:
    """Turn signals that end the process into exceptions, so that temporary files are
    removed."""
    process = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            # A process forked from this one has nothing to clean up.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        # SIGHUP: the terminal was closed. It does not exist on Windows.
        names = ("SIGTERM", "SIGHUP")
        for number in (getattr(signal, name, None) for name in names):
            if number and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _replace_unprintable() -> Iterator[None]:
    """Replace characters that the console cannot display, such as Chinese ones, instead
    of failing."""
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


def _print_error(message: str) -> None:
    try:
        Printer().fail("Error:")
        print(message, flush=True)
    except OSError:
        _discard_output()
        print(f"Error: {message}", file=sys.stderr)


def _is_output_closed() -> bool:
    """Return whether the broken pipe is standard output, and not another pipe."""
    if not hasattr(select, "poll"):  # Windows
        return True
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return False


def _discard_output() -> None:
    """Discard buffered output, so that Python does not report an error at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
