"""Saved pipelines, with an error that names what cannot be loaded."""

from pathlib import Path
from traceback import walk_tb
from types import TracebackType

import spacy
from spacy.language import Language
from thinc.api import ConfigValidationError


def load_pipeline(model: str | Path) -> Language:
    """Load a pipeline.

    model (str | Path): Its folder, or the name of an installed package.
    RETURNS (Language): The pipeline.
    RAISES (OSError, ValueError, ImportError): If there is none, or it is broken, in
        whatever way. The error names the file.
    """
    try:
        return spacy.load(model)
    except MemoryError:
        raise
    except Exception as error:
        is_told = isinstance(error, OSError | ValueError | ImportError)
        # What is there but cannot be read names its own path.
        if is_told and str(model) in str(error):
            raise
        file = _file_that_was_read(error.__traceback__)
        if file is None and isinstance(error, ConfigValidationError):
            file = Path(model) / "config.cfg"
        said = str(error).strip() if is_told else repr(error)
        kind = ImportError if isinstance(error, ImportError) else ValueError
        raise kind(
            f"{file or model}: this pipeline cannot be loaded: {said}"
        ) from error


def _file_that_was_read(traceback: TracebackType | None) -> Path | None:
    """The file that was read when something was raised: spaCy's errors do not tell, but
    the functions that they come out of have it as variables."""
    file: Path | None = None
    for frame, _ in walk_tb(traceback):
        function, names = frame.f_code.co_name, frame.f_locals
        path, key = names.get("path"), names.get("key")
        if isinstance(path, Path):
            if function == "from_disk" and isinstance(key, str):
                file = path / key
            elif function.startswith(("load_config", "load_meta", "read")):
                file = path
    return file
