"""What the page of a fold-variance study shows: the spread against the distance, and every fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.chart_style import metric_title
from crossover.report.drawing import Chart
from crossover.report.page import Block, Fold, Picture, Prose, Section
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text
from crossover.report.tables import Cell, Column, Table, show

ANSWERS = {
    "target_met": "meets the target",
    "variance_does_not_matter": "variance does not matter",
    "variance_matters": "too little data, or unstable",
    "not_resolved": "not resolved",
    "insufficient": "insufficient evidence",
}
_ROW = 34
"""Height of one row of a figure."""


def charts(plain: Plain) -> list[Chart]:
    """The standard deviation beside the distance to the target, and the errors of single folds."""
    return [chart for chart in (_spread(plain), _folds(plain)) if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags."""
    return []


def head(plain: Plain) -> list[Block]:
    """Nothing beyond the sentence."""
    return []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Spread against distance, the ordinary k-fold scores, and every fold."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    spread, scores, folds = spread_table(plain), k_fold_table(plain), fold_table(plain)
    found = []
    if spread.rows:
        factors = plain.get("sd_factors")
        said = [f"{value:.2f}" for value in factors] if isinstance(factors, list) else []
        k = number(plain, "k") or 0
        limits = (
            f" On {k - 1:.0f} degrees of freedom the limits of a plain SD are {' and '.join(said)} times it."
        )
        note = Prose(
            "The SD is over fresh training sets and seeds, the binomial noise of the scored rows taken off; "
            "the distance is the error less the target. Variance is no matter where the SD's upper limit is "
            "below the distance's lower one." + (limits if said else ""),
            "quiet",
        )
        found.append(Section("Is it the variance?", "spread", (*_picture(pictures, "spread"), note, spread)))
    if scores.rows:
        said_ = Prose(
            "Each fold model scored on the fold left out. The interval has the corrected variance of Nadeau "
            "and Bengio (2003), which is approximate: folds share training rows, and no exact one exists.",
            "quiet",
        )
        blocks: tuple[Block, ...] = (*_picture(pictures, "folds"), said_, scores)
        if folds.rows:
            blocks = (*blocks, Fold(f"Every fold ({len(folds.rows):,})", (folds,)))
        found.append(Section("The k-fold scores", "folds", blocks))
    return found


def tables(plain: Plain) -> list[Table]:
    """Spread, k-fold scores, folds."""
    return [spread_table(plain), k_fold_table(plain), fold_table(plain)]


