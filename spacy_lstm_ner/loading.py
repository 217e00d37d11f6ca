"""Saved pipelines, with an error that names the one that cannot be loaded."""

from pathlib import Path

import spacy
from spacy.language import Language


def load_pipeline(model: str | Path) -> Language:
    """Load a pipeline.

    model (str | Path): Its folder, or the name of an installed package.
    RETURNS (Language): The pipeline.
    RAISES (OSError, ValueError, ImportError): If there is none, or it is broken, in
        whatever way.
    """
    try:
        return spacy.load(model)
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        # What is there but cannot be read names its own path.
        if isinstance(error, OSError | ValueError) and str(model) in str(error):
            raise
        said = str(error) if isinstance(error, ValueError | OSError) else repr(error)
        raise ValueError(f"{model}: this pipeline cannot be loaded: {said}") from error
