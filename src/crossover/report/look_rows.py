"""The rows of a look as a Browser: what stands beside each text, and what is cut to keep the page small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.look.browse import Browsed, Parted, Said
from crossover.look.oddness import Oddness
from crossover.report.browser import Browser, Facet, Value
from crossover.report.masked_text import masked

BYTES = 9_000_000
"""Most the rows may take of a page of 10 MB."""
SHORTER = (1_000, 500, 250, 120)
"""Characters a text is cut to where the rows would take more."""


@dataclass(frozen=True, eq=False)
class ModelSaid:
    """A model's predictions beside the rows: its name, its classes, what it said."""

    name: str
    classes: tuple[str, ...]
    said: Said


@dataclass(frozen=True, eq=False)
class Beside:
    """Columns that stand beside the texts, one entry a row of the corpus or one a row concerned."""

    characters: NDArray[np.float64]
    odd: Oddness
    cluster_of: Mapping[int, str]
    part_of: Mapping[int, str] = field(default_factory=dict)
    models: Sequence[ModelSaid] = ()
    parted: Parted | None = None


def look_rows(
    corpus: Corpus, browsed: Browsed, beside: Beside, characters: int, mask: bool
) -> tuple[Browser, str]:
    """The browser and a sentence on what was cut: texts at ``characters``, then shorter, then rows.

    Rows go from the end, which is filled by chance.
    """
    facets, columns = _columns(corpus, browsed, beside, mask)
    shown = list(browsed.rows)
    for limit in (characters, *(cut for cut in SHORTER if cut < characters)):
        browser = _browser(corpus, shown, facets, columns, limit, mask)
        if len(browser.data.raw.encode("utf-8")) <= BYTES:
            break
    while len(browser.data.raw.encode("utf-8")) > BYTES and len(shown) > 1:
        shown = shown[: len(shown) // 2]
        browser = _browser(corpus, shown, facets, columns, limit, mask)
    cut = sum(len(corpus.texts[row]) > limit for row in shown)
    notes = [f"{len(shown):,} of {len(corpus):,} rows are on this page (look.rows)."]
    if cut:
        notes.append(
            f"{cut:,} texts are cut at {limit:,} characters (look.characters); the search reads no further."
        )
    if len(shown) < len(browsed.rows):
        notes.append(f"{len(browsed.rows) - len(shown):,} rows were left out to keep the page under 10 MB.")
    return browser, " ".join(notes)


Columns = list[tuple[Facet, Mapping[int, Value]]]


def _columns(
    corpus: Corpus, browsed: Browsed, beside: Beside, mask: bool
) -> tuple[list[Facet], list[Mapping[int, Value]]]:
    """The facets beside the text, and of each a value by row number; a row without one has None."""
    rows = browsed.rows

    def hidden(value: object) -> str:
        return masked(str(value)) if mask else str(value)

    made: Columns = [(Facet("class", choose=True), {row: corpus.labels[row] for row in rows})]
    made.append((Facet("why", "tags", choose=True), dict(browsed.kinds)))
    if beside.part_of:
        made.append((Facet("part", choose=True), dict(beside.part_of)))
    made += _said(beside)
    for column, kind in corpus.meta.items():
        if kind == "votes":
            continue
        values = corpus.meta_values(column)
        form = Facet(column, "quantity") if kind == "number" else Facet(column, choose=kind != "time")
        if kind == "number":
            made.append((form, {row: float(str(values[row])) for row in rows if values[row] is not None}))
        else:
            made.append((form, {row: hidden(values[row]) for row in rows if values[row] not in (None, "")}))
    if browsed.codes:
        made.append((Facet("findings", "tags", choose=True), dict(browsed.codes)))
    sizes = Counter(beside.cluster_of.values())
    made += [
        (Facet("characters", "count"), {row: int(beside.characters[row]) for row in rows}),
        (Facet("copies", "count"), {row: sizes[name] for row, name in beside.cluster_of.items()}),
        (Facet("copy of"), {row: hidden(name) for row, name in beside.cluster_of.items()}),
        (Facet("oddness", "quantity"), {row: float(beside.odd.score[row]) for row in rows}),
        (Facet("odd by", choose=True), {row: beside.odd.trait[row] for row in rows}),
        (Facet("id"), {row: hidden(corpus.ids[row]) for row in rows}),
    ]
    return [facet for facet, _ in made], [values for _, values in made]


def _said(beside: Beside) -> Columns:
    made: Columns = []
    for model in beside.models:
        rows = model.said.rows.tolist()
        best = model.said.probabilities.argmax(axis=1).tolist()
        right = model.said.probabilities[np.arange(len(rows)), model.said.gold].tolist()
        made += [
            (
                Facet(f"{model.name} says", choose=True),
                {row: model.classes[k] for row, k in zip(rows, best, strict=True)},
            ),
            (Facet(f"{model.name}: p of the class", "quantity"), dict(zip(rows, right, strict=True))),
            (
                Facet(f"{model.name}: margin", "quantity"),
                dict(zip(rows, model.said.margin.tolist(), strict=True)),
            ),
        ]
    if beside.parted is not None:
        both = beside.parted
        apart = dict(zip(both.rows.tolist(), both.difference.tolist(), strict=True))
        lone = {
            row: "yes" if one else "no"
            for row, one in zip(both.rows.tolist(), both.one_right.tolist(), strict=True)
        }
        made += [(Facet("models apart", "quantity"), apart), (Facet("only one right", choose=True), lone)]
    return made


def _browser(
    corpus: Corpus,
    rows: Sequence[int],
    facets: Sequence[Facet],
    columns: Sequence[Mapping[int, Value]],
    limit: int,
    mask: bool,
) -> Browser:
    """The text stands third, after class and why."""

    def text(row: int) -> str:
        whole = corpus.texts[row]
        shown = masked(whole[: limit + 200])[:limit] if mask else whole[:limit]
        return shown + (f"… (+{len(whole) - limit:,} characters)" if len(whole) > limit else "")

    cells = [
        (
            *(column.get(row) for column in columns[:2]),
            text(row),
            *(column.get(row) for column in columns[2:]),
        )
        for row in rows
    ]
    return Browser("Rows", (*facets[:2], Facet("text", "long"), *facets[2:]), tuple(cells))
