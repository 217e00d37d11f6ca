"""Commands that run in another process."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager


def heed_signals():
    """Restore the default handling of Ctrl+C and of the end of the terminal.

    A shell starts background commands with SIGINT ignored, and `nohup` with SIGHUP
    ignored; their children inherit that. For `preexec_fn`.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def served(*command, options=("--no-browser",)):
    """Run a command that serves a pipeline on a free port.

    command: The command and its arguments.
    options: More arguments, by default those of `visualize`.
    YIELDS: The process, and the port of the page.
    """
    process = subprocess.Popen(
        [*map(str, command), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf8",
        preexec_fn=heed_signals if os.name == "posix" else None,
    )
    try:
        for line in process.stdout:
            if address := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                break
        yield process, int(address[1])
    finally:
        process.kill()
        process.communicate()
