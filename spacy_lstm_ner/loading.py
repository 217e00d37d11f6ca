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
    except MemoryError:
        raise
    except Exception as error:
        is_told = isinstance(error, OSError | ValueError | ImportError)
        # What is there but cannot be read names its own path.
        if is_told and str(model) in str(error):
            raise
        said = f"{model}: this pipeline cannot be loaded: "
        said += str(error) if is_told else repr(error)
        kind = ImportError if isinstance(error, ImportError) else ValueError
        raise kind(said) from error
