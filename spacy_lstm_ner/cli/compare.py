"""The command `compare`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, Data, GpuId, Limit, Opt
from .output import print_lines, print_written

if TYPE_CHECKING:
    from ..evaluation.compare import Comparison, Difference, LabelComparison
    from ..tags import Span

# Characters of a text that are shown.
_MAX_TEXT = 80


@exit_on_error()
def compare_cli(
    first: Annotated[
        str, Arg(metavar="A", help="Folder or installed package of a pipeline")
    ],
    second: Annotated[str, Arg(metavar="B", help="The pipeline to compare with it")],
    data: Data,
    output: Annotated[
        Optional[Path], Opt("--output", "-o", help="JSON file for all figures")
    ] = None,
    limit: Limit = 0,
    examples: Annotated[
        int, Opt("--examples", "-e", help="Documents to show that differ", min=0)
    ] = 5,
    samples: Annotated[
        int, Opt("--samples", help="Number of samples of each test", min=1)
    ] = 10_000,
    seed: Annotated[int, Opt("--seed", help="Seed of the samples")] = 0,
    gpu_id: GpuId = -1,
) -> None:
    """Compare two pipelines on the same annotated documents.

    Tests whether their F1 differs by more than what other documents of the same kind
    would bring about, by two methods: the paired bootstrap and approximate
    randomization. A small p-value, such as 0.01, says that a difference of this size is
    unlikely between pipelines that are equally good.

    It does not say whether one config is better than another: two trainings of the same
    config with other seeds often differ, too. Compare several seeds of each.

    Example:

    \b
    python -m spacy lstm-ner compare training/a/model-best training/b/model-best corpus/test.spacy
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..evaluation.compare import compare
    from ..util.atomic import check_writable
    from .score_output import write_scores

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    if output is not None:
        check_writable(output, data)
    result = compare(first, second, data, limit=limit, samples=samples, seed=seed)
    if output is not None:
        write_scores(_as_json(result), output)
    _print_comparison(msg, result, examples)
    if output is not None:
        print_written(msg, output)


def _print_comparison(msg: Printer, result: "Comparison", n_examples: int) -> None:
    from ..util.text import printable

    msg.table(
        [
            *(
                (printable(label), *_cells(found))
                for label, found in result.by_label.items()
            ),
            ("all", *_cells(result.overall)),
        ],
        header=("F", "A", "B", "B - A", "95% interval", "p bootstrap", "p randomized"),
        aligns=("l", *("r" for _ in range(6))),
        divider=True,
    )
    msg.table(
        [
            ("documents", f"{result.documents:,}"),
            ("- with other predictions", f"{len(result.differences):,}"),
            ("gold entities found by A only", f"{result.only_first:,}"),
            ("gold entities found by B only", f"{result.only_second:,}"),
        ],
        aligns=("l", "r"),
    )
    test = result.overall.test
    if not result.differences:
        msg.info("The predictions are the same.")
    elif max(test.p_bootstrap, test.p_randomization) < 0.05:
        better = "B" if test.difference > 0 else "A"
        msg.good(f"{better} is better on such documents (p < 0.05).")
    else:
        msg.info("The difference may be due to the choice of documents (p >= 0.05).")
    msg.text("Trainings of the same config with other seeds may differ by more.")
    if result.differences and n_examples:
        msg.text("Documents with other predictions:")
        for difference in result.differences[:n_examples]:
            print_lines(*_lines(difference))


def _cells(found: "LabelComparison") -> list[str]:
    from ..evaluation.significance import decimals, interval_text, percent

    first, second, test = found
    digits = max(decimals(first.intervals.f), decimals(second.intervals.f))
    # A difference of pairs is known better than each of them.
    return [
        percent(first.f, digits),
        percent(second.f, digits),
        f"{100 * test.difference:+.{decimals(test.interval)}f}",
        interval_text(list(test.interval)),
        f"{test.p_bootstrap:.4f}",
        f"{test.p_randomization:.4f}",
    ]


def _lines(difference: "Difference") -> list[str]:
    from ..util.text import shortened

    text, gold = difference.text, set(difference.gold)
    first, second = set(difference.first), set(difference.second)

    def listed(spans: "set[Span]") -> str:
        return ", ".join(
            f"{span.label} {text[span.start : span.end]!r}"
            + ("" if span in gold else " (wrong)")
            for span in sorted(spans)
        )

    lines = [f"{difference.number}: {shortened(text, _MAX_TEXT)}"]
    lines += [f"  only A: {listed(first - second)}"] if first - second else []
    lines += [f"  only B: {listed(second - first)}"] if second - first else []
    return lines


def _as_json(result: "Comparison") -> dict[str, Any]:
    def scores(found: "LabelComparison") -> dict[str, Any]:
        sides = {"a": found.first, "b": found.second}
        return {
            **{
                name: {
                    "p": side.p,
                    "r": side.r,
                    "f": side.f,
                    "f_interval": side.intervals.f,
                }
                for name, side in sides.items()
            },
            **found.test._asdict(),
        }

    return {
        "documents": result.documents,
        "level": result.level,
        "only_a": result.only_first,
        "only_b": result.only_second,
        "all": scores(result.overall),
        "per_type": {label: scores(found) for label, found in result.by_label.items()},
    }
