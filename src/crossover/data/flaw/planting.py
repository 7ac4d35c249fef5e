"""Planting flaws in a corpus or in a piece of one, and undoing it from the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pyarrow as pa

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.flaw.flaw import Batch, Flaw, Ground
from crossover.data.row_random import keys_of
from crossover.data.truth import SCHEMA, Truth

NOTE = "planted with known flaws: {}; the truth is beside the corpus"


def plant(batch: Batch, flaws: Mapping[str, Flaw]) -> Truth:
    """Plant every flaw of a strength above zero in the rows of a batch, stage by stage.

    Within a stage the order of ``flaws`` holds. Returns what was planted.

    Raises:
        BadInput: the corpus lacks what a flaw needs.
    """
    active = sorted((flaw.stage, place, name) for place, (name, flaw) in enumerate(flaws.items()))
    named = [name for _, _, name in active if flaws[name].strength > 0]
    for name in named:
        batch.step += 1
        flaws[name].plant(batch, name)
    table = pa.table({name: pa.array(values, SCHEMA.field(name).type) for name, values in batch.log.items()})
    return Truth(table, {name: flaws[name].settings() for name in named})


def planted(corpus: Corpus, flaws: Mapping[str, Flaw] | None) -> Corpus:
    """The corpus with flaws planted, its truth attached; without flaws the corpus itself.

    Rows get the ids of :func:`neutral_ids` and are ordered by them, at strength zero too: an id made
    of a text's hash would tell which text was changed.

    Raises:
        BadInput: a flaw cannot be planted in this corpus, saying what it lacks.
    """
    if not flaws:
        return corpus
    check_flaws(flaws)
    ids, keys = neutral_ids(corpus), keys_of(corpus.ids)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    columns: dict[str, list[object]] = {
        name: corpus.table[name].take(pa.array(order, pa.int64())).to_pylist()
        for name in corpus.table.column_names
    }
    columns["id"] = [ids[row] for row in order]
    batch = Batch(columns, keys[order], _ground(corpus))
    truth = plant(batch, flaws)
    card = corpus.card
    if truth.flaws:
        card = replace(card, notes=(*card.notes, NOTE.format(", ".join(truth.flaws))))
    return replace(
        Corpus.from_columns(
            corpus.name,
            cast(list[str], batch.columns["text"]),
            cast(list[str | None], batch.columns["label"]),
            card,
            cast(list[str], batch.columns["id"]),
            {name: (kind, batch.columns[name]) for name, kind in batch.kinds.items()},
        ),
        truth=truth,
    )


def undo(corpus: Corpus) -> Corpus:
    """The corpus as it was before planting, by its truth: same ids and order.

    Raises:
        BadInput: it carries no truth.
    """
    if corpus.truth is None:
        raise BadInput(f"{corpus.name} carries no truth: nothing is known to be planted")
    columns: dict[str, list[object]] = {
        name: corpus.table[name].to_pylist() for name in corpus.table.column_names
    }
    kinds = dict(corpus.meta)
    for line in reversed(corpus.truth.table.to_pylist()):
        if line["id"] is None:
            del columns[line["column"]], kinds[line["column"]]
            continue
        before: object = line["before"]
        if kinds.get(line["column"]) == "number" and before is not None:
            before = float(cast(str, before))
        columns[line["column"]][corpus.row_of[line["id"]]] = before
    types = {name: corpus.table.schema.field(name).type for name in columns}
    table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    return Corpus(corpus.name, table, corpus.card, kinds)


def neutral_ids(corpus: Corpus) -> list[str]:
    """16 hex of SHA-256 a row, of its id and of the plain corpus' fingerprint.

    Of the id alone, whoever hashes a text again could tell whether it was changed; the plain
    fingerprint cannot be had from the planted rows.
    """
    salt = f"planted {corpus.fingerprint}"
    return [hashlib.sha256(f"{salt} {id_}".encode()).hexdigest()[:16] for id_ in corpus.ids]


def check_flaws(flaws: Mapping[str, Flaw]) -> None:
    """Refuse what is no flaw.

    Raises:
        BadInput: naming it and how a flaw is chosen.
    """
    for name, flaw in flaws.items():
        if not isinstance(flaw, Flaw):
            raise BadInput(
                f"data.flaw.{name}={flaw!r}: expected a flaw; add one with +flaw@data.flaw.{name}={name}, "
                f"then set data.flaw.{name}.strength=0.1"
            )


def _ground(corpus: Corpus) -> Ground:
    times: list[str] = []
    for name, kind in corpus.meta.items():
        if kind == "time" and not times:
            times = sorted(str(time) for time in corpus.meta_values(name) if time)
    first, last = (times[0], times[-1]) if times else (None, None)
    return Ground(corpus.classes, dict(corpus.meta), first, last)
