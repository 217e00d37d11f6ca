"""The demo page of a pipeline: `python -m spacy lstm-ner visualize`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .colors import label_styles
from .page import asset, page


@dataclass(frozen=True)
class Demo:
    """What the demo page shows."""

    #: Name and version of the pipeline.
    title: str
    #: What its author says about it; empty: nothing.
    description: str
    #: The language of texts: its name, and its code for screen readers.
    language: str
    lang: str
    #: Names of the components of the pipeline.
    components: Sequence[str]
    #: The labels of its entities.
    labels: Sequence[str]
    #: The initial text.
    text: str
    #: A text for each label that has one.
    examples: Sequence[tuple[str, str]]
    #: The initial threshold.
    threshold: float
    #: Maximum sizes: see `ServedPipeline`.
    limits: Mapping[str, int]
    #: The reason why there are no gates; None if there are.
    no_gates: str | None


def demo_page(demo: Demo) -> str:
    """Return a page to enter a text, see its entities and the gates of the LSTM, and
    annotate files. It sends requests to its server.

    demo: What it shows.
    RETURNS: The page.
    """
    styles = label_styles(demo.labels)
    return page(
        "demo.html",
        f"Find entities with {demo.title}",
        script=asset("gates.js") + asset("demo.js"),
        data={
            "limits": demo.limits,
            "gates": demo.no_gates is None,
            "styles": styles,
            "examples": [text for _, text in demo.examples],
        },
        connect=True,
        demo=demo,
        styles=styles,
    )
