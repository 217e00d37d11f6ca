"""The command `card`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, Opt
from .output import print_written


@exit_on_error()
def card_cli(
    folder: Annotated[Path, Arg(help="Folder of a pipeline")],
    scores: Annotated[
        Optional[Path],
        Opt("--scores", "-s", help="JSON file that `evaluate --output` has written"),
    ] = None,
    about: Annotated[
        Optional[Path],
        Opt("--about", "-a", help="YAML file with license, data, limits and others"),
    ] = None,
    name: Annotated[
        Optional[str],
        Opt("--name", help="Name of the pipeline, without its language"),
    ] = None,
    version: Annotated[
        Optional[str], Opt("--version", help="Version of the pipeline")
    ] = None,
) -> None:
    """Write the model card of a pipeline into its folder.

    The card says what the pipeline is trained on, how accurate, large and fast it is,
    how to load it and how to cite it, with metadata for the Hugging Face Hub. It is
    README.md in the folder of the pipeline, and what it says is in meta.json. `spacy
    package` makes it the description of the package, and `push` uploads it.

    The YAML file contains any of these settings. What it leaves out stays as it is in
    meta.json.

    \b
    description, license, author, email, url: text
    data: a list of data sets, each with name, url, license, author and description
    labels: the meaning of each label
    examples: a list of texts to try
    evaluated_on: the name of the data of the scores
    machine: where the speed was measured
    intended_use: text
    limits: a list of sentences
    citation: text, such as BibTeX

    Example:

    \b
    python -m spacy lstm-ner card training/model-best --name names --version 1.0.0
    """
    from ..sharing.card import write_card

    path = write_card(folder, scores=scores, about=about, name=name, version=version)
    print_written(Printer(), path, path.with_name("meta.json"))
