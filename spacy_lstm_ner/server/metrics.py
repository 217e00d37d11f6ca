"""Counts and times of the server, in the text format of Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    GC_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

# Seconds. A short text takes about a millisecond.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_JOBS = (1, 2, 4, 8, 16, 32, 64, 128)
#: The content type of `Metrics.text`.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts and times of one server."""

    def __init__(self) -> None:
        # A registry for each server: the one of the library is shared by the process.
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lstm_ner_requests",
            "Responses by path and status",
            ["path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lstm_ner_request_seconds",
            "Time from the headers of a request to its response",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.texts = Counter(
            "lstm_ner_texts", "Texts in requests", registry=self._registry
        )
        self.characters = Counter(
            "lstm_ner_characters", "Characters in requests", registry=self._registry
        )
        self.cancelled = Counter(
            "lstm_ner_cancelled_requests",
            "Requests whose client disconnected before the response",
            registry=self._registry,
        )
        self.batches = Histogram(
            "lstm_ner_batch_requests",
            "Requests that the pipeline processed together",
            buckets=_JOBS,
            registry=self._registry,
        )
        # Memory, processor time and open files of the process; and the garbage
        # collector of Python.
        ProcessCollector(registry=self._registry)
        self._registry.register(GC_COLLECTOR)
        # To look one up by its labels takes longer than to increase it.
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def gauge(
        self, name: str, documentation: str, values: dict[str, Callable[[], float]]
    ) -> None:
        """Add values that are read when the metrics are requested.

        name: Name of the metric.
        documentation: What it is.
        values: The functions that return the values, by the label "kind"; with a single
            empty kind, there is no label.
        """
        if list(values) == [""]:
            gauge = Gauge(name, documentation, registry=self._registry)
            gauge.set_function(values[""])
            return
        gauge = Gauge(name, documentation, ["kind"], registry=self._registry)
        for kind, value in values.items():
            gauge.labels(kind).set_function(value)

    def responded(self, path: str, status: int, seconds: float) -> None:
        """Count a response.

        path: The path of a route: clients must not be able to add others.
        """
        key = path, status
        if key not in self._counters:
            self._counters[key] = self._requests.labels(path, str(status))
        if path not in self._histograms:
            self._histograms[path] = self._seconds.labels(path)
        self._counters[key].inc()
        self._histograms[path].observe(seconds)

    def text(self) -> bytes:
        """The metrics, in the text format of Prometheus."""
        return generate_latest(self._registry)
