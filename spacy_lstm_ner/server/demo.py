"""What the page of `python -m spacy lstm-ner visualize` asks of a pipeline."""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar

from spacy.language import Language
from spacy.tokens import Doc

from ..exceptions import RequestError
from ..inspect import explain, open_gates
from ..pages.demo import demo_page
from ..pages.entities import Entity, hue
from ..pages.gates import MOST_EXPLAINED, MOST_UNITS, gates_page
from ..pages.render import scored_entities
from ..pipeline import recognizers
from ..util.cancellation import checkpoint
from .jobs import QueueFull, Worker, WorkerClosed

#: How much is read at once, in characters if nothing else is said. The time of "why"
#: grows with the square of them.
LIMITS: dict[str, int] = {
    "text": 100_000,
    "texts": 1_000,  # in a request
    "gates": MOST_UNITS,
    "why": MOST_EXPLAINED,
    "file": 20_000_000,  # bytes; the page cuts a file into requests
}

# Texts of so many characters, in all, are found the entities of without a pause. What
# has more is a long job, which shorter ones may overtake.
_BATCH = 10_000
# Seconds until a queue that is full should be tried again, for short and long jobs.
_RETRY_AFTER = {False: 1, True: 10}
# Seconds that a job may take to come to its next checkpoint, at the end.
_GRACE = 0.5

# Both kinds of entity of the default data set.
_EXAMPLE = """王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。
3月6日，巴西采购12架猎鹰无人机。"""

Answer = TypeVar("Answer")


def _needed() -> bool:
    """Of who waits for the answer, come what may: nothing is cancelled."""
    return False


class Demo:
    """A pipeline behind a page. It may be asked from several threads, which wait. While
    they do so, `cancelled` is called in them again and again: once it tells that nobody
    waits for the answer any more, no more is done for it, and `Cancelled` is raised.

    load (Callable[[], Language]): Gives the pipeline, whose thresholds are set to 0:
        the page has one of its own. It is called in the thread that does all the
        pipeline's work: a spaCy pipeline is not made for several, as its vocabulary
        grows, and a GPU is chosen for one.
    """

    def __init__(self, load: Callable[[], Language]):
        self._worker = Worker()
        self._in_zone = False
        try:
            self._nlp = self._worker.do(load)
        except BaseException:
            self._worker.close(0)
            raise
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

    def entities(
        self, texts: list[str], *, cancelled: Callable[[], bool] = _needed
    ) -> dict[str, Any]:
        """Find the entities of texts.

        texts (list[str]): The texts.
        cancelled (Callable[[], bool]): Tells whether nobody waits any more.
        RETURNS (dict[str, Any]): "entities": for each text a list of dicts with
            "start", "end" (in characters of the text: code points), "label" and
            "score", which is None where the pipeline tells no probabilities; "hues":
            the hue of each label.
        RAISES (RequestError): Where that is too much at once, or too many others wait.
        RAISES (Cancelled): Where nobody waits any more.
        """
        if len(texts) > LIMITS["texts"]:
            raise _too_long("Texts", len(texts), LIMITS["texts"])
        size = sum(map(len, texts))
        if size > LIMITS["text"]:
            raise _too_long("Characters", size, LIMITS["text"])

        def find() -> list[list[Entity]]:
            found: list[list[Entity]] = []
            for batch in _batches(texts):
                checkpoint()
                docs = self._nlp.pipe(map(_well_formed, batch))
                found.extend(self._scored(doc) for doc in docs)
            return found

        found = self._do(find, long=size > _BATCH, cancelled=cancelled)
        return {
            "entities": [[_as_dict(entity) for entity in few] for few in found],
            "hues": {label: hue(label) for few in found for _, _, label, _ in few},
        }

    def gates(
        self, text: str, *, why: bool, cancelled: Callable[[], bool] = _needed
    ) -> dict[str, Any]:
        """Open the gates of the LSTM on a text.

        text (str): The text.
        why (bool): Tell why its entities are found, too.
        cancelled (Callable[[], bool]): Tells whether nobody waits any more.
        RETURNS (dict[str, Any]): "page": a page of HTML.
        RAISES (RequestError): Where there are no gates, the text is empty or too long,
            or too many others wait.
        RAISES (Cancelled): Where nobody waits any more.
        """
        if not text:
            raise RequestError("The text is empty: there is nothing to look at.")
        if len(text) > LIMITS["gates"]:
            raise _too_long("Characters", len(text), LIMITS["gates"])
        if why and len(text) > LIMITS["why"]:
            raise _too_long('Characters, with "why"', len(text), LIMITS["why"])
        text = _well_formed(text)

        def draw() -> str:
            try:
                gates = open_gates(self._nlp, text)
            except ValueError as error:
                raise RequestError(str(error)) from None
            checkpoint()
            explanation = explain(self._nlp, text) if why else None
            return gates_page(gates, explanation=explanation)

        return {"page": self._do(draw, long=why, cancelled=cancelled)}

    def close(self) -> bool:
        """Cancel what is being done, and end the thread.

        RETURNS (bool): Whether it has ended: it may be busy in a part of the pipeline
            that cannot be cancelled.
        """
        return self._worker.close(_GRACE)

    def _do(
        self,
        ask: Callable[[], Answer],
        *,
        long: bool,
        cancelled: Callable[[], bool] = _needed,
    ) -> Answer:
        """Ask the pipeline for what has nothing of a Doc in it: the memory of each is
        given back, and so are the words that no text had before."""

        def in_zone() -> Answer:
            # What is done between the parts of a long job shares its zone: spaCy's
            # cannot be nested.
            if self._in_zone:
                return ask()
            self._in_zone = True
            try:
                with self._nlp.memory_zone():
                    return ask()
            finally:
                self._in_zone = False

        try:
            return self._worker.do(in_zone, long=long, cancelled=cancelled)
        except QueueFull:
            seconds = _RETRY_AFTER[long]
            raise RequestError(
                f"Too many requests wait already: try again in {seconds} s.",
                HTTPStatus.SERVICE_UNAVAILABLE,
                retry_after=seconds,
            ) from None
        except WorkerClosed:
            raise RequestError(
                "The server is being stopped.", HTTPStatus.SERVICE_UNAVAILABLE
            ) from None

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
        except RequestError as error:
            return str(error)
        return None


def _batches(texts: list[str]) -> Iterator[list[str]]:
    """Texts in batches of at most so many characters, or of one text."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _as_dict(entity: Entity) -> dict[str, Any]:
    start, end, label, score = entity
    score = None if score is None else round(score, 6)
    return {"start": start, "end": end, "label": label, "score": score}


def _well_formed(text: str) -> str:
    """The same characters, as many of them, without halves of surrogate pairs, which
    spaCy cannot store."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _too_long(what: str, size: int, limit: int) -> RequestError:
    return RequestError(
        f"{what} at once: {size:,}; at most {limit:,} are read. Take a part of it.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
