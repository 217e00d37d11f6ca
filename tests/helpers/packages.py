"""Packages of pipelines, as `spacy package` makes them."""

import subprocess
import sys
from pathlib import Path

from spacy.cli.package import package


def package_pipeline(model: Path, output: Path, **names: str) -> Path:
    """Make a wheel of a saved pipeline. `spacy package` would make it in an environment
    of its own, which needs a network.

    names: `name` and `version`.
    RETURNS: The wheel.
    """
    output.mkdir(parents=True, exist_ok=True)
    before = set(output.iterdir())
    package(model, output, create_sdist=False, force=True, **names)
    (folder,) = set(output.iterdir()) - before
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "bdist_wheel"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("dist/*.whl")
    return wheel
