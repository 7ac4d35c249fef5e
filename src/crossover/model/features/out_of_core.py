"""Out of core: matrices of many rows made piece by piece and left on the disk, mapped into memory.

A solver passes over a mapped matrix as over any other; the system holds of it what memory is left for. Values
are written, never stored through the map: a full disk is an error where it happens, not a killed process.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

ROWS = 200_000
"""Rows from which on the text features of a training set are made out of core."""
PIECE = 20_000
"""Rows made at a time."""


def pieces(rows: int, size: int | None = None) -> Iterator[slice]:
    """Slices of ``size`` rows, the last one shorter."""
    size = size or PIECE
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def document_frequencies(texts: Sequence[str], analyse: Callable[[str], Iterable[str]]) -> Counter[str]:
    """In how many texts each term of ``analyse`` occurs, terms in the order they are first met."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(dict.fromkeys(analyse(text)).keys())
    return counts


def spooled(made: Iterable[csr_matrix], columns: int) -> csr_matrix:
    """The pieces one below the other, (rows, columns) float64, read-only and mapped from a nameless file.

    The file lies in the folder that TMPDIR names and goes with the matrix.

    Raises:
        OSError: the disk is full; says how to name another one.
    """
    data, indices = _nameless(), _nameless()
    ends = [np.zeros(1, np.int64)]
    for piece in made:
        try:
            for file, values, dtype in ((data, piece.data, np.float64), (indices, piece.indices, np.int32)):
                file.write(np.ascontiguousarray(values, dtype).data)
                file.flush()  # what is mapped later must be on the disk: a full one is told here
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror} while laying out a matrix of features in {tempfile.gettempdir()}; "
                "name a folder with more room in the variable TMPDIR",
            ) from error
        ends.append(ends[-1][-1] + piece.indptr[1:].astype(np.int64))
    indptr = np.concatenate(ends)
    mapped = (_mapped(data, np.float64), _mapped(indices, np.int32))
    small = indptr.astype(np.int32) if indptr[-1] <= np.iinfo(np.int32).max else indptr
    matrix = csr_matrix((len(indptr) - 1, columns), dtype=np.float64)
    # Set one by one: the constructor would read, and may copy, what it is given.
    matrix.data, matrix.indices, matrix.indptr = *mapped, small
    return matrix


def is_spooled(matrix: csr_matrix) -> bool:
    """Whether the matrix lies on the disk."""
    return isinstance(matrix.data, np.memmap)


def _nameless() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="crossover-features-")


def _mapped(file: IO[bytes], dtype: type[np.generic]) -> NDArray[np.generic]:
    if not os.fstat(file.fileno()).st_size:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(file, dtype, "r")
