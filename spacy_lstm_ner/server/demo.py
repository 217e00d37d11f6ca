"""The pipeline behind the page of `python -m spacy lstm-ner visualize`."""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar

from spacy.language import Language
from spacy.tokens import Doc

from ..exceptions import RequestError
from ..interpret import explain, open_gates
from ..pages.demo_page import demo_page
from ..pages.entities import Entity, hue, scored_entities
from ..pages.gates_page import MAX_ATTRIBUTED, MAX_UNITS, gates_page
from ..pipeline import recognizers
from ..util.cancellation import checkpoint
from .jobs import QueueFull, Worker, WorkerClosed

#: Maximum sizes, in characters unless stated otherwise. The time for "why" grows with
#: the square of the size.
LIMITS: dict[str, int] = {
    "text": 100_000,
    "texts": 1_000,  # texts in a request
    "gates": MAX_UNITS,
    "why": MAX_ATTRIBUTED,
    "file": 20_000_000,  # bytes; the page divides a file into several requests
}

# Maximum number of characters that are processed without a checkpoint. Requests with
# more are long jobs, which shorter ones may overtake.
_BATCH = 10_000
# Seconds after which a client should retry if the queue is full, for short and long
# jobs.
_RETRY_AFTER = {False: 1, True: 10}
# Seconds that the running job may take to reach its next checkpoint at shutdown.
_SHUTDOWN_SECONDS = 0.5

# It has entities of both types of the default data set.
_EXAMPLE = """王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。
3月6日，巴西采购12架猎鹰无人机。"""

Result = TypeVar("Result")


def _never() -> bool:
    return False


class Demo:
    """A pipeline and its demo page. The methods can be called from several threads,
    which wait for the result. While they wait, they call the argument `cancelled`
    repeatedly: once it returns True, the computation stops, and `Cancelled` is raised.

    load: Loads the pipeline. Its thresholds are set to 0, since the page has its own.
        It is called in the thread that runs the pipeline: a spaCy pipeline must be used
        by one thread only, because its vocabulary changes, and a GPU is selected per
        thread.
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
            # Without a key the component does not store probabilities.
            pipe.spans_key = pipe.spans_key or pipe.name
        self._spans_keys = [str(pipe.spans_key) for pipe in components]
        #: The page, as HTML.
        self.page = demo_page(
            name="{lang}_{name} {version}".format_map(self._nlp.meta),
            components=self._nlp.pipe_names,
            # "xx" is not a language but spaCy's code for several languages.
            lang="" if self._nlp.lang in (None, "xx") else self._nlp.lang,
            example=_EXAMPLE if self._nlp.lang == "zh" else "",
            threshold=self._threshold,
            limits=LIMITS,
            no_gates=self._gates_error(),
        )

    def entities(
        self, texts: list[str], *, cancelled: Callable[[], bool] = _never
    ) -> dict[str, Any]:
        """Predict the entities of texts.

        texts: The texts.
        cancelled: Returns whether the result is no longer needed.
        RETURNS: "entities": for each text a list of dicts with "start", "end" (in
            characters, that is, code points), "label" and "score", which is None if the
            pipeline has no probabilities; "hues": the hue of each label.
        RAISES (RequestError): If there are too many texts, characters or requests.
        RAISES (Cancelled): If the result is no longer needed.
        """
        if len(texts) > LIMITS["texts"]:
            raise _too_many("texts", len(texts), LIMITS["texts"])
        size = sum(map(len, texts))
        if size > LIMITS["text"]:
            raise _too_many("characters", size, LIMITS["text"])

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
        self, text: str, *, why: bool, cancelled: Callable[[], bool] = _never
    ) -> dict[str, Any]:
        """Draw the gates of the LSTM on a text.

        text: The text.
        why: Also explain why its entities are predicted.
        cancelled: Returns whether the result is no longer needed.
        RETURNS: "page": an HTML page.
        RAISES (RequestError): If the pipeline has no gates, the text is empty or too
            long, or there are too many requests.
        RAISES (Cancelled): If the result is no longer needed.
        """
        if not text:
            raise RequestError("The text is empty.")
        if len(text) > LIMITS["gates"]:
            raise _too_many("characters", len(text), LIMITS["gates"])
        if why and len(text) > LIMITS["why"]:
            raise _too_many('characters for "why"', len(text), LIMITS["why"])
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
        """Cancel all requests, and end the thread of the pipeline.

        RETURNS: Whether the thread has ended: it may be busy in a part of the pipeline
            that cannot be cancelled.
        """
        return self._worker.close(_SHUTDOWN_SECONDS)

    def _do(
        self,
        function: Callable[[], Result],
        *,
        long: bool,
        cancelled: Callable[[], bool] = _never,
    ) -> Result:
        """Call a function in the thread of the pipeline. Its result must not refer to a
        Doc: the memory of Docs and of new words in the vocabulary is freed.

        RAISES (RequestError): If too many requests are waiting, or after `close`.
        RAISES (Cancelled): If the result is no longer needed.
        """

        def in_zone() -> Result:
            # Short jobs that run at a checkpoint of a long one share its memory zone:
            # spaCy's memory zones cannot be nested.
            if self._in_zone:
                return function()
            self._in_zone = True
            try:
                with self._nlp.memory_zone():
                    return function()
            finally:
                self._in_zone = False

        try:
            return self._worker.do(in_zone, long=long, cancelled=cancelled)
        except QueueFull:
            seconds = _RETRY_AFTER[long]
            raise RequestError(
                f"Too many requests are waiting: try again in {seconds} s.",
                HTTPStatus.SERVICE_UNAVAILABLE,
                retry_after=seconds,
            ) from None
        except WorkerClosed:
            raise RequestError(
                "The server is shutting down.", HTTPStatus.SERVICE_UNAVAILABLE
            ) from None

    def _scored(self, doc: Doc) -> list[Entity]:
        """Return the entities of a document, each with its probability from the
        component that predicted it."""
        by_key = [scored_entities(doc, key) for key in self._spans_keys or [""]]
        found = []
        for copies in zip(*by_key, strict=True):
            scores = (score for *_, score in copies if score is not None)
            start, end, label, _ = copies[0]
            found.append((start, end, label, next(scores, None)))
        return found

    def _gates_error(self) -> str | None:
        """Return why the pipeline has no gates to draw; None if it has."""
        try:
            self.gates("一", why=False)
        except RequestError as error:
            return str(error)
        return None


def _batches(texts: list[str]) -> Iterator[list[str]]:
    """Yield texts in batches of at most `_BATCH` characters, or of one text."""
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
    """Replace surrogates, which spaCy cannot store, without changing the length."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _too_many(what: str, size: int, limit: int) -> RequestError:
    return RequestError(
        f"Too many {what}: {size:,}; the limit is {limit:,}. Use a part of it.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
