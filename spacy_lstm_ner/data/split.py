"""Random splits of a dataset file into train, dev and test."""

import random
from itertools import accumulate

from ..exceptions import DataError

#: The parts of a split, in order.
PARTS = ("train", "dev", "test")


def parse_split(split: str) -> list[int]:
    """Parse a split such as "80/10/10" or "90/10".

    split: Percentages for train, dev and, optionally, test.
    RETURNS: The percentages.
    RAISES (DataError): Unless there are two or three positive percentages that add up
        to 100.
    """
    try:
        shares = [int(share) for share in split.split("/")]
    except ValueError:
        shares = []
    if len(shares) not in (2, 3) or min(shares) < 1 or sum(shares) != 100:
        raise DataError(
            f"invalid split {split!r}: give two or three positive whole percentages "
            f"that add up to 100, such as 80/10/10 (train/dev/test) or 90/10 "
            f"(train/dev)"
        )
    return shares


def split_records(n: int, shares: list[int], seed: int) -> bytes:
    """Assign records to the parts of a split at random. The result depends on the
    arguments alone, not on the machine or the version of Python.

    n: Number of records.
    shares: Percentage of each part.
    seed: Random seed.
    RETURNS: (n,) for each record the index of its part in `PARTS`.
    """
    # Of the random module, only `random()` is documented to give the same numbers in
    # all versions of Python; `shuffle` and `sample` are not.
    rng = random.Random(seed)
    keys = [rng.random() for _ in range(n)]
    shuffled = sorted(range(n), key=keys.__getitem__)
    bounds = [round(n * share / 100) for share in accumulate(shares)]
    part_of = bytearray(n)
    for part, (start, end) in enumerate(zip([0, *bounds], bounds, strict=False)):
        for i in shuffled[start:end]:
            part_of[i] = part
    return bytes(part_of)
