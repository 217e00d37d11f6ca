"""The pipeline of the server: what it computes for a request."""

import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar

from spacy.language import Language
from spacy.tokens import Doc

from ..data.corpus import read_examples
from ..exceptions import RequestError
from ..interpret import explain, open_gates
from ..pages.demo_page import Demo, demo_page
from ..pages.gates_page import MAX_ATTRIBUTED, MAX_UNITS, GatesView, gates_view
from ..pipeline import (
    nested_recognizers,
    predicted_entities,
    recognizers,
    span_group_keys,
)
from ..pipeline.description import entity_labels, language_name, pipeline_title
from ..prediction.rows import entity_dicts
from ..util.cancellation import checkpoint
from ..util.text import escaped
from .examples import TEXTS, choose_examples
from .jobs import Job, Worker
from .settings import Settings

#: Maximum numbers of characters for the gates, and for the reasons ("why"), whose time
#: grows with the square of the size.
MAX_GATES, MAX_WHY = MAX_UNITS, MAX_ATTRIBUTED
# In bytes; the page divides a file into several requests.
_MAX_FILE = 20_000_000
# Maximum number of characters that are processed without a checkpoint. Requests with
# more are long jobs, which shorter ones may overtake.
_BATCH = 10_000
# Maximum number of records among which examples are chosen.
_MAX_EXAMPLES = 500

# It has entities of both types of the default data set.
_EXAMPLE = """王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。
3月6日，巴西采购12架猎鹰无人机。"""

#: The entities of a text, as in the response.
Entities = list[dict[str, Any]]
Result = TypeVar("Result")


