"""Random numbers of a row: a function of a name, a seed and the row alone, never of what came before.

Row k gets the same numbers whatever the size asked, in whatever order or process it is made
(counter-based generation, Salmon et al. 2011, here with the finaliser of splitmix64).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
"""64 random bits a row."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def random_bits(rows: Bits, name: str, seed: int) -> Bits:
    """64 bits a row; another name or seed gives unrelated ones, distinct rows distinct ones."""
    start = np.frombuffer(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], np.uint64)[0]
    return _mixed(_mixed(rows * _STEP + start) + start)


def uniform(bits: Bits) -> npt.NDArray[np.float64]:
    """A number in [0, 1) of the 53 highest bits."""
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53, np.float64)


def below(bits: Bits, counts: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64]:
    """A whole number in 0..count-1 of the 32 lowest bits, count up to 2**31, one for all or one a row."""
    low = bits & np.uint64(0xFFFFFFFF)
    return (low * np.asarray(counts, np.uint64) >> np.uint64(32)).astype(np.int64)


def keys_of(ids: Iterable[str]) -> Bits:
    """The row number that stands for each id: the first 64 bits of its SHA-256."""
    return np.frombuffer(b"".join(hashlib.sha256(id_.encode()).digest()[:8] for id_ in ids), np.uint64)


def _mixed(bits: Bits) -> Bits:
    bits = (bits ^ bits >> np.uint64(30)) * _MIX_1
    bits = (bits ^ bits >> np.uint64(27)) * _MIX_2
    return bits ^ bits >> np.uint64(31)
