"""External: the stored predictions of any other system, an LLM too, as one more arm."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows, sha256_file
from crossover.model.classifier import Arrays, Classifier, Meta

KEY_DIGITS = 16
"""Texts are matched by this many hex digits of the SHA-256 of their UTF-8 bytes."""
SUM_TOLERANCE = 1e-3
"""How far a row's probabilities may be from summing to 1 before they are scaled to it."""


class External(Classifier):
    """Looks each text up in a file of predictions; nothing is learned from the training rows.

    The file is parquet, csv, tsv or jsonl with a column ``text``, or ``sha256`` (of the text; 16
    hex digits, a row's id where ids come from the content, or all 64), and one column of
    probabilities for each class, named as the class. Other columns are ignored. It must hold
    every text that is predicted, those of train, select, calibrate and test. Since nothing is
    fitted, one class in train is enough, and a class absent from train keeps its probability.

    The cost of the other system is stated by whoever made the file: ``cost_`` holds
    ``encode_seconds_cold`` (seconds_per_text for each text predicted) and ``price_<currency>``.

    Args:
        path: the predictions file.
        sha256: of the file, 64 hex: the identity of this arm; filled in by :meth:`pin`.
        seconds_per_text: what one prediction took the other system.
        price_per_text: what one prediction cost, in ``currency``.
        currency: three letters, as USD.
        seed: not used; every classifier takes one.
    """

    def __init__(
        self,
        path: str,
        sha256: str = "",
        seconds_per_text: float = 0.0,
        price_per_text: float = 0.0,
        currency: str = "USD",
        seed: int = 0,
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self.seconds_per_text = seconds_per_text
        self.price_per_text = price_per_text
        self.currency = currency
        self.seed = seed

    @staticmethod
    def pin(settings: Mapping[str, object]) -> dict[str, object]:
        """The settings with the file's SHA-256 filled in where it is not given.

        Raises:
            BadInput: there is no such file.
        """
        if settings.get("sha256") or "path" not in settings:
            return dict(settings)
        return {**settings, "sha256": sha256_file(_existing(str(settings["path"])))}

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Read and check the file.

        Raises:
            BadInput: the file is missing or not the pinned one, lacks a column, holds a value that
                is no probability (row named), or two predictions for one text.
        """
        self._begin(texts, labels, classes, least=1)
        if not (0 <= self.seconds_per_text < math.inf and 0 <= self.price_per_text < math.inf):
            raise BadInput(
                f"External: seconds_per_text={self.seconds_per_text}, price_per_text={self.price_per_text}; "
                "expected finite numbers, 0 or more"
            )
        file = _existing(self.path)
        found = sha256_file(file)
        if found != self.sha256:
            raise BadInput(
                f"{file}: SHA-256 {found}, expected {self.sha256 or 'one that is pinned'}; "
                f"the file changed or was never pinned: give model.sha256={found} if this one is meant"
            )
        self._keep(*_read(file, self.classes_))
        return self

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes): the stored probabilities, scaled to sum to 1.

        Raises:
            BadInput: texts that the file does not hold, the first of them named.
        """
        self._require_fitted()
        keys = [_key(text) for text in texts]
        missing = [row for row, key in enumerate(keys) if key not in self.row_of_]
        if missing:
            named = "; ".join(
                f"row {row + 1}, sha256 {keys[row]}, {texts[row][:40]!r}" for row in missing[:3]
            )
            raise BadInput(
                f"{self.path} lacks {len(missing)} of the {len(texts)} texts asked for ({named}); "
                "predict them with the other system and add them to the file"
            )
        price = f"price_{self.currency.lower()}"
        spent = {"encode_seconds_cold": self.seconds_per_text, price: self.price_per_text}
        for name, each in spent.items():
            self.cost_[name] = self.cost_.get(name, 0.0) + each * len(texts)
        return self.table_[np.array([self.row_of_[key] for key in keys], dtype=np.int64)]

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Every prediction of the file, so that a saved arm needs the file no more."""
        self._require_fitted()
        return {"table": self.table_}, {"keys": list(self.row_of_)}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self._keep(list(cast(Sequence[str], plain["keys"])), arrays["table"].astype(np.float64))

    def _keep(self, keys: list[str], table: NDArray[np.float64]) -> None:
        self.row_of_ = {key: row for row, key in enumerate(keys)}
        self.table_ = table


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:KEY_DIGITS]


def _existing(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise BadInput(
            f"model.path={path!r}: there is no such file; name the predictions with model.path=..."
        )
    return file


def _read(file: Path, classes: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """Keys and (rows, classes) probabilities, duplicates that agree taken once."""
    seen: dict[str, tuple[int, list[float]]] = {}
    for number, row in _rows(file):
        where = f"{file}, row {number}"
        if not seen:
            _check_columns(file, row, classes)
        key = _key_of(row, where)
        values = _probabilities(row, classes, where)
        if key in seen and seen[key][1] != values:
            raise BadInput(
                f"{file}: rows {seen[key][0]} and {number} predict the same text (sha256 {key}) differently; "
                "keep one"
            )
        seen.setdefault(key, (number, values))
    if not seen:
        raise BadInput(f"{file} holds no rows; expected one a text")
    return list(seen), np.array([values for _, values in seen.values()], dtype=np.float64)


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Row numbers from 1 and rows by column name."""
    suffix = file.suffix.lower()
    if suffix not in (".parquet", ".jsonl", ".csv", ".tsv"):
        raise BadInput(f"{file}: expected a .parquet, .csv, .tsv or .jsonl file")
    try:
        if suffix == ".parquet":
            yield from enumerate(pq.read_table(file).to_pylist(), start=1)
        elif suffix == ".jsonl":
            with open(file, encoding="utf-8-sig", newline="\n") as handle:
                for number, line in enumerate(handle, start=1):
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise BadInput(f"{file}, row {number}: {line[:40]!r} is no JSON object")
                    yield number, row
        else:
            # The limit is the module's own, of 128 KiB a field: too little for a long text.
            csv.field_size_limit(1 << 30)
            with open(file, encoding="utf-8-sig", newline="") as handle:
                reader = csv.DictReader(handle, delimiter="\t" if suffix == ".tsv" else ",", strict=True)
                yield from enumerate(reader, start=1)
    except (pa.ArrowInvalid, csv.Error, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{file} cannot be read as {suffix[1:]} in UTF-8 ({error}); write it again") from None


def _check_columns(file: Path, row: Mapping[str, object], classes: Sequence[str]) -> None:
    if ("text" in row) == ("sha256" in row):
        raise BadInput(f"{file}: columns {list(row)}; expected either 'text' or 'sha256' beside the classes")
    missing = [name for name in classes if name not in row or name in ("text", "sha256")]
    if missing:
        raise BadInput(
            f"{file} has no column of probabilities for the class {missing[0]!r} ({len(missing)} of "
            f"{len(classes)} lack one); its columns are {list(row)}"
        )


def _key_of(row: Mapping[str, object], where: str) -> str:
    column = "text" if "text" in row else "sha256"
    value = row.get(column)
    if not isinstance(value, str):
        raise BadInput(f"{where}: {column} is {value!r}, expected a string")
    if column == "text":
        return _key(value)
    if len(value) not in (KEY_DIGITS, 64) or set(value) - set("0123456789abcdef"):
        raise BadInput(f"{where}: sha256 {value!r}, expected 16 or 64 hexadecimal digits in lower case")
    return value[:KEY_DIGITS]


def _probabilities(row: Mapping[str, object], classes: Sequence[str], where: str) -> list[float]:
    values = []
    for name in classes:
        try:
            value = float(cast(str, row.get(name)))
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value <= 1 + SUM_TOLERANCE:
            raise BadInput(f"{where}: {name} is {row.get(name)!r}, expected a probability from 0 to 1")
        values.append(value)
    total = sum(values)
    if abs(total - 1) > SUM_TOLERANCE:
        raise BadInput(f"{where}: the probabilities sum to {total:.6g}, expected 1")
    return [value / total for value in values]