class ServedPipeline:
    """A pipeline in a thread of its own. Its methods check a request, and return a job
    for it; they are called by the event loop.

    load: Loads the pipeline. It is called in the thread that runs the pipeline: a spaCy
        pipeline must be used by one thread only, because its vocabulary changes, and a
        GPU is selected per thread.
    settings: The limits.
    on_batch: See `Worker`.
    RAISES (Exception): What `load` raises.
    """

    def __init__(
        self,
        load: Callable[[], Language],
        settings: Settings,
        on_batch: Callable[[int], None] = lambda n_jobs: None,
    ):
        self._load = load
        self._settings = settings
        self._in_zone = False
        #: The page, as HTML; None if it is not offered.
        self.page: str | None = None
        self.worker: Worker[str, Entities] = Worker(
            self._find,
            on_error=_as_request_error,
            on_batch=on_batch,
            batch_size=_BATCH,
            max_short=settings.queue,
            max_long=settings.long_queue,
        )
        self.worker.start(self._prepare)

    def entities(self, texts: list[str]) -> Job[list[Entities]]:
        """A job that predicts the entities of texts.

        texts: The texts.
        RETURNS: The job. Its result has for each text a list of dicts with "start",
            "end" (in characters, that is, code points), "label", "text" and "score",
            which is None if the pipeline has no probabilities.
        RAISES (RequestError): If there are too many texts or characters.
        """
        if len(texts) > self._settings.texts:
            raise _too_many("texts", len(texts), self._settings.texts)
        size = sum(map(len, texts))
        if size > self._settings.characters:
            raise _too_many("characters", size, self._settings.characters)
        if size <= _BATCH:
            return Job(lambda: self._find(texts), items=texts, size=size)
        return Job(lambda: self._find_in_batches(texts), long=True)

    def gates(self, text: str, *, why: bool) -> Job[GatesView]:
        """A job that draws the gates of the LSTM on a text.

        text: The text.
        why: Also explain why its entities are predicted.
        RETURNS: The job. Its result is a part of the page. It raises a `RequestError`
            if the pipeline has no gates.
        RAISES (RequestError): If the text is empty or too long.
        """
        if not text:
            raise RequestError("The text is empty.")
        if len(text) > MAX_GATES:
            raise _too_many("characters", len(text), MAX_GATES)
        if why and len(text) > MAX_WHY:
            raise _too_many('characters for "why"', len(text), MAX_WHY)
        return Job(lambda: self._draw(_well_formed(text), why=why), long=why)

    # In the thread of the pipeline. No result may refer to a Doc: the memory of Docs
    # and of new words in the vocabulary is freed.

    def _prepare(self) -> None:
        """Load the pipeline, and write the page."""
        self._nlp = nlp = self._load()
        # A memory zone forgets the words that are new in it. Those that the pipeline
        # knows are not to be looked up again for each request.
        for word in list(nlp.vocab.strings):
            nlp.vocab[word]
        components = recognizers(nlp).values()
        nested = nested_recognizers(nlp).values()
        threshold = max(
            (pipe.threshold for pipe in (*components, *nested)), default=0.0
        )
        if self._settings.all_entities:
            for pipe in (*components, *nested):
                pipe.threshold = 0.0
            for pipe in nested:
                pipe.label_thresholds = {}
        for pipe in components:
            # Without a key the component does not store probabilities.
            pipe.spans_key = pipe.spans_key or pipe.name
        self._spans_keys = [str(pipe.spans_key) for pipe in components]
        self._find(["一"])  # the first call takes longer
        if self._settings.page:
            self.page = demo_page(
                Demo(
                    title=pipeline_title(nlp),
                    description=nlp.meta["description"],
                    language=language_name(nlp),
                    lang=nlp.lang or "",
                    components=nlp.pipe_names,
                    labels=entity_labels(nlp),
                    text=_EXAMPLE if nlp.lang == "zh" else "",
                    examples=self._examples(),
                    threshold=threshold,
                    limits={
                        "text": self._settings.characters,
                        "gates": MAX_GATES,
                        "why": MAX_WHY,
                        "file": _MAX_FILE,
                    },
                    no_gates=self._gates_error(),
                )
            )

    def _examples(self) -> list[tuple[str, str]]:
        """A text for each label, from the file of the settings or made up."""
        nlp, file = self._nlp, self._settings.examples
        texts: Iterable[str] = TEXTS.get(nlp.lang or "", ())
        if file is not None:
            read = read_examples(file, nlp, limit=_MAX_EXAMPLES)
            texts = (example.reference.text for example in read)
        return choose_examples(texts, self._find, entity_labels(nlp))

    def _gates_error(self) -> str | None:
        """Return why the pipeline has no gates to draw; None if it has."""
        try:
            self._draw("一", why=False)
        except RequestError as error:
            return str(error)
        return None

    def _find(self, texts: list[str]) -> list[Entities]:
        """Predict the entities of texts that are short enough for one batch."""
        texts = [_well_formed(text) for text in texts]
        return self._in_memory_zone(lambda: self._entities(texts))

    def _find_in_batches(self, texts: list[str]) -> list[Entities]:
        """Predict the entities of texts, with a checkpoint between two batches."""
        found: list[Entities] = []
        for batch in _batches(texts):
            checkpoint()
            found += self._find(batch)
        return found

    def _draw(self, text: str, *, why: bool) -> GatesView:
        def draw() -> GatesView:
            try:
                gates = open_gates(self._nlp, text)
            except ValueError as error:
                raise RequestError(str(error)) from None
            checkpoint()
            explanation = explain(self._nlp, text) if why else None
            return gates_view(gates, explanation=explanation)

        return self._in_memory_zone(draw)

    def _in_memory_zone(self, function: Callable[[], Result]) -> Result:
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

    def _entities(self, texts: list[str]) -> list[Entities]:
        # For a single text, this is faster than `nlp.pipe`.
        if len(texts) == 1:
            docs: Iterable[Doc] = [self._nlp(texts[0])]
        else:
            docs = self._nlp.pipe(texts)
        keys, groups = self._spans_keys, span_group_keys(self._nlp, None)
        return [
            entity_dicts(text, predicted_entities(doc, keys, groups))
            for doc, text in zip(docs, texts, strict=True)
        ]


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


def _well_formed(text: str) -> str:
    """Replace surrogates, which spaCy cannot store, without changing the length."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _too_many(what: str, size: int, limit: int) -> RequestError:
    return RequestError(
        f"Too many {what}: {size:,}; the limit is {limit:,}. Use a part of it.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )


def _as_request_error(error: BaseException) -> Exception:
    """Return the error for the client, and print what has gone wrong, if it is not the
    request."""
    if isinstance(error, RequestError):
        return error
    print_traceback()
    if isinstance(error, MemoryError):
        message = "Not enough memory for this text: use a shorter one."
    else:
        message = f"The pipeline failed: {type(error).__name__}: {error}"
    return RequestError(message, HTTPStatus.INTERNAL_SERVER_ERROR)


def print_traceback() -> None:
    """Print the current error to stderr, with control characters escaped: it may quote
    a text."""
    print(escaped(traceback.format_exc(), keep="\n\t"), end="", file=sys.stderr)
