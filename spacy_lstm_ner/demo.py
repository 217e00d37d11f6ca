"""What the page of `python -m spacy lstm-ner visualize` asks of a pipeline."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from spacy.language import Language
from spacy.tokens import Doc

from .inspect import explain, open_gates
from .inspect.render import scored_entities
from .pages.demo import demo_page
from .pages.entities import Entity, hue
from .pages.gates import MOST_EXPLAINED, MOST_UNITS, gates_page
from .pipeline import recognizers

#: How much is read at once, in characters if nothing else is said. The time of "why"
#: grows with the square of them.
LIMITS: dict[str, int] = {
    "text": 100_000,
    "texts": 1_000,  # in a request
    "gates": MOST_UNITS,
    "why": MOST_EXPLAINED,
    "file": 20_000_000,  # bytes; the page cuts a file into requests
}

# Both kinds of entity of the default data set.
_EXAMPLE = """王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。
3月6日，巴西采购12架猎鹰无人机。"""

Answer = TypeVar("Answer")


class Refusal(Exception):
    """A request that is not served, and why, in words for people."""

    def __init__(self, said: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST):
        super().__init__(said)
        self.status = status


class Demo:
    """A pipeline behind a page. It may be asked from several threads.

    load (Callable[[], Language]): Gives the pipeline, whose thresholds are set to 0:
        the page has one of its own. It is called in the thread that does all the
        pipeline's work: a spaCy pipeline is not made for several, as its vocabulary
        grows, and a GPU is chosen for one.
    """

    def __init__(self, load: Callable[[], Language]):
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._nlp = self._thread.submit(load).result()
        components = recognizers(self._nlp).values()
        self._threshold = max((pipe.threshold for pipe in components), default=0.0)
        for pipe in components:
            pipe.threshold = 0.0
            # Without this its probabilities would not be told.
            pipe.spans_key = pipe.spans_key or pipe.name
        self._spans_keys = [str(pipe.spans_key) for pipe in components]
        #: The page.
        self.page = demo_page(
            name="{lang}_{name} {version}".format_map(self._nlp.meta),
            components=self._nlp.pipe_names,
            # "xx" is spaCy's own, for several languages.
            lang="" if self._nlp.lang in (None, "xx") else self._nlp.lang,
            example=_EXAMPLE if self._nlp.lang == "zh" else "",
            threshold=self._threshold,
            limits=LIMITS,
            no_gates=self._why_no_gates(),
        )

    def entities(self, texts: list[str]) -> dict[str, Any]:
        """Find the entities of texts.

        texts (list[str]): The texts.
        RETURNS (dict[str, Any]): "entities": for each text a list of dicts with
            "start", "end" (in characters of the text: code points), "label" and
            "score", which is None where the pipeline tells no probabilities; "hues":
            the hue of each label.
        RAISES (Refusal): Where that is too much at once.
        """
        if len(texts) > LIMITS["texts"]:
            raise _too_long("Texts", len(texts), LIMITS["texts"])
        if sum(map(len, texts)) > LIMITS["text"]:
            raise _too_long("Characters", sum(map(len, texts)), LIMITS["text"])

        def find() -> list[list[Entity]]:
            docs = self._nlp.pipe(map(_well_formed, texts))
            return [self._scored(doc) for doc in docs]

        found = self._in_thread(find)
        return {
            "entities": [[_as_dict(entity) for entity in few] for few in found],
            "hues": {label: hue(label) for few in found for _, _, label, _ in few},
        }

    def gates(self, text: str, *, why: bool) -> dict[str, Any]:
        """Open the gates of the LSTM on a text.

        text (str): The text.
        why (bool): Tell why its entities are found, too.
        RETURNS (dict[str, Any]): "page": a page of HTML.
        RAISES (Refusal): Where there are no gates, or the text is empty or too long.
        """
        if not text:
            raise Refusal("The text is empty: there is nothing to look at.")
        if len(text) > LIMITS["gates"]:
            raise _too_long("Characters", len(text), LIMITS["gates"])
        if why and len(text) > LIMITS["why"]:
            raise _too_long('Characters, with "why"', len(text), LIMITS["why"])
        text = _well_formed(text)

        def draw() -> str:
            try:
                gates = open_gates(self._nlp, text)
            except ValueError as error:
                raise Refusal(str(error)) from None
            explanation = explain(self._nlp, text) if why else None
            return gates_page(gates, explanation=explanation)

        return {"page": self._in_thread(draw)}

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _in_thread(self, ask: Callable[[], Answer]) -> Answer:
        """Ask the pipeline for what has nothing of a Doc in it: the memory of each is
        given back, and so are the words that no text had before."""

        def in_zone() -> Answer:
            with self._nlp.memory_zone():
                return ask()

        return self._thread.submit(in_zone).result()

    def _scored(self, doc: Doc) -> list[Entity]:
        """The entities of a document, with the probabilities of whichever component
        has found them."""
        by_key = [scored_entities(doc, key) for key in self._spans_keys or [""]]
        found = []
        for same in zip(*by_key, strict=True):
            scores = (score for *_, score in same if score is not None)
            start, end, label, _ = same[0]
            found.append((start, end, label, next(scores, None)))
        return found

    def _why_no_gates(self) -> str | None:
        """Why there are no gates to look at; None where there are some."""
        try:
            self.gates("一", why=False)
        except Refusal as refusal:
            return str(refusal)
        return None


def _as_dict(entity: Entity) -> dict[str, Any]:
    start, end, label, score = entity
    score = None if score is None else round(score, 6)
    return {"start": start, "end": end, "label": label, "score": score}


def _well_formed(text: str) -> str:
    """The same characters, as many of them, without halves of surrogate pairs, which
    spaCy cannot store."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _too_long(what: str, size: int, limit: int) -> Refusal:
    return Refusal(
        f"{what} at once: {size:,}; at most {limit:,} are read. Take a part of it.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
