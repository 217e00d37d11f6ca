"""What a pipeline is called, and what it finds."""

from collections.abc import Callable

from spacy.language import Language

# The name that spaCy gives to pipelines without one.
_NO_NAME = "pipeline"


def set_meta(
    name: str, version: str = "0.0.0", description: str = ""
) -> Callable[[Language], Language]:
    """`spacy-lstm-ner.SetMeta.v1`: name a pipeline that is trained, in
    `[training.before_to_disk]`. The report and the demo page show it.

    name: Its name, to which spaCy adds the language.
    version: Its version.
    description: What it is for.
    RETURNS: The function that spaCy calls before it saves the pipeline.
    """

    def apply(nlp: Language) -> Language:
        nlp.meta.update(name=name, version=version, description=description)
        return nlp

    return apply


def pipeline_title(nlp: Language) -> str:
    """Return the name and version of a pipeline, such as "zh_resume 1.0.0"; without a
    name in its meta its language, such as "Chinese pipeline"."""
    if nlp.meta["name"] == _NO_NAME:
        return f"{language_name(nlp)} pipeline"
    return "{lang}_{name} {version}".format_map(nlp.meta)


def language_name(nlp: Language) -> str:
    """Return the name of the language of a pipeline in English, such as "Chinese"."""
    name = type(nlp).__name__
    return {"MultiLanguage": "Multilingual", "Language": "Multilingual"}.get(name, name)


def entity_labels(nlp: Language) -> list[str]:
    """Return the labels that the components of a pipeline can give to entities, in
    alphabetical order."""
    return sorted(
        {
            label
            for name, pipe in nlp.pipeline
            if "doc.ents" in nlp.get_pipe_meta(name).assigns
            for label in getattr(pipe, "labels", ())
        }
    )