def spread_table(plain: Plain) -> Table:
    """One row an arm: error, distance, SD with limits, and where the SD comes from."""
    made: list[tuple[Cell, ...]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        spread = mapping(arm, "spread")
        cut = number(spread, "partition") or 1.0
        training, seed = number(spread, "training"), number(spread, "seed")
        answer = text(arm, "answer")
        made.append(
            (
                text(arm, "title", key),
                ANSWERS.get(answer, answer),
                number(spread, "error"),
                (number(spread, "error_low"), number(spread, "error_high")),
                number(spread, "sd"),
                (number(spread, "low"), number(spread, "high")),
                None if training is None else _root((cut - 1) * training),
                None if seed is None else _root(seed),
                number(spread, "noise_sd"),
            )
        )
    columns = (
        Column("arm"),
        Column("answer"),
        Column(_error_title(plain), "score"),
        Column("its interval", "interval"),
        Column("SD", "quantity"),
        Column("its limits", "interval"),
        Column("SD of the training rows", "quantity"),
        Column("SD of the seed", "quantity"),
        Column("noise of the rows, taken off", "quantity"),
    )
    note = (
        "An SD of 0 is a variance whose estimate is not above 0; with one seed a fold both parts are in the "
        "first."
    )
    return Table("Error, and how far another training set or seed moves it", columns, tuple(made), note)


def k_fold_table(plain: Plain) -> Table:
    """One row an arm: mean of the k-fold scores with the corrected and the plain interval."""
    made: list[tuple[Cell, ...]] = [
        (
            text(arm, "title", key),
            number(found, "folds"),
            number(found, "mean"),
            (number(found, "low"), number(found, "high")),
            (number(found, "plain_low"), number(found, "plain_high")),
        )
        for key, arm in keyed_rows(plain, "arms").items()
        if (found := mapping(arm, "k_fold"))
    ]
    columns = (
        Column("arm"),
        Column("folds", "count"),
        Column(_error_title(plain), "score"),
        Column("interval (Nadeau-Bengio, approximate)", "interval"),
        Column("uncorrected, too short", "interval"),
    )
    return Table("The ordinary k-fold scores", columns, tuple(made))


def fold_table(plain: Plain) -> Table:
    """One row an arm and fold."""
    arms = keyed_rows(plain, "arms")
    made: list[tuple[Cell, ...]] = [
        (
            text(arm, "title", key),
            number(row, "fold"),
            number(row, "error_common"),
            number(row, "error_held_out"),
            number(row, "train_rows"),
            number(row, "held_out_rows"),
            number(row, "absent_classes"),
        )
        for key, arm in arms.items()
        for row in rows(arm, "folds")
    ]
    columns = (
        Column("arm"),
        Column("fold", "count"),
        Column("error on the common rows", "score"),
        Column("error on the fold left out", "score"),
        Column("training rows", "count"),
        Column("rows left out", "count"),
        Column("classes without a row", "count"),
    )
    return Table("Every fold", columns, tuple(made))


def _error_title(plain: Plain) -> str:
    name = text(plain, "metric")
    return "error" if not name else f"error, by {metric_title(name)}"


def _root(variance: float) -> float:
    return float(max(variance, 0.0) ** 0.5)


def _picture(pictures: dict[str, Picture], name: str) -> tuple[Block, ...]:
    return (pictures[name],) if name in pictures else ()


def _axes(values: Sequence[float], labels: Sequence[str], title: str) -> dict[str, Any]:
    import altair as alt

    return {
        "x": alt.X(
            "x:Q",
            title=title,
            scale=alt.Scale(domain=list(style.value_domain(values)), nice=False, zero=False),
            axis=alt.Axis(tickCount=6, format=".3~f"),
        ),
        "y": alt.Y(
            "y:N",
            title=None,
            sort=list(labels),
            scale=alt.Scale(domain=list(labels)),
            axis=alt.Axis(ticks=False, domain=False),
        ),
    }


def _rule(at: float, axes: dict[str, Any], label: str = "") -> list[Any]:
    """A vertical line over all rows, named above the frame."""
    import altair as alt

    line = alt.Chart(style.data([{"x": at, "label": label}]))
    named = line.mark_text(y=-8, dx=4, align="left", color=style.INK, fontSize=11.5)
    made = [line.mark_rule(color=style.INK, strokeWidth=1.2, strokeDash=[5, 3]).encode(x=axes["x"])]
    return [*made, named.encode(x=axes["x"], text="label:N")] if label else made


def _spread(plain: Plain) -> Chart | None:
    """Two rows an arm: how far the target is, and how far another training set or seed moves the error."""
    import altair as alt

    target = number(plain, "target") or 0.0
    lines: list[dict[str, Any]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        spread = mapping(arm, "spread")
        error, low, high = (number(spread, name) for name in ("error", "error_low", "error_high"))
        sd, sd_low, sd_high = (number(spread, name) for name in ("sd", "low", "high"))
        if error is None or low is None or high is None or sd is None or sd_low is None or sd_high is None:
            continue
        name = style.short(key, 30)
        lines.append(
            {"y": f"{name}: distance to target", "x": error - target, "low": low - target,
             "high": high - target, "kind": 0}
        )  # fmt: skip
        lines.append({"y": f"{name}: SD", "x": sd, "low": sd_low, "high": sd_high, "kind": 1})
    if not lines:
        return None
    labels = [line["y"] for line in lines]
    axes = _axes([v for line in lines for v in (line["low"], line["high"])] + [0.0], labels,
                 f"in units of the {_error_title(plain)}")  # fmt: skip
    layers = _rule(0.0, axes)
    for kind in (0, 1):
        own = [
            {**line, "label": show(line["x"], "signed" if kind == 0 else "score")}
            for line in lines
            if line["kind"] == kind
        ]
        colour = style.COLOURS[kind]
        made = alt.Chart(style.data(own)).encode(**axes)
        bar = alt.Chart(style.data([{"y": o["y"], "x": o["low"], "x2": o["high"]} for o in own]))
        layers.append(bar.mark_rule(color=colour, strokeWidth=2.4).encode(**axes, x2="x2:Q"))
        layers.append(
            made.mark_point(filled=True, size=80, color=colour, opacity=1, shape=style.SHAPES[kind])
        )
        named = made.encode(text="label:N")
        layers.append(named.mark_text(dy=-11, stroke=style.PAPER, strokeWidth=3, fontSize=11.5))
        layers.append(named.mark_text(dy=-11, color=style.INK, fontSize=11.5))
    title = "Distance to the target, and what another training set or seed does"
    return Chart(
        "spread",
        f"{title}: {len(labels)} rows with intervals",
        "Variance is no matter where the whole orange bar (the SD's limits) lies left of the blue one (the "
        "error less the target, with its interval).",
        style.finished(layers, title, "value and 95% limits", _ROW * len(labels) + 10),
    )


def _folds(plain: Plain) -> Chart | None:
    """Each fold's error: on the common rows, and on the fold left out."""
    import altair as alt

    arms = keyed_rows(plain, "arms")
    points: list[dict[str, Any]] = [
        {"y": f"{style.short(key, 30)}: {where}", "x": value, "kind": kind}
        for key, arm in arms.items()
        for kind, (name, where) in enumerate(
            (("error_common", "common rows"), ("error_held_out", "fold left out"))
        )
        for row in rows(arm, "folds")
        if (value := number(row, name)) is not None
    ]
    if not points:
        return None
    labels = list(dict.fromkeys(str(point["y"]) for point in points))
    target = number(plain, "target") or 0.0
    axes = _axes([float(point["x"]) for point in points] + [target], labels, _error_title(plain))
    layers = _rule(target, axes, "target")
    for kind in (0, 1):
        own = [point for point in points if point["kind"] == kind]
        if own:
            chart = alt.Chart(style.data(own)).encode(**axes)
            look = {"filled": kind == 0, "color": style.COLOURS[0] if kind == 0 else style.MUTED}
            layers.append(chart.mark_point(size=60, opacity=0.75, shape=style.SHAPES[kind], **look))
    title = "Every fold's error"
    return Chart(
        "folds",
        f"{title}: {len(points)} points",
        "Filled: on the common validation rows, where only the models differ. Hollow: on the fold left out, "
        "where the rows differ too.",
        style.finished(layers, title, "one point a fold, seeds averaged", _ROW * len(labels) + 10),
    )
