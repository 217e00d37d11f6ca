"""The command `gates`."""

# ruff: noqa: UP045

import sys
from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, GpuId, Model, NoProgress, Opt, Page
from .output import print_written


@exit_on_error()
def gates_cli(
    model: Model,
    text: Annotated[str, Arg(help="The text to process; -: standard input")],
    output: Page,
    corpus: Annotated[
        Optional[Path],
        Opt(
            "--corpus",
            "-c",
            help="Annotated data, to rank the hidden units by entity type",
        ),
    ] = None,
    attribution: Annotated[
        bool,
        Opt(
            "--attribution/--no-attribution",
            "--why/--no-why",
            help="Show the contribution of each character to each entity, in texts of "
            "up to 300 characters (formerly --why)",
        ),
    ] = True,
    component: Annotated[
        Optional[str],
        Opt(
            help="Name of the component; default: the first lstm_ner, or else "
            "lstm_nested_ner"
        ),
    ] = None,
    gpu_id: GpuId = -1,
    quiet: NoProgress = False,
) -> None:
    """Write an HTML page that shows the gates of the LSTM.

    The page shows a text from left to right and the hidden units from top to bottom:
    input, forget and output gate, candidate, cell state and hidden state, for each
    layer and direction, with the entities above and the emission scores below. It
    describes in words what happens at the character under the mouse pointer, and shows
    the contribution of each character to an entity. It is a single file that needs no
    network connection.

    With --corpus (a .spacy file, or a file that `convert` reads) the hidden units are
    ranked by how closely they follow the entities of each type, and can be sorted by
    this rank.

    Example:

    \b
    python -m spacy lstm-ner gates training/model-best 王芳任北京大学教授。 gates.html
    """
    from spacy.cli._util import setup_gpu

    from ..data.corpus import read_examples
    from ..interpret import explain, open_gates, rank_units
    from ..pages.gates_page import MAX_ATTRIBUTED, MAX_UNITS, gates_page
    from ..pipeline.loading import load_pipeline
    from ..util.atomic import atomic_write, check_writable
    from ..util.progress import with_progress

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    check_writable(output, corpus)
    text = _read_standard_input().strip() if text == "-" else text
    nlp = load_pipeline(model)
    gates = open_gates(nlp, text, component=component)
    n = len(gates.offsets)
    if n > MAX_UNITS:
        raise ValueError(
            f"The text has {n:,} characters, and a page shows at most {MAX_UNITS:,}: "
            f"use a part of the text."
        )
    if attribution and n > MAX_ATTRIBUTED:
        msg.info(f"More than {MAX_ATTRIBUTED} characters: without attribution")
        attribution = False
    ranking = None
    if corpus is not None:
        read = read_examples(corpus, nlp)
        examples = with_progress(read, not quiet, "Corpus")
        docs = (example.reference for example in examples)
        ranking = rank_units(nlp, docs, component=component)
    explanation = (
        explain(nlp, gates.text, component=component, progress=not quiet)
        if attribution
        else None
    )
    html = gates_page(gates, explanation=explanation, ranking=ranking)
    with atomic_write(output) as new:
        new.write_text(html, "utf8")
    print_written(msg, output)


def _read_standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"Standard input is not {error.encoding}: {error}") from None
