"""Load saved pipelines, with errors that name the file that cannot be loaded."""

from pathlib import Path
from traceback import walk_tb
from types import TracebackType

import spacy
from spacy.language import Language
from thinc.api import ConfigValidationError


def load_pipeline(model: str | Path) -> Language:
    """Load a pipeline.

    model: Its folder, or the name of an installed package.
    RETURNS: The pipeline.
    RAISES (OSError, ValueError, ImportError): If there is no such pipeline, or it
        cannot be loaded. The error names the file.
    """
    try:
        return spacy.load(model)
    except MemoryError:
        raise
    except Exception as error:
        has_message = isinstance(error, OSError | ValueError | ImportError)
        # If a file cannot be read, the error names its path already.
        if has_message and str(model) in str(error):
            raise
        file = _file_being_read(error.__traceback__)
        if file is None and isinstance(error, ConfigValidationError):
            file = Path(model) / "config.cfg"
        reason = str(error).strip() if has_message else repr(error)
        kind = ImportError if isinstance(error, ImportError) else ValueError
        raise kind(
            f"{file or model}: this pipeline cannot be loaded: {reason}"
        ) from error


def _file_being_read(traceback: TracebackType | None) -> Path | None:
    """The file that was being read when an error was raised. spaCy's errors do not name
    it, but it is in local variables of the functions in the traceback."""
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
