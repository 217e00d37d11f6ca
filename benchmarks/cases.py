"""What a layer has to do in one measurement."""

from typing import Any, NamedTuple

import numpy as np

# With this seed the first 32 lengths make 2,080 steps, and the first one is a middling
# 69.
SEED = 10116
SHORTEST, LONGEST = 5, 119
#: Both ways of use. Training is the way forwards and the gradients of all inputs and
#: weights; there is no optimizer in it.
TASKS = ("inference", "training")
#: Threads are one and two, which is what the goals of the project are about.
THREADS = (1, 2)


class Case(NamedTuple):
    task: str
    lengths: tuple[int, ...]
    units: int = 128  # hidden units a direction
    directions: int = 2
    inputs: int = 128

    @property
    def width(self) -> int:
        """Of the output."""
        return self.units * self.directions

    @property
    def facts(self) -> dict[str, Any]:
        """For a record."""
        return {
            "task": self.task,
            "units": self.units,
            "directions": self.directions,
            "sequences": len(self.lengths),
            "items": sum(self.lengths),
        }


def ragged_lengths(sequences: int) -> tuple[int, ...]:
    """Lengths between the shortest and the longest; those of a smaller batch are the
    first ones of a larger one."""
    lengths = np.random.default_rng(SEED).integers(SHORTEST, LONGEST + 1, sequences)
    return tuple(lengths.tolist())
