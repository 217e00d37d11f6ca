"""The command `info`."""

from .output import print_lines


def info_cli() -> None:
    """Print versions, and how this installation computes.

    Shows whether the compiled kernels are in use, for which instruction set of the
    processor, and on how many threads; if they are not, why. Include it in reports of
    problems.

    The environment variable SPACY_LSTM_NER_KERNELS chooses the kernels: "off" turns
    them off, "avx512", "avx2" or "neon" selects an instruction set. OMP_NUM_THREADS
    limits the threads.

    Example:

    \b
    python -m spacy lstm-ner info
    """
    from ..kernels import description
    from ..util.versions import installed

    rows = [*installed(), *description()]
    width = max(len(name) for name, _ in rows)
    print_lines(*(f"{name:{width}}  {value}" for name, value in rows))
