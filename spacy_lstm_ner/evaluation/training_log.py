"""The training log, which contains the learning curves of the report.

It is a JSON Lines file. The first line, the header, describes how the pipeline is
trained; each evaluation, and the pretraining of each component, adds a line. Lines are
written immediately, so the log can be read while training is running or after it was
interrupted.
"""

import json
import math
import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from time import perf_counter
from typing import IO, Any, NamedTuple

from spacy import registry
from spacy.language import Language

from ..data.compatibility import check_labels
from ..model.pretraining import Pretraining
from ..pipeline import nested_recognizers, recognizers

#: The format that the header of a log names.
FORMAT = "spacy-lstm-ner.ReportLogger.v1"
_PACKAGES = ("spacy-lstm-ner", "spacy", "thinc", "numpy")

LogStep = Callable[[dict[str, Any] | None], None]
Setup = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]


class TrainingLog(NamedTuple):
    """The content of a training log."""

    #: "config", a string; "versions", a dict; and "unit", what the counted tokens are:
    #: "characters" or "tokens".
    header: dict[str, Any]
    #: For each evaluation "step", "epoch", "score", "losses", "scores", "learn_rate",
    #: "tokens" so far, "seconds" since the start, and "speed" in tokens per second.
    #: Unknown values are None.
    evaluations: list[dict[str, Any]]
    #: For each pretrained component "pretraining", its name; the number of "texts" and
    #: of "steps"; the duration in "seconds"; and "losses", pairs of a step and the mean
    #: loss per masked character up to it.
    pretrainings: Sequence[dict[str, Any]] = ()

    @property
    def best(self) -> dict[str, Any] | None:
        """The evaluation of the pipeline that is saved as model-best; None if there is
        none. Of several with the best score it is the last one, since spaCy saves the
        pipeline again if the score is reached again."""
        scored = [line for line in self.evaluations if line["score"] is not None]
        return max(reversed(scored), key=lambda line: line["score"], default=None)


def report_logger(path: str | Path | None = None) -> Setup:
    """`spacy-lstm-ner.ReportLogger.v1`: write a training log for `python -m spacy
    lstm-ner report`. It prints nothing; combine it with a logger that does, using
    `spacy.ChainLogger.v1`.

    path: The file; the log of an earlier training is replaced. None: write no log.
    RETURNS: The function that spaCy calls to set up the logger.
    RAISES (OSError): At the start of training, if the file cannot be written.
    RAISES (ValueError): At the start of training, if the data contains labels that a
        trained component does not know.
    """

    def setup(nlp: Language, stdout: IO, stderr: IO) -> tuple[LogStep, Callable]:
        # spaCy has no other hook that is called at the start of training.
        check_labels(nlp)
        if not path:
            return lambda info: None, lambda: None
        log = _LogWriter(nlp, Path(path))
        return log.log_step, log.close

    return setup


