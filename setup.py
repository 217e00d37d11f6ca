"""Builds the compiled kernels; everything else about the package is in setup.cfg.

They are optional: without a compiler, the package installs without them, and computes
the same with NumPy. `python -m spacy lstm-ner info` says whether they are in use.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("spacy_lstm_ner", "kernels")
SOURCES = sorted(str(path) for path in FOLDER.glob("src/*.cpp"))
FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"]
# No debugging information, which the flags of Python ask for: it is half of the wheel.
FLAGS += ["-g0"]


def extensions() -> list[Extension]:
    """The extension module, or none: by request, or on Windows, since Microsoft's
    compiler has no vector types."""
    if os.environ.get("SPACY_LSTM_NER_KERNELS") == "off" or sys.platform == "win32":
        return []
    flags = os.environ.get("SPACY_LSTM_NER_CFLAGS", "").split()
    return [
        Extension(
            "spacy_lstm_ner.kernels._native",
            [str(FOLDER / "_native.pyx"), *SOURCES],
            depends=[str(path) for path in FOLDER.glob("src/*.h")],
            include_dirs=[str(FOLDER)],
            extra_compile_args=FLAGS + flags,
            extra_link_args=["-pthread", *flags],
            language="c++",
            optional=True,
        )
    ]


setup(ext_modules=extensions())
