"""Compiled kernels for CPUs: what `layers` computes with NumPy, in C++.

They are optional. Without them, or for arrays that are not float32 on the CPU, the
NumPy form runs; it gives the same results up to rounding, and is what they are tested
against. The environment variable `SPACY_LSTM_NER_KERNELS` chooses: "off", or the name
of an instruction set; by default it is the best one that the processor has.
"""

import multiprocessing
import os
import sys
from importlib import import_module
from typing import Any

import numpy as np

VARIABLE = "SPACY_LSTM_NER_KERNELS"
OFF = "off"
# The instruction sets for which there are kernels.
INSTRUCTION_SETS = ("avx512", "avx2", "neon")

_not_installed = ""
try:
    _native: Any = import_module("._native", __name__)
except ImportError as error:
    _native = None
    _not_installed = f"the package was installed without them ({error})"
    if sys.platform != "win32":
        _not_installed += "; install it again where there is a C++ compiler"


def use(name: str) -> None:
    """Use the kernels for an instruction set, or none of them. Called at import with
    the environment variable; and by tests.

    name: "", "off" or one of `INSTRUCTION_SETS`.
    RAISES (ValueError): If there is no such instruction set, or not on this processor.
    """
    global reason, _enabled
    if name not in ("", OFF, *INSTRUCTION_SETS):
        raise ValueError(
            f"The environment variable {VARIABLE} is {name!r}: set it to "
            f"{', '.join(map(repr, (OFF, *INSTRUCTION_SETS)))}, or leave it out."
        )
    if name == OFF:
        _enabled, reason = False, f"the environment variable {VARIABLE} is {OFF!r}"
        return
    if _native is None:
        _enabled, reason = False, _not_installed
        return
    available = _native.instruction_sets()
    if name and name not in available:
        raise ValueError(
            f"The environment variable {VARIABLE} is {name!r}, and this processor has "
            f"{', '.join(available) or 'none of these instruction sets'}."
        )
    _enabled = bool(available)
    if available:
        _native.use_instruction_set(name or available[0])
        reason = ""
    else:
        reason = f"the processor has none of {', '.join(INSTRUCTION_SETS)}"


_enabled = False
#: Why there are no kernels, or "".
reason = ""
use(os.environ.get(VARIABLE, ""))


def kernels_for(*arrays: Any) -> Any:
    """The kernels, if they can compute with these arrays: float32, contiguous, NumPy.
    Otherwise None."""
    if not _enabled:
        return None
    for array in arrays:
        if (
            type(array) is not np.ndarray
            or array.dtype != np.float32
            or not array.flags.c_contiguous
        ):
            return None
    return _native


def kernels() -> Any:
    """The kernels for other arrays, whose types the caller has chosen; or None."""
    return _native if _enabled else None


def instruction_set() -> str | None:
    """The name of the instruction set in use; None without kernels."""
    return _native.instruction_set() if _enabled else None


def description() -> list[tuple[str, str]]:
    """What is in use, as names and values, for people to read."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    rows = [("BLAS of NumPy", f"{blas['name']} {blas['version']}")]
    if not _enabled:
        return [*rows, ("compiled kernels", f"no: {reason}")]
    others = [name for name in _native.instruction_sets() if name != instruction_set()]
    also = f" (this processor also has {', '.join(others)})" if others else ""
    return [
        *rows,
        ("compiled kernels", "yes"),
        ("instruction set", f"{instruction_set()}{also}"),
        ("threads", f"at most {num_threads()}"),
    ]


def missing() -> str:
    """Why there are no kernels, unless they are in use or have been turned off."""
    return "" if _enabled or reason.endswith(f"is {OFF!r}") else reason


def num_threads() -> int:
    """The number of threads that the kernels may use."""
    return _native.num_threads() if _enabled else 1


def _initial_threads() -> int:
    """As OpenMP: the environment variable, or the number of cores. In a worker process,
    as of `nlp.pipe(n_process=2)`, one, since there are others."""
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if value.isdigit() and int(value) > 0:
        return int(value)
    if multiprocessing.parent_process() is not None:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _register_with_threadpoolctl() -> None:
    """So that `threadpool_limits` limits the threads of the kernels like those of
    BLAS."""
    try:
        import threadpoolctl
    except ImportError:
        return

    class KernelsController(threadpoolctl.LibController):  # type: ignore[misc]
        user_api = "blas"
        internal_api = "spacy_lstm_ner"
        filename_prefixes = ("_native",)
        check_symbols = ("spacy_lstm_ner_get_num_threads",)

        def get_num_threads(self) -> int:
            return int(self.dynlib.spacy_lstm_ner_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.spacy_lstm_ner_set_num_threads(num_threads)

        def get_version(self) -> None:
            return None

        def set_additional_attributes(self) -> None:
            pass

    threadpoolctl.register(KernelsController)


if _native is not None:
    _native.set_num_threads(_initial_threads())
    _register_with_threadpoolctl()
