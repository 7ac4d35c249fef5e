"""Sample: rows drawn from a population by a stated design, each with its inclusion probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.predictions import Predictions
from crossover.measure.unequal_rows import refuse_plain_mean


@dataclass(frozen=True, eq=False)
class Population:
    """The rows a sample may be drawn from, by id, with what a design may go by.

    ``columns`` are one value a row: the declared meta columns of the corpus, ``label``, and where a
    run's predictions are known ``predicted`` and ``uncertainty`` (1 - its largest probability).
    """

    ids: tuple[str, ...]
    columns: Mapping[str, Sequence[object]]
    what: str

    def column(self, name: str) -> list[object]:
        """One column.

        Raises:
            BadInput: there is none of this name.
        """
        if name not in self.columns:
            more = "" if "uncertainty" in self.columns else "; uncertainty and predicted come with of=RUN"
            raise BadInput(f"the population has no column {name!r}; it has {sorted(self.columns)}{more}")
        return list(self.columns[name])


@dataclass(frozen=True, eq=False)
class Sample:
    """Drawn rows: ids, inclusion probabilities in (0, 1], strata ("" where there is one only).

    ``design`` says how: its name, settings with the seed, and the size of the population.
    """

    ids: tuple[str, ...]
    inclusion: tuple[float, ...]
    strata: tuple[str, ...]
    design: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.inclusion) == len(self.strata):
            raise ValueError("a sample has one inclusion probability and one stratum a row")

    def __len__(self) -> int:
        return len(self.ids)


class Design(Protocol):
    """A way to draw, one a file; its settings are its constructor's arguments."""

    def draw(self, population: Population) -> Sample:
        """Draw; raises BadInput where the population cannot give what is asked."""
        ...


def of_corpus(corpus: Corpus) -> Population:
    """The rows without a label, or all rows where none lacks one.

    Raises:
        BadInput: the rows are themselves a sample with unequal probabilities.
    """
    unlabelled = [id_ for id_, label in zip(corpus.ids, corpus.labels, strict=True) if label is None]
    rows = corpus.select(sorted(unlabelled or corpus.ids))
    for column, kind in corpus.meta.items():
        if kind == "inclusion":
            values = rows.meta_values(column)
            refuse_plain_mean(values, f"{corpus.name}, column {column!r}")  # type: ignore[arg-type]
    columns: dict[str, Sequence[object]] = {name: rows.meta_values(name) for name in corpus.meta}
    columns["label"] = rows.labels
    what = f"rows of {corpus.name}" + (" without a label" if unlabelled else "")
    return Population(tuple(rows.ids), columns, what)


def of_run(corpus: Corpus, scored: Predictions) -> Population:
    """The rows that a run scored, its test part: what its own doubts can be drawn by."""
    order = np.argsort(np.array(scored.ids))
    scored = scored.take([int(k) for k in order])
    rows = corpus.select(scored.ids)
    columns: dict[str, Sequence[object]] = {name: rows.meta_values(name) for name in corpus.meta}
    columns |= {
        "label": list(scored.gold),
        "predicted": [scored.classes[k] for k in scored.predicted_index],
        "uncertainty": [float(value) for value in 1.0 - scored.probabilities.max(axis=1)],
    }
    return Population(scored.ids, columns, f"test rows of a run on {corpus.name}")


def check_size(size: int, population: Population) -> None:
    """Refuse a sample of no rows, or of more than there are.

    Raises:
        BadInput: ``size`` is not from 1 to the number of rows.
    """
    if not 1 <= size <= len(population.ids):
        raise BadInput(
            f"sample.size={size}: the population ({population.what}) has {len(population.ids):,}; "
            "ask for at least 1 and at most all"
        )


def described(name: str, settings: Mapping[str, object], population: Population) -> dict[str, object]:
    """What a sample keeps of its design."""
    size = len(population.ids)
    return {"name": name, "settings": dict(settings), "population": size, "of": population.what}
