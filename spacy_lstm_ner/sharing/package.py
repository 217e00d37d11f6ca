"""The wheel that `spacy package` makes of a pipeline, read without running it."""

import re
import zipfile
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import srsly
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from .card import model_card, package_name

_META = re.compile(r"(?P<folder>(?P<name>\w+)/(?P=name)-[^/]+)/meta\.json")
_BUILD = "python -m spacy package FOLDER packages --build wheel"


@dataclass(frozen=True)
class PipelinePackage:
    """A wheel with a pipeline.

    wheel: The path of the wheel.
    folder: The folder of the pipeline in the wheel.
    files: The files of the pipeline with their sizes in bytes, by their path in its
        folder.
    meta: The content of its meta.json.
    card: Its model card: the README.md of the pipeline if it has metadata for hubs,
        otherwise one that is made of meta.json.
    """

    wheel: Path
    folder: str
    files: dict[str, int]
    meta: dict[str, Any]
    card: str

    @property
    def title(self) -> str:
        return f"{package_name(self.meta)} {self.meta['version']}"

    def extract(self, folder: Path) -> dict[str, Path]:
        """Extract the pipeline.

        folder: Where to.
        RETURNS: The extracted files by their path in the folder of the pipeline.
        """
        with zipfile.ZipFile(self.wheel) as archive:
            return {
                name: Path(archive.extract(f"{self.folder}/{name}", folder))
                for name in self.files
            }


def read_package(path: str | Path) -> PipelinePackage:
    """Read the wheel of a pipeline.

    path: The wheel.
    RETURNS: What is in it.
    RAISES (OSError): If there is no such file.
    RAISES (ValueError): If it is no wheel of a pipeline, or was renamed.
    """
    path = Path(path)
    if path.is_dir():
        wheels = sorted(path.glob("dist/*.whl"))
        found = f" This folder has {', '.join(map(str, wheels))}." if wheels else ""
        raise ValueError(
            f"{path} is a folder: give the wheel that `{_BUILD}` makes.{found}"
        )
    if not path.exists():
        raise OSError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path} is no wheel ({error}): give the one that `{_BUILD}` makes."
        ) from error


def _read(path: Path, archive: zipfile.ZipFile) -> PipelinePackage:
    names = archive.namelist()
    # The shortest path: pipelines can contain others.
    matches = sorted(filter(None, map(_META.fullmatch, names)), key=lambda m: len(m[0]))
    folder = matches[0]["folder"] if matches else ""
    if not folder or f"{folder}/config.cfg" not in names:
        raise ValueError(
            f"{path} is no pipeline of spaCy: it contains no NAME/NAME-VERSION/ with "
            f"meta.json and config.cfg. Give the wheel that `{_BUILD}` makes."
        )
    meta = srsly.json_loads(archive.read(f"{folder}/meta.json").decode("utf8"))
    _check_names(path, archive, meta)
    files = {
        info.filename.removeprefix(f"{folder}/"): info.file_size
        for info in archive.infolist()
        if info.filename.startswith(f"{folder}/") and not info.is_dir()
    }
    card = ""
    if "README.md" in files:
        card = archive.read(f"{folder}/README.md").decode("utf8")
    if not card.startswith("---\n"):
        # The one that `spacy package` makes has no metadata for hubs.
        card = model_card(meta)
    files.pop("README.md", None)
    return PipelinePackage(path, folder, files, meta, card)


def _check_names(path: Path, archive: zipfile.ZipFile, meta: dict[str, Any]) -> None:
    """Check that file name, package and pipeline agree: pip refuses a wheel that was
    renamed.

    RAISES (ValueError): If they do not.
    """
    metadata = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    if len(metadata) != 1:
        raise ValueError(f"{path} is no wheel: it has no METADATA.")
    header = BytesHeaderParser().parsebytes(archive.read(metadata[0]))
    name, version = str(header["Name"]), str(header["Version"])
    try:
        file_name, file_version, *_ = parse_wheel_filename(path.name)
        agrees = file_name == canonicalize_name(name)
        agrees &= file_version == Version(version)
    except (InvalidWheelFilename, InvalidVersion):
        agrees = False
    if not agrees:
        raise ValueError(
            f"{path} was renamed: it contains {name} {version}, and pip would refuse "
            f"it. Give it its name back, such as {name}-{version}-py3-none-any.whl."
        )
    pipeline = package_name(meta)
    if canonicalize_name(pipeline) != canonicalize_name(name) or Version(
        str(meta["version"])
    ) != Version(version):
        raise ValueError(
            f"{path} is the package {name} {version}, and its meta.json is that of "
            f"{pipeline} {meta['version']}. Build it again: `{_BUILD}`."
        )
