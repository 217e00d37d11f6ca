"""Parts of files that come without splits: train, dev and test."""

import random
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice, repeat

from ..exceptions import DataError
from .files import DataFile, no_progress
from .formats import Progress, Record
from .problems import Report

PARTS = ("train", "dev", "test")


def parse_split(split: str) -> list[int]:
    """Read a split such as "80/10/10" or "90/10".

    split (str): Percentages for train, dev and, if there are three, test.
    RETURNS (list[int]): The percentages.
    RAISES (DataError): Unless there are two or three, above 0, that sum to 100.
    """
    try:
        shares = [int(share) for share in split.split("/")]
    except ValueError:
        shares = []
    if len(shares) not in (2, 3) or min(shares) < 1 or sum(shares) != 100:
        raise DataError(
            f"bad split {split!r}: give two or three whole percentages that sum to "
            f"100, such as 80/10/10 (train/dev/test) or 90/10 (train/dev)"
        )
    return shares


def split_records(n: int, shares: list[int], seed: int) -> bytes:
    """Deal records out at random, the same way on every machine.

    n (int): How many records there are.
    shares (list[int]): Percentage of each part.
    seed (int): Another seed makes another split.
    RETURNS (bytes): For each record, the number of its part.
    """
    # Only `random()` is promised to give the same numbers in every Python version;
    # `shuffle` and `sample` are not.
    rng = random.Random(seed)
    keys = [rng.random() for _ in range(n)]
    shuffled = sorted(range(n), key=keys.__getitem__)
    bounds = [round(n * share / 100) for share in accumulate(shares)]
    part_of = bytearray(n)
    for part, (start, end) in enumerate(zip([0, *bounds], bounds, strict=False)):
        for i in shuffled[start:end]:
            part_of[i] = part
    return bytes(part_of)


def dealt_records(
    file: DataFile,
    report: Report,
    *,
    limit: int = 0,
    shares: list[int] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Iterator[tuple[Record, int]]:
    """Read a file, and tell which part each record belongs to. A split takes two
    passes, as the number of records must be known before the first one can be dealt.

    file (DataFile): What to read.
    report (Report): Takes in the problems.
    limit (int): Read only so many records. 0 for all.
    shares (list[int] | None): Percentage of each part; None for one part.
    seed (int): Another seed makes another split.
    progress (Progress): Called with the bytes of each line read.
    RETURNS (Iterator[tuple[Record, int]]): Each record with the number of its part.
    """
    part_of: Iterable[int] = repeat(0)
    if shares:
        # Nothing is told in this pass: the next one meets the same problems.
        records = islice(file.records(Report(), progress=progress), limit or None)
        part_of = split_records(sum(1 for _ in records), shares, seed)
    records = islice(file.records(report, progress=progress), limit or None)
    # In this order: the records are read to their end, where a problem may still be.
    return zip(records, part_of, strict=False)
