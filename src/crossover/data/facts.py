"""Expected facts of a data set, declared in its yaml and checked at every load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from crossover.data.bad_input import BadInput
from crossover.data.column_values import label_name
from crossover.data.corpus import Corpus, sha256_file


def check_names(expect: Mapping[str, object], allowed: tuple[str, ...], where: str) -> None:
    """Refuse a fact nobody would check.

    Raises:
        BadInput: a key outside ``allowed``.
    """
    unknown = sorted(set(expect) - set(allowed))
    if unknown:
        raise BadInput(f"{where}: data.expect has {unknown[0]!r}; facts that are checked: {allowed}")


def check_facts(corpus: Corpus, expect: Mapping[str, object], where: str) -> None:
    """Compare ``rows`` and ``labels`` (label -> rows that have it) with what was read.

    Raises:
        BadInput: they differ, listing found and expected.
    """
    wrong: list[str] = []
    if "rows" in expect and expect["rows"] != len(corpus):
        wrong.append(f"rows: found {len(corpus):,}, expected {expect['rows']:,}")
    stated = expect.get("labels")
    if isinstance(stated, Mapping):
        expected = {label_name(name): count for name, count in stated.items()}
        found = Counter(label for label in corpus.labels if label is not None)
        differ = [
            f"label {name!r}: found {found.get(name, 0):,}, expected {expected.get(name, 0):,}"
            for name in sorted({*expected, *found})
            if found.get(name, 0) != expected.get(name, 0)
        ]
        wrong.extend(differ[:10])
        if len(differ) > 10:
            wrong.append(f"and {len(differ) - 10} labels more")
    if wrong:
        raise BadInput(
            f"{where} is not the {corpus.name} its yaml describes ({'; '.join(wrong)}); give the published "
            "file, or for a file of your own use data=table_file (data.expect=null skips the check)"
        )


def check_sha256(path: str, expected: str) -> None:
    """Compare a file's SHA-256 (64 hex).

    Raises:
        BadInput: it differs, naming both.
    """
    found = sha256_file(Path(path).expanduser())
    if found != expected.lower():
        raise BadInput(
            f"{path} has SHA-256 {found}, expected {expected}; it is another file or was damaged: fetch it "
            "again (data.expect=null skips the check)"
        )
