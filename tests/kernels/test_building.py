"""Building the kernels: with a compiler, without one, and with sanitizers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ..helpers.kernels import available
from ..helpers.paths import REPOSITORY

pytestmark = pytest.mark.slow
FILES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the package without what was compiled."""
    compiled = shutil.ignore_patterns("*.so", "*.pyd", "_native.cpp", "__pycache__")
    for name in FILES:
        shutil.copy(REPOSITORY / name, tmp_path / name)
    for name in ("spacy_lstm_ner", "tests"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=compiled)
    return tmp_path


def run(*command, cwd, **variables):
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


def test_it_installs_without_a_compiler(checkout, tmp_path):
    target = tmp_path / "target"
    compiler = {"CC": "/bin/false", "CXX": "/bin/false"}
    command = "-m", "pip", "install", "--no-deps", "--target", target, checkout
    run(sys.executable, *command, cwd=tmp_path, **compiler)
    assert not list(target.rglob("_native*.so"))
    # Neither C++ nor Cython is of use there.
    assert not list(target.rglob("*.cpp")) and not list(target.rglob("*.pyx"))
    code = (
        "from spacy_lstm_ner import kernels; from spacy_lstm_ner.layers import LSTM; "
        "LSTM(4, 2).initialize(); print(kernels.__file__, dict(kernels.description()))"
    )
    variables = {"PYTHONPATH": str(target), "SPACY_LSTM_NER_KERNELS": ""}
    output = run(sys.executable, "-c", code, cwd=tmp_path / "target", **variables)
    assert str(target) in output and "no: the package was installed without" in output


@pytest.mark.skipif(not available(), reason="there are no kernels")
def test_a_source_distribution_has_the_sources(checkout, tmp_path):
    command = "import setuptools.build_meta as b; print(b.build_sdist('dist'))"
    run(sys.executable, "-c", command, cwd=checkout)
    (archive,) = (checkout / "dist").glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    sources = REPOSITORY / "spacy_lstm_ner" / "kernels"
    for path in (*sources.glob("*.pyx"), *sources.glob("src/*")):
        assert (folder / path.relative_to(REPOSITORY)).is_file(), path


# LANES, TILE_ROWS and TILE_VECTORS of avx2.cpp, avx512.cpp and neon.cpp.
WIDTHS = {"avx2": (8, 6, 2), "avx512": (16, 6, 4), "neon": (4, 6, 4)}


def results_of_width(name, folder, compiler="g++", emulator=()):
    """What every_width.cpp prints: a list of names and arrays."""
    source = Path(__file__).with_name("every_width.cpp")
    kernels = REPOSITORY / "spacy_lstm_ner" / "kernels" / "src"
    definitions = zip(("LANES", "ROWS", "VECTORS"), WIDTHS[name], strict=True)
    program = folder / f"{name}-{compiler}"
    run(
        *(compiler, "-std=c++17", "-O2", "-static", f"-I{kernels}", source),
        *(f"-DTEST_{key}={value}" for key, value in definitions),
        *("-o", program),
        cwd=folder,
    )
    lines = run(*emulator, program, cwd=folder).splitlines()
    parsed = (line.split() for line in lines)
    return [(key, np.array(values, dtype="float64")) for key, *values in parsed]


def test_the_sources_have_these_widths():
    for name, widths in WIDTHS.items():
        path = REPOSITORY / "spacy_lstm_ner" / "kernels" / "src" / f"{name}.cpp"
        names = ("LANES", "TILE_ROWS", "TILE_VECTORS")
        pairs = zip(names, widths, strict=True)
        expected = ", ".join(f"{key} = {value}" for key, value in pairs)
        assert f"constexpr int {expected};" in path.read_text("utf8")


@pytest.mark.parametrize("name", ["avx512", "neon", "neon on ARM"])
def test_every_width_of_vectors(name, tmp_path):
    """The instruction sets that this processor lacks: the same code, with vectors of
    the same width in other instructions, or in an emulator."""
    name, _, system = name.partition(" on ")
    tools = ["aarch64-linux-gnu-g++", "qemu-aarch64"] if system else ["g++"]
    if not all(map(shutil.which, tools)):
        pytest.skip(f"needs {' and '.join(tools)}")
    expected = results_of_width("avx2", tmp_path)
    found = results_of_width(name, tmp_path, tools[0], tools[1:])
    assert [key for key, _ in found] == [key for key, _ in expected]
    for (key, one), (_, other) in zip(found, expected, strict=True):
        is_float = key in (
            "inference",
            "training",
            "before",
            "gradients",
            "gru",
            "linear",
        )
        scale = np.abs(other).max(initial=1)
        tolerance = 2e-6 if is_float else 1e-7 if key == "embeddings" else 1e-8
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


def compiler_library(name):
    """The path of a library of the compiler; None if it is missing."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    path = subprocess.run(
        [compiler, f"-print-file-name={name}"], capture_output=True, text=True
    ).stdout.strip()
    return path if Path(path).is_absolute() else None


@pytest.mark.skipif(
    not available() or not sys.platform.startswith("linux"), reason="needs kernels"
)
def test_sanitizers(checkout, tmp_path):
    """The tests of the kernels find no access out of bounds, no use of freed memory,
    and no undefined behaviour."""
    libraries = [compiler_library(name) for name in ("libasan.so", "libubsan.so")]
    if None in libraries:
        pytest.skip("needs g++ with its sanitizers")
    pytest.importorskip("Cython")
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1"
    run(
        *(sys.executable, "setup.py", "build_ext", "--inplace"),
        cwd=checkout,
        SPACY_LSTM_NER_CFLAGS=flags,
        SPACY_LSTM_NER_KERNELS="",
    )
    assert list(checkout.rglob("_native*.so"))
    names = ("lstm_kernels", "crf_kernels", "embedding_kernels")
    output = run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *(f"tests/kernels/test_{name}.py" for name in names),
        cwd=checkout,
        PYTHONPATH=str(checkout),
        # Python and NumPy free little at the end, which is no leak of the kernels.
        ASAN_OPTIONS="detect_leaks=0",
        UBSAN_OPTIONS="print_stacktrace=1",
        LD_PRELOAD=" ".join(libraries),
    )
    assert " passed" in output and "failed" not in output
