"""What the page of a crossover study shows between its verdict and its appendix."""

from __future__ import annotations

from crossover.report.chart_style import arm_styles, metric_title
from crossover.report.cost_figure import cold_seconds, cost_plot
from crossover.report.difference_figure import difference_plot, piece_text
from crossover.report.drawing import Chart
from crossover.report.extrapolation_figure import extrapolation_plot
from crossover.report.extrapolation_table import extrapolation_table, no_verdict
from crossover.report.learning_curve_figure import learning_curves
from crossover.report.page import Block, Bullets, Picture, Prose, Section, Tiles
from crossover.report.plain_values import Plain, flat, keyed_rows, mapping, number, numbers, rows, text, texts
from crossover.report.tables import Cell, Column, Table, show

PAIR_FIGURES = 6
"""Difference plots drawn; the table has every pair."""


def charts(plain: Plain) -> list[Chart]:
    """Learning curves, one difference plot a pair (the primary first), cost, curves carried on."""
    found = [learning_curves(plain)]
    for k, pair in enumerate(_pairs(plain)[:PAIR_FIGURES], start=1):
        found.append(difference_plot(plain, pair, f"difference_{k}"))
    found += [cost_plot(plain), extrapolation_plot(plain)]
    return [chart for chart in found if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """What must be read with the sentence, beyond the verdict's own flags."""
    found = []
    primary = next(iter(_pairs(plain)), {})
    if primary.get("pilot") is True:
        found.append("A pilot: four draws or fewer are enough to plan a study with, not to decide.")
    if primary.get("exploratory") is True:
        found.append("Exploratory: the draws share over half of their pool, or there is one draw.")
    log_loss = mapping(primary, "log_loss")
    if log_loss and text(log_loss, "kind") != text(primary, "kind"):
        answer = f"{kind_title(text(log_loss, 'kind')).lower()}. {text(log_loss, 'sentence')}".strip()
        found.append(f"By log loss the answer differs: {answer}")
    return found


def head(plain: Plain) -> list[Block]:
    """The few figures to remember."""
    return [Tiles(tuple(_tiles(plain, pair))) for pair in _pairs(plain)[:1]]


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Curves, differences, cost, curves carried on, and the numbers behind them; absent parts left out."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    made: list[tuple[str, str, list[Block]]] = [
        ("Learning curves", "curves", [pictures[name] for name in pictures if name == "learning_curves"])
    ]
    differences: list[Block] = [pictures[name] for name in pictures if name.startswith("difference_")]
    reasons = tuple(reason for pair in _pairs(plain)[:1] for reason in texts(pair, "reasons"))
    if reasons:
        differences.append(Bullets("Why this answer", reasons))
    others = tuple(text(pair, "sentence") for pair in _pairs(plain)[1:] if text(pair, "sentence"))
    if others:
        differences.append(Bullets("The other pairs, secondary", others))
    found = (pair_table(plain), budget_table(plain), difference_table(plain))
    tables = [table for table in found if table.rows]
    made.append(("Is the difference real?", "difference", [*differences, *tables]))
    cost: list[Block] = [pictures[name] for name in pictures if name == "cost"]
    costs = cost_table(plain)
    made.append(("What it costs", "cost", [*cost, *([costs] if costs.rows else []), *_prices(plain)]))
    ahead = extrapolation_table(plain)
    carried = [pictures[name] for name in pictures if name == "extrapolation"]
    made.append(
        ("If the curves went on", "ahead", [no_verdict(plain), *carried, ahead] if ahead.rows else [])
    )
    scores = score_table(plain)
    made.append(("Every score", "scores", [scores, *_how(plain)] if scores.rows else []))
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def kind_title(kind: str) -> str:
    """A verdict's kind in words."""
    known = {
        "starts_paying": "Starts paying",
        "stops_paying": "Stops paying",
        "crossing": "A crossing",
        "several": "Several crossings",
        "pays_throughout": "Pays at every size",
        "never_pays": "Pays at no size",
        "gain_vanished": "The gain has vanished",
        "not_resolved": "Not resolved",
        "exploratory": "Exploratory: no verdict",
    }
    return known.get(kind, kind.replace("_", " ").capitalize())


def score_table(plain: Plain) -> Table:
    """One row an arm and size."""
    metric = metric_title(text(plain, "metric", "score"))
    arms = keyed_rows(plain, "arms")
    styles = arm_styles(arms)
    made: list[tuple[Cell, ...]] = []
    for key, arm in arms.items():
        for point in rows(arm, "curve"):
            made.append(
                (
                    _arm_title(arm, key, styles[key].illustration),
                    number(point, "size"),
                    number(point, "labels"),
                    number(point, "mean"),
                    (number(point, "low"), number(point, "high")),
                    len(numbers(point, "draws")),
                    number(point, "log_loss"),
                    number(point, "stage"),
                    number(point, "failed"),
                    number(point, "absent_classes"),
                )
            )
    columns = (
        Column("arm"),
        Column("n", "count"),
        Column("labels used", "count"),
        Column(f"mean {metric}", "score"),
        Column("interval", "interval"),
        Column("draws", "count"),
        Column("log loss", "score"),
        Column("stage", "count"),
        Column("failed", "count"),
        Column("absent classes", "quantity"),
    )
    return Table(f"{metric} of every arm at every size", columns, tuple(made))


