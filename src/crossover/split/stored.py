"""Stored: a split that was made before, read from its file."""

from __future__ import annotations

import json
from pathlib import Path

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.split import Split


class Stored:
    """The split of a ``split.json``; the corpus must be the one that it was made from.

    Args:
        path: the split's folder in a store, as the last line of scripts/split.py names it, or the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def split(self, corpus: Corpus) -> Split:
        """Read it; raises BadInput where it cannot be read, was edited, or is of another corpus."""
        file = Path(self.path)
        file = file / "split.json" if file.is_dir() else file
        try:
            plain = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"split.path={self.path}: cannot be read ({error}); name the folder that the last line of "
                "scripts/split.py or scripts/unseal.py names"
            ) from None
        if not isinstance(plain, dict) or not {"fingerprint", "corpus", "parts", "groups"} <= set(plain):
            raise BadInput(f"split.path={self.path}: {file} is no split.json of a store")
        split = Split.from_json(plain, str(file))
        split.verify(corpus)
        return split
