"""What a report says first: how good a pipeline is, where it is weak, and what to do
next."""

from collections import Counter
from typing import NamedTuple

from .report import Report, entity_calibration, score_intervals, scores_by_type
from .scorer import CalibrationBin, expected_calibration_error
from .significance import decimals, interval_text, percent

#: Sections of the report that advice refers to.
CURVES, CALIBRATION, ERRORS, ISSUES = "curves", "calibration", "errors", "issues"

# What an error of a kind is called, and several ones.
_KINDS = {
    "boundary": ("a wrong boundary", "wrong boundaries"),
    "type": ("a wrong type", "wrong types"),
    "boundary_and_type": (
        "a wrong boundary and type",
        "wrong boundaries and types",
    ),
    "missed": ("a missed entity", "missed entities"),
    "spurious": ("a spurious entity", "spurious entities"),
}
# Fewer label issues, or a smaller share of the errors, are not what to begin with.
_MIN_ISSUES, _MIN_SHARE = 5, 0.1
# A larger calibration error of at least so many entities is worth to be corrected.
_MAX_CALIBRATION_ERROR, _MIN_CALIBRATED = 0.05, 50
# A type with fewer entities is rare.
_RARE = 30
# Maximum number of types that are named.
_MAX_NAMED = 3


class Advice(NamedTuple):
    """A sentence, with what it refers to."""

    text: str
    #: The section of the report; empty: none.
    section: str = ""
    #: The command; empty: none.
    command: str = ""


class ReportSummary(NamedTuple):
    """Three sentences."""

    quality: str
    weakness: Advice
    next_step: Advice


def summarize(report: Report) -> ReportSummary:
    """Summarize a report.

    report: The report.
    RETURNS: How good the pipeline is, where it is weak, and what to do next.
    """
    return ReportSummary(_quality(report), _weakness(report), _next_step(report))


def _quality(report: Report) -> str:
    analysis = report.analysis
    scores = scores_by_type(analysis)[""]
    texts = _count(len(analysis.records), "text")
    if not analysis.gold.total():
        return f"The {texts} have no annotated entities, so that all it finds is wrong."
    if not scores.tp + scores.fp:
        return f"It finds none of the {analysis.gold.total():,} entities in {texts}."
    interval = score_intervals(analysis)["f"]
    limits = interval_text(interval, none="")
    return (
        f"In {texts} it finds {100 * scores.recall:.0f} of 100 entities, and "
        f"{100 * scores.precision:.0f} of 100 that it predicts are correct: F1 is "
        f"{percent(scores.fscore, decimals(interval))}%"
        + (f" (95% interval: {limits})." if limits else ".")
    )


def _weakness(report: Report) -> Advice:
    errors, n = report.analysis.errors, report.analysis.gold.total()
    if not errors:
        # The "rule of three" (Hanley & Lippman-Hand, 1983).
        return Advice(
            f"There is no error, but {n:,} entities are too few to say that there "
            f"would be none elsewhere: up to {min(100.0, 300 / max(n, 1)):.0f} of 100 "
            f"may be wrong in other texts of the same kind."
        )
    labels = Counter(error.entity.label for error in errors)
    label, size = labels.most_common(1)[0]
    kinds = Counter(e.kind for e in errors if e.entity.label == label)
    kind, frequent = kinds.most_common(1)[0]
    one, several = _KINDS[kind]
    if len(errors) == 1:
        return Advice(f"It makes one error, {one} ({label}).", ERRORS)
    if size == 1:
        return Advice(
            f"Its {len(errors):,} errors are of {len(errors):,} types.", ERRORS
        )
    of_kind = "all of which are" if frequent == size else f"of which {frequent:,} are"
    of_kind = f"{of_kind} {several}" if frequent > 1 else f"of which one is {one}"
    if len(labels) == 1:
        return Advice(f"It makes {size:,} errors, {of_kind}.", ERRORS)
    return Advice(
        f"{label} has the most errors: {size:,} of {len(errors):,}, {of_kind}.", ERRORS
    )


def _next_step(report: Report) -> Advice:
    analysis = report.analysis
    issues, errors = len(analysis.label_issues), len(analysis.errors)
    if issues >= _MIN_ISSUES and issues >= _MIN_SHARE * errors:
        return Advice(
            f"Next, check the annotation: {issues:,} places in it look wrong, and they "
            f"count as errors here.",
            ISSUES,
            "python -m spacy lstm-ner errors",
        )
    log = report.log
    if log and len(log.evaluations) > 2 and log.best is log.evaluations[-1]:
        return Advice(
            "Next, train longer (training.max_epochs, training.max_steps): the last "
            "evaluation was the best one, so the score was still rising.",
            CURVES,
        )
    curve = entity_calibration(analysis)
    error = expected_calibration_error(curve) or 0.0
    n = sum(one.size for one in curve)
    if error > _MAX_CALIBRATION_ERROR and n >= _MIN_CALIBRATED:
        return Advice(
            f"Next, calibrate it: its probabilities are too {_direction(curve)}, by "
            f"{100 * error:.0f} points on average.",
            CALIBRATION,
            "python -m spacy lstm-ner calibrate",
        )
    if rare := _rare_and_weak(report):
        named = ", ".join(rare[:_MAX_NAMED]) + (
            " and others" if len(rare) > _MAX_NAMED else ""
        )
        return Advice(
            f"Next, annotate more texts with {named}: each has fewer than {_RARE} "
            f"entities here, and is found less well than the others.",
            command="python -m spacy lstm-ner pick",
        )
    if errors:
        return Advice(
            "Next, read the errors below, the most confident ones first: they show "
            "what the training data lacks.",
            ERRORS,
        )
    return Advice("Next, evaluate it on more texts, and on harder ones.")


def _direction(curve: list[CalibrationBin]) -> str:
    excess = sum(
        one.size * (one.mean_probability - one.fraction_correct) for one in curve
    )
    return "high" if excess > 0 else "low"


def _rare_and_weak(report: Report) -> list[str]:
    """The rare types with a lower F1 than all together, the most frequent first."""
    scores = scores_by_type(report.analysis)
    gold = report.analysis.gold
    return [
        label
        for label, n in gold.most_common()
        if n < _RARE and scores[label].fscore < scores[""].fscore
    ]


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
