"""Function calls in a new process, with a given number of threads.

BLAS and OpenMP read the number of threads only once, when they are loaded. The process
is not started by `multiprocessing`, since libraries may use fewer threads in such
processes.
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
#: What holds the kernels, NumPy, OpenBLAS and MKL, and PyTorch to AVX2.
VARIABLES_AVX2 = {
    "SPACY_LSTM_NER_KERNELS": "avx2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def thread_limit() -> int | None:
    """The number of threads that this process may use; None if it is not limited."""
    threads = os.environ.get(VARIABLES[0])
    return int(threads) if threads else None


P = ParamSpec("P")
T = TypeVar("T")


def in_new_process(
    threads: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a function in a new process.

    threads: The number of threads that BLAS, OpenMP and PyTorch may use there.
    function: A function of a module of this package.
    RETURNS: The result of the function.
    RAISES (subprocess.CalledProcessError): If it fails; its error is on stderr.
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
    # Standard output is reserved for the result; spaCy prints during training.
    with redirect_stdout(sys.stderr):
        result = function(*args, **kwargs)
    sys.stdout.buffer.write(pickle.dumps(result))
