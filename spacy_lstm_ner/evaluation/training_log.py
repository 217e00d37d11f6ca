"""The log of a training, from which the report draws its curves.

It is a file with lines of JSON. The first one, the header, says how the pipeline is
trained; each evaluation adds one, and so does the pretraining of a component. A line is
there as soon as it is known, so a training that still runs, or was interrupted, has a
log, too.
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
from ..pipeline import recognizers

#: What the header of a log says that it is.
FORMAT = "spacy-lstm-ner.ReportLogger.v1"
_PACKAGES = ("spacy-lstm-ner", "spacy", "thinc", "numpy")

LogStep = Callable[[dict[str, Any] | None], None]
Setup = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]


class Log(NamedTuple):
    """The log of a training."""

    #: Has "config", a string; "versions", a dict; and "unit": what the tokens are that
    #: are counted, "characters" or "tokens".
    header: dict[str, Any]
    #: Each has "step", "epoch", "score", "losses", "scores", "learn_rate", "tokens" so
    #: far, "seconds" since the start, and "speed" in tokens a second. What is not
    #: known is null.
    evaluations: list[dict[str, Any]]
    #: One for each component that was pretrained: "pretraining", its name; how many
    #: "texts" it read, in how many "steps" and "seconds"; and "losses", pairs of a step
    #: and the mean loss of a guess up to it.
    pretrainings: Sequence[dict[str, Any]] = ()

    @property
    def best(self) -> dict[str, Any] | None:
        """The evaluation whose pipeline is kept as model-best: of the best ones the
        last, since spaCy saves it anew where the score is reached again."""
        scored = [line for line in self.evaluations if line["score"] is not None]
        return max(reversed(scored), key=lambda line: line["score"], default=None)


def report_logger(path: str | Path | None = None) -> Setup:
    """`spacy-lstm-ner.ReportLogger.v1`: writes the log of a training for `python -m
    spacy lstm-ner report`. It prints nothing; `spacy.ChainLogger.v1` sets it beside a
    logger that does.

    path (str | Path | None): The file. What another training wrote there is replaced.
        None: the logger does nothing.
    RETURNS (Setup): What spaCy's training calls.
    RAISES (OSError): As training begins, where the file cannot be written.
    RAISES (ValueError): As training begins, where the data has labels that a component
        does not know which goes on training.
    """

    def setup(nlp: Language, stdout: IO, stderr: IO) -> tuple[LogStep, Callable]:
        # Here since spaCy has no other place that is called as training begins.
        check_labels(nlp)
        if not path:
            return lambda info: None, lambda: None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = Path(path).open("w", encoding="utf8")  # noqa: SIM115 (see `finalize`)

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()

        write(_header(nlp))
        training = nlp.config.interpolate()["training"]
        # spaCy does not hand over its optimizer: this is a twin.
        optimizer = registry.resolve({"of": training["optimizer"]})["of"]
        watch = _Watch()
        done = dict(_pretrainings(nlp))

        def log_pretraining() -> float:
            """Where the step began with pretraining; gives the seconds that it took."""
            new = {k: v for k, v in _pretrainings(nlp) if v is not done.get(k)}
            done.update(new)
            for name, pretraining in new.items():
                write({"pretraining": name, **_numbers_of(pretraining)})
            return sum(pretraining.seconds for pretraining in new.values())

        def log_step(info: dict[str, Any] | None) -> None:
            # spaCy has already set the rate of the next step.
            learn_rate = getattr(optimizer, "learn_rate", None)
            if hasattr(optimizer, "step_schedules"):
                optimizer.step_schedules()
            pretraining_seconds = log_pretraining()
            if info is None:
                watch.step(left_out=pretraining_seconds)
                return
            write(
                {
                    "step": info["step"],
                    "epoch": info["epoch"],
                    "score": _numbers(info["score"]),
                    "losses": _numbers(info["losses"]),
                    "scores": _numbers(info["other_scores"]),
                    "learn_rate": _numbers(learn_rate),
                    "tokens": info["words"],
                    "seconds": round(watch.seconds, 3),
                    "speed": watch.speed(info["words"]),
                }
            )
            watch.evaluated(info["words"])

        finalize = file.close
        return log_step, finalize

    return setup


class _Watch:
    """Measures the speed of training between two evaluations, without the pretraining.
    The step that is followed by an evaluation is left out, since it is not told when
    the one ends and the other begins; it is taken to have as many tokens as the
    others."""

    def __init__(self) -> None:
        self._start = self._since = self._until = perf_counter()
        self._steps = self._tokens = 0

    @property
    def seconds(self) -> float:
        return perf_counter() - self._start

    def step(self, *, left_out: float = 0.0) -> None:
        """After a step without an evaluation.

        left_out (float): So many seconds of it were something else.
        """
        self._steps += 1
        self._since += left_out
        self._until = perf_counter()

    def speed(self, tokens: int) -> float | None:
        """After an evaluation.

        tokens (int): How many were read since the start.
        RETURNS (float | None): Tokens a second; None where each step was evaluated.
        """
        seconds = self._until - self._since
        if not self._steps or not seconds:
            return None
        share = self._steps / (self._steps + 1)
        return round((tokens - self._tokens) * share / seconds, 1)

    def evaluated(self, tokens: int) -> None:
        """From here on the next steps are measured."""
        self._steps, self._tokens = 0, tokens
        self._since = self._until = perf_counter()


def _header(nlp: Language) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "config": nlp.config.interpolate().to_str(),
        "versions": versions(),
        "unit": unit(nlp),
    }


def _pretrainings(nlp: Language) -> Iterator[tuple[str, Pretraining]]:
    """How the pretraining of components went that have had theirs."""
    for name, component in recognizers(nlp).items():
        if component.pretraining is not None:
            yield name, component.pretraining


def _numbers_of(pretraining: Pretraining) -> dict[str, Any]:
    return {
        "texts": pretraining.texts,
        "steps": pretraining.steps,
        "seconds": round(pretraining.seconds, 3),
        "losses": [[step, _numbers(loss)] for step, loss in pretraining.losses],
    }


def versions() -> dict[str, str]:
    """RETURNS (dict[str, str]): What a pipeline is trained and run with."""
    packages = {name: version(name) for name in _PACKAGES}
    return {**packages, "Python": platform.python_version()}


def unit(nlp: Language) -> str:
    """What the tokens of a pipeline are, for people: "characters" or "tokens"."""
    by_character = getattr(nlp.tokenizer, "segmenter", None) == "char"
    return "characters" if by_character else "tokens"


def _numbers(value: Any) -> Any:
    """A number, or what there is of numbers in a dict of dicts. NumPy's and CuPy's
    become Python's; JSON has none that are not finite."""
    if isinstance(value, dict):
        found = {str(key): _numbers(part) for key, part in value.items()}
        return {key: part for key, part in found.items() if part not in (None, {})}
    if isinstance(value, Real) or getattr(value, "shape", None) == ():
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def read_log(path: Path) -> Log:
    """Read the log of a training.

    path (Path): The file.
    RETURNS (Log): What is in it. A last line that was not written to its end, as of a
        training that was killed, is left out.
    RAISES (OSError, ValueError): For a file that cannot be read, or is not such a log.
        The message names the line.
    """
    *whole, _ = path.read_bytes().split(b"\n")
    parsed = [
        _parsed(line, f"{path}:{number}") for number, line in enumerate(whole, start=1)
    ]
    header, *lines = parsed or [{}]
    if header.get("format") != FORMAT or not header.keys() >= _HEADER:
        raise ValueError(f"{path}:1: this is not the header that {FORMAT} writes")
    evaluations: list[dict[str, Any]] = []
    pretrainings: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=2):
        of_pretraining = "pretraining" in line
        _check(line, _PRETRAINING if of_pretraining else _EVALUATION, path, number)
        (pretrainings if of_pretraining else evaluations).append(line)
    return Log(header, evaluations, pretrainings)


def _check(line: dict[str, Any], keys: dict[str, Any], path: Path, number: int) -> None:
    if missing := keys.keys() - line.keys():
        raise ValueError(f"{path}:{number}: no {', '.join(sorted(missing))}")
    for key, types in keys.items():
        if not isinstance(line[key], types):
            raise ValueError(f"{path}:{number}: {key} cannot be {line[key]!r}")
    if keys is _PRETRAINING and not all(map(_is_point, line["losses"])):
        raise ValueError(f"{path}:{number}: losses are not pairs of a step and a loss")


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


def _parsed(line: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        raise ValueError(f"{place}: this line is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{place}: this line is not an object of JSON")
    return value
