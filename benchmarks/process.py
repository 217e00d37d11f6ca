"""Calls in a process of their own, with a given number of threads.

BLAS and OpenMP read their number of threads only once, when they are loaded. It is a
plain process rather than one of `multiprocessing`, in which a library may well hold
back its own threads.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import ParamSpec, TypeVar

ROOT = Path(__file__).parents[1]
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def allowed() -> int | None:
    """How many threads this process may use; None if nobody has said it."""
    threads = os.environ.get(VARIABLES[0])
    return int(threads) if threads else None


P = ParamSpec("P")
T = TypeVar("T")


def in_new_process(
    threads: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a function in a new process.

    threads (int): How many threads BLAS, OpenMP and PyTorch may use there.
    function (Callable): A function of a module of this package.
    RETURNS: What the function returns.
    RAISES (subprocess.CalledProcessError): Where it fails; its error is on stderr.
    """
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.process"],
        input=pickle.dumps((function, args, kwargs)),
        stdout=subprocess.PIPE,
        env={**os.environ, **dict.fromkeys(VARIABLES, str(threads))},
        cwd=ROOT,
        check=True,
    )
    returned: T = pickle.loads(result.stdout)
    return returned


if __name__ == "__main__":
    function, args, kwargs = pickle.loads(sys.stdin.buffer.read())
    # Standard output is for the result: spaCy prints while it trains.
    with redirect_stdout(sys.stderr):
        result = function(*args, **kwargs)
    sys.stdout.buffer.write(pickle.dumps(result))
