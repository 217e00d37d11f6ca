"""The inputs of one measurement of a layer."""

from typing import Any, NamedTuple

import numpy as np

# With this seed, the first 32 lengths add up to 2,080 steps, and the first length, 69,
# is close to the mean.
SEED = 10116
SHORTEST, LONGEST = 5, 119
#: Training is the forward pass and the gradients of all inputs and weights, without an
#: optimizer.
TASKS = ("inference", "training")
#: Numbers of threads. The goals of the project are for one and two.
THREADS = (1, 2)


class Case(NamedTuple):
    task: str
    lengths: tuple[int, ...]
    units: int = 128  # hidden units per direction
    directions: int = 2
    inputs: int = 128

    @property
    def width(self) -> int:
        """Width of the output."""
        return self.units * self.directions

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that describe the case in a record."""
        return {
            "task": self.task,
            "units": self.units,
            "directions": self.directions,
            "sequences": len(self.lengths),
            "items": sum(self.lengths),
        }


def ragged_lengths(sequences: int) -> tuple[int, ...]:
    """Random lengths from `SHORTEST` to `LONGEST`. The lengths of a smaller batch are
    the first ones of a larger batch."""
    lengths = np.random.default_rng(SEED).integers(SHORTEST, LONGEST + 1, sequences)
    return tuple(lengths.tolist())