def difference_table(plain: Plain) -> Table:
    """One row a pair and size: the paired difference with its interval."""
    metric = metric_title(text(plain, "metric", "score"))
    made: list[tuple[Cell, ...]] = []
    for pair in _pairs(plain):
        for row in rows(pair, "differences"):
            draws = number(row, "n_draws")
            made.append(
                (
                    pair_title(pair),
                    number(row, "size"),
                    number(row, "mean"),
                    (number(row, "low"), number(row, "high")),
                    float(len(numbers(row, "draws"))) if draws is None else draws,
                    number(row, "overlap"),
                    number(row, "stage"),
                )
            )
    columns = (
        Column("pair"),
        Column("n", "count"),
        Column("mean difference", "signed"),
        Column("interval", "signed_interval"),
        Column("draws", "count"),
        Column("share of the pool", "quantity"),
        Column("stage", "count"),
    )
    return Table(
        f"Paired differences in {metric}",
        columns,
        tuple(made),
        "Interval at each size: two-way standard error over training draws and test rows (clusters of rows "
        "where grouped), widened for overlapping draws; t quantile. Stage 1 only locates, stage 2 decides. "
        "The share of the pool is that part of the training rows which one draw uses.",
    )


def pair_table(plain: Plain) -> Table:
    """One row a pair, margin and metric: what is claimed, and the interval of the crossing."""
    metric = metric_title(text(plain, "metric", "score"))
    made: list[tuple[Cell, ...]] = []
    for pair in _pairs(plain):
        made.append(_pair_row(pair, pair, metric))
        further = (
            ("second_margin", metric),
            ("log_loss", "log loss"),
            ("cost_crossing", f"{metric} less cost"),
        )
        for name, other in further:
            if mapping(pair, name):
                made.append(_pair_row(pair, mapping(pair, name), other))
    columns = (
        Column("pair"),
        Column("by"),
        Column("margin", "signed"),
        Column("answer"),
        Column("crossing at n", "count"),
        Column("interval of the crossing"),
        Column("level", "quantity"),
        Column("more draws"),
    )
    return Table(
        "Answers by pair",
        columns,
        tuple(made),
        "The interval of the crossing holds every size at which the difference cannot be told from the "
        "margin (test inversion); it is printed whatever the answer. Nothing is claimed outside the grid.",
    )


def cost_table(plain: Plain) -> Table:
    """One row an arm and size, from the study's cost table, else from the curves."""
    arms = keyed_rows(plain, "arms")
    made: list[tuple[Cell, ...]] = []
    for row in rows(plain, "cost"):
        key = text(row, "arm")
        names = ("size", "fit_seconds_cold", "fit_seconds", "predict_ms", "peak_memory_mb", "tokens")
        values = [number(row, name) for name in (*names, "parameters", "envelope")]
        values[3] = number(row, "predict_ms_per_row") if values[3] is None else values[3]
        made.append(
            (_arm_title(arms.get(key, {}), key, arms.get(key, {}).get("illustration") is True), *values)
        )
    if not made:
        for key, arm in arms.items():
            for point in rows(arm, "curve"):
                size = number(point, "size")
                cold = None if size is None else cold_seconds(plain, key, size, point)
                if cold is not None:
                    title = _arm_title(arm, key, arm.get("illustration") is True)
                    seconds, predict = number(point, "fit_seconds"), number(point, "predict_ms")
                    made.append((title, size, cold, seconds, predict, None, None, None, None))
    columns = (
        Column("arm"),
        Column("n", "count"),
        Column("fit, cold (s)", "quantity"),
        Column("fit, cached (s)", "quantity"),
        Column("predict (ms a row)", "quantity"),
        Column("peak memory (MB)", "quantity"),
        Column("tokens", "count"),
        Column("parameters", "count"),
        Column("whole cost", "quantity"),
    )
    used = [k for k in range(9) if k < 3 or any(row[k] is not None for row in made)]
    return Table(
        "Cost of one fit",
        tuple(columns[k] for k in used),
        tuple(tuple(row[k] for k in used) for row in made),
        "Cold: nothing cached, encoding the rows included. Cached: embeddings read from disk."
        + (" Whole cost: labels, tuning, training and inference at the prices below." if 8 in used else ""),
    )


