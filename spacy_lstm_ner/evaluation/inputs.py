"""The pipelines and files that are evaluated."""

from pathlib import Path

from spacy.language import Language

from ..pipeline.loading import load_pipeline


def require_files(*paths: Path) -> None:
    """Check that files exist, before a pipeline is loaded, which takes longer.

    RAISES (OSError): For the first one that does not.
    """
    for path in paths:
        if not path.exists():
            raise OSError(f"{path}: no such file")


def as_pipeline(model: str | Path | Language) -> Language:
    """Return a pipeline, loaded if it is given as a folder or package."""
    return model if isinstance(model, Language) else load_pipeline(model)


def no_entities_error(
    model: str | Path | Language, nlp: Language, data: Path
) -> ValueError:
    """The error if there are neither gold nor predicted entities.

    model: The pipeline as the caller named it.
    nlp: The pipeline.
    data: The data.
    RETURNS: The error, to be raised.
    """
    name = nlp.path or nlp.meta["name"] if isinstance(model, Language) else model
    return ValueError(
        f"No entities to evaluate: either no component of {name} predicts entities "
        f"({', '.join(nlp.pipe_names)}), or {data} contains none."
    )
