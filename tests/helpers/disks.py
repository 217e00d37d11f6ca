"""Disks that are full, and files that cannot be replaced."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


@contextmanager
def full_disk(folder: Path, size: str = "64k"):
    """Mount a small file system."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"mount cannot be run: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def immutable(path: Path):
    """Make a file or folder immutable."""
    try:
        done = subprocess.run(["chattr", "+i", path], capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"chattr cannot be run: {error}")
    if done.returncode:
        pytest.skip(f"no file can be made immutable: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)