class _LogWriter:
    """Writes the log of a training."""

    def __init__(self, nlp: Language, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf8")
        self._write(_header(nlp))
        self._nlp = nlp
        training = nlp.config.interpolate()["training"]
        # spaCy does not pass its optimizer to loggers: this is a copy of it.
        self._optimizer = registry.resolve({"of": training["optimizer"]})["of"]
        self._meter = _SpeedMeter()
        self._logged = dict(_pretrainings(nlp))

    def log_step(self, info: dict[str, Any] | None) -> None:
        """Log a step; spaCy calls this after each one.

        info: The result of the evaluation after the step; None if there was none.
        """
        # The schedules of spaCy's optimizer have already been stepped.
        learn_rate = getattr(self._optimizer, "learn_rate", None)
        if hasattr(self._optimizer, "step_schedules"):
            self._optimizer.step_schedules()
        pretraining_seconds = self._log_pretraining()
        if info is None:
            self._meter.step(excluded=pretraining_seconds)
            return
        self._write(
            {
                "step": info["step"],
                "epoch": info["epoch"],
                "score": _numbers(info["score"]),
                "losses": _numbers(info["losses"]),
                "scores": _numbers(info["other_scores"]),
                "learn_rate": _numbers(learn_rate),
                "tokens": info["words"],
                "seconds": round(self._meter.seconds, 3),
                "speed": self._meter.speed(info["words"]),
            }
        )
        self._meter.evaluated(info["words"])

    def _log_pretraining(self) -> float:
        """Log pretraining that has taken place in this step, and return its duration in
        seconds."""
        new = {
            name: pretraining
            for name, pretraining in _pretrainings(self._nlp)
            if pretraining is not self._logged.get(name)
        }
        self._logged.update(new)
        for name, pretraining in new.items():
            self._write({"pretraining": name, **_numbers_of(pretraining)})
        return sum(pretraining.seconds for pretraining in new.values())

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _SpeedMeter:
    """Measures the speed of training between evaluations, without pretraining.

    A step with an evaluation is excluded, since loggers are not called between the step
    and the evaluation. It is assumed to have as many tokens as the others.
    """

    def __init__(self) -> None:
        self._start = self._since = self._until = perf_counter()
        self._steps = self._tokens = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start of training."""
        return perf_counter() - self._start

    def step(self, *, excluded: float = 0.0) -> None:
        """Record the end of a step without an evaluation.

        excluded: Seconds of the step that are not counted.
        """
        self._steps += 1
        self._since += excluded
        self._until = perf_counter()

    def speed(self, tokens: int) -> float | None:
        """Return the speed since the last evaluation.

        tokens: Number of tokens since the start of training.
        RETURNS: Tokens per second; None if each step is evaluated.
        """
        seconds = self._until - self._since
        if not self._steps or not seconds:
            return None
        share = self._steps / (self._steps + 1)
        return round((tokens - self._tokens) * share / seconds, 1)

    def evaluated(self, tokens: int) -> None:
        """Record the end of an evaluation, from which on the next steps are measured.

        tokens: Number of tokens since the start of training.
        """
        self._steps, self._tokens = 0, tokens
        self._since = self._until = perf_counter()


def _header(nlp: Language) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "config": nlp.config.interpolate().to_str(),
        "versions": package_versions(),
        "unit": unit_name(nlp),
    }


def _pretrainings(nlp: Language) -> Iterator[tuple[str, Pretraining]]:
    """Yield the pretraining of each component that was pretrained."""
    for name, component in (recognizers(nlp) | nested_recognizers(nlp)).items():
        if component.pretraining is not None:
            yield name, component.pretraining


def _numbers_of(pretraining: Pretraining) -> dict[str, Any]:
    return {
        "texts": pretraining.texts,
        "steps": pretraining.steps,
        "seconds": round(pretraining.seconds, 3),
        "losses": [[step, _numbers(loss)] for step, loss in pretraining.losses],
    }


def package_versions() -> dict[str, str]:
    """Return the installed versions of Python and of the packages that affect a
    pipeline."""
    packages = {name: version(name) for name in _PACKAGES}
    return {**packages, "Python": platform.python_version()}


def unit_name(nlp: Language) -> str:
    """Return what the tokens of a pipeline are: "characters" or "tokens"."""
    by_character = getattr(nlp.tokenizer, "segmenter", None) == "char"
    return "characters" if by_character else "tokens"


def _numbers(value: Any) -> Any:
    """Convert a number, or the numbers in nested dicts, for JSON. Non-finite numbers
    and other values become None or are removed from the dict."""
    if isinstance(value, dict):
        found = {str(key): _numbers(part) for key, part in value.items()}
        return {key: part for key, part in found.items() if part not in (None, {})}
    if isinstance(value, Real) or getattr(value, "shape", None) == ():
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def read_log(path: Path) -> TrainingLog:
    """Read a training log.

    path: The file.
    RETURNS: The log. An incomplete last line, as after a training that was killed, is
        ignored.
    RAISES (OSError, ValueError): If the file cannot be read, or is not a training log.
        The message names the line.
    """
    *complete, _ = path.read_bytes().split(b"\n")
    parsed = [_parse(line, f"{path}:{i}") for i, line in enumerate(complete, start=1)]
    header, *lines = parsed or [{}]
    if header.get("format") != FORMAT or not header.keys() >= _HEADER:
        raise ValueError(f"{path}:1: not the header of a log of {FORMAT}")
    evaluations: list[dict[str, Any]] = []
    pretrainings: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=2):
        of_pretraining = "pretraining" in line
        _check(line, _PRETRAINING if of_pretraining else _EVALUATION, path, number)
        (pretrainings if of_pretraining else evaluations).append(line)
    return TrainingLog(header, evaluations, pretrainings)


def _check(line: dict[str, Any], keys: dict[str, Any], path: Path, number: int) -> None:
    if missing := keys.keys() - line.keys():
        raise ValueError(f"{path}:{number}: missing {', '.join(sorted(missing))}")
    for key, types in keys.items():
        if not isinstance(line[key], types):
            raise ValueError(f"{path}:{number}: invalid {key}: {line[key]!r}")
    if keys is _PRETRAINING and not all(map(_is_point, line["losses"])):
        raise ValueError(
            f"{path}:{number}: invalid losses: not pairs of a step and a loss"
        )


def _is_point(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], int)
        and isinstance(value[1], _NUMBER_OR_NULL)
    )


_HEADER = {"config", "versions", "unit"}
_NUMBER_OR_NULL = (int, float, type(None))
_EVALUATION: dict[str, Any] = {
    "step": int,
    "epoch": int,
    "score": _NUMBER_OR_NULL,
    "losses": dict,
    "scores": dict,
    "learn_rate": _NUMBER_OR_NULL,
    "tokens": int,
    "seconds": (int, float),
    "speed": _NUMBER_OR_NULL,
}
_PRETRAINING: dict[str, Any] = {
    "pretraining": str,
    "texts": int,
    "steps": int,
    "seconds": (int, float),
    "losses": list,
}


def _parse(line: bytes, location: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        raise ValueError(f"{location}: invalid JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{location}: not a JSON object")
    return value