def budget_table(plain: Plain) -> Table:
    """The primary pair's answer at each tuning budget, and at equal tuning seconds."""
    made: list[tuple[Cell, ...]] = []
    headline = next(iter(_pairs(plain)), {})
    for k, stated in enumerate(rows(plain, "budgets")):
        entry = {**headline, **stated} if k == 0 else stated
        trials = number(entry, "trials")
        label = (
            f"{trials:,.0f} trials each" if trials is not None and trials != 1 else "1 trial each (defaults)"
        )
        answers = [(label, entry)]
        if mapping(entry, "equal_seconds"):
            answers.append(("equal tuning seconds", mapping(entry, "equal_seconds")))
        for name, answer in answers:
            kind, sentence = kind_title(text(answer, "kind", "–")), text(answer, "sentence", "–")
            made.append((name, kind, number(answer, "estimate"), pieces_text(answer), sentence))
    columns = (
        Column("tuning budget"),
        Column("answer"),
        Column("crossing at n", "count"),
        Column("interval of the crossing"),
        Column("in words"),
    )
    return Table("The primary pair at each tuning budget", columns, tuple(made) if len(made) > 1 else ())


def pair_title(pair: Plain) -> str:
    """``expensive minus cheap``, by the names that the sentences use."""
    return " minus ".join(text(pair, side, side) for side in ("expensive", "cheap"))


def pieces_text(pair: Plain) -> str:
    """Every piece of the crossing's interval; a dash where there is none."""
    return "; ".join(piece_text(piece) for piece in rows(pair, "pieces")) or "–"


def _pairs(plain: Plain) -> list[Plain]:
    return sorted(rows(plain, "pairs"), key=lambda pair: pair.get("primary") is not True)


def _pair_row(pair: Plain, answer: Plain, metric: str) -> tuple[Cell, ...]:
    level = number(answer, "level") or number(pair, "level")
    return (
        pair_title(pair) + (" (primary)" if pair.get("primary") is True else ""),
        metric,
        number(answer, "margin"),
        kind_title(text(answer, "kind", "–")),
        number(answer, "estimate"),
        pieces_text(answer),
        level,
        text(answer, "draws_needed", "–"),
    )


def _tiles(plain: Plain, primary: Plain) -> list[tuple[str, str, str]]:
    level = number(primary, "level") or 0.95
    estimate = number(primary, "estimate")
    interval = (
        f"{100 * level:.3g}% interval {pieces_text(primary)}" if rows(primary, "pieces") else "no interval"
    )
    kind = text(primary, "kind")
    claimed = kind in ("starts_paying", "stops_paying", "crossing", "several") and estimate is not None
    words = {"stops_paying": "Stops paying at n", "starts_paying": "Starts paying at n"}
    tiles = [
        (
            words.get(text(primary, "direction", kind), "Crossing at n") if claimed else "Crossing",
            f"≈ {estimate:,.0f}" if claimed and estimate is not None else "none claimed",
            interval,
        )
    ]
    deciding = [row for row in rows(primary, "differences") if number(row, "stage") != 1]
    differences = sorted(deciding, key=lambda row: number(row, "size") or 0)
    for found in (differences[0], differences[-1]) if len(differences) > 1 else differences:
        ends = (number(found, "low"), number(found, "high"))
        label = f"Gain at n = {show(number(found, 'size'), 'count')}"
        tiles.append((label, show(number(found, "mean"), "signed"), show(ends, "signed_interval")))
    draws = [number(row, "n_draws") for row in differences]
    known = [value for value in draws if value is not None]
    test = number(mapping(mapping(plain, "split"), "sizes"), "test")
    if known:
        remark = "of the training rows" + (f", {test:,.0f} test rows" if test is not None else "")
        tiles.append(("Deciding draws", f"{max(known):,.0f}", remark))
    looks = number(plain, "looks")
    if looks is not None:
        tiles.append(("Looks at this test set", f"{looks:,.0f}", "this verdict included"))
    return tiles


def _arm_title(arm: Plain, key: str, illustration: bool) -> str:
    return text(arm, "title", key) + (" (illustration)" if illustration else "")


def _prices(plain: Plain) -> list[Block]:
    prices = flat(mapping(plain, "prices"))
    return (
        [Prose("Prices: " + "; ".join(f"{name} = {value}" for name, value in prices) + ".", "quiet")]
        if prices
        else []
    )


def _how(plain: Plain) -> list[Block]:
    stated = [text(mapping(plain, "intervals"), name) for name in sorted(mapping(plain, "intervals"))]
    return [
        Prose(
            " ".join(part for part in stated if part)
            or "Interval of a mean score: over draws of the training rows and over test rows, at "
            f"{100 * (number(plain, 'level') or 0.95):.4g}%. "
            "Compare arms by the paired differences above, never by whether two of these intervals overlap.",
            "quiet",
        )
    ]
