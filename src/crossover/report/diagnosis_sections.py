"""What the page of a diagnosis shows: findings ranked, the decision table, errors, nulls, words, weights."""

from __future__ import annotations

from crossover.report.chart_style import metric_title
from crossover.report.diagnosis_figure import course_plot, error_curves, null_plot
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Fold, Picture, Prose, Section, Tiles
from crossover.report.plain_values import Plain, flat, keyed_rows, mapping, number, rows, text
from crossover.report.tables import Cell, Column, Table, show

HOLDS = {True: "holds", False: "does not hold"}


def charts(plain: Plain) -> list[Chart]:
    """Errors over sizes, null runs, and the course of training where there is one."""
    found = (error_curves(plain), null_plot(plain), course_plot(plain))
    return [chart for chart in found if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """Whatever stops all reading of scores, beside the verdict's own flags."""
    return [
        f"{text(f, 'title')}: {text(f, 'evidence')}"
        for f in rows(plain, "findings")
        if text(f, "severity") == "stop"
    ]


def head(plain: Plain) -> list[Block]:
    """The errors at n beside the target."""
    size, subject = number(plain, "size"), text(plain, "subject")
    tiles: list[tuple[str, str, str]] = []
    target = number(plain, "target")
    if target is not None:
        tiles.append(("target error", f"{target:g}", metric_title(text(plain, "metric", "score"))))
    for part in ("validation", "training"):
        for point in rows(plain, "errors"):
            own = text(point, "arm") == subject and number(point, "size") == size
            if own and text(point, "part") == part:
                ends = (number(point, "low"), number(point, "high"))
                remark = f"{show(ends, 'interval')} at {size:,.0f} rows" if size is not None else ""
                tiles.append((f"{part} error", show(number(point, "mean"), "score"), remark))
    slope = mapping(plain, "slope")
    if number(slope, "mean") is not None:
        ends = (number(slope, "low"), number(slope, "high"))
        tiles.append(
            (
                "change from n/2 to n",
                show(number(slope, "mean"), "signed"),
                f"{show(ends, 'signed_interval')}, simultaneous",
            )
        )
    return [Tiles(tuple(tiles))] if tiles else []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Findings first, then why this verdict, then the evidence."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    findings, decision = finding_table(plain), decision_table(plain)
    table_note = Prose("Rows are asked from the top; the first that holds is the verdict.", "quiet")
    made: list[tuple[str, str, list[Block]]] = [
        ("Findings, the gravest first", "findings", [findings] if findings.rows else []),
        ("What is already fine", "fine", _fine(plain)),
        ("How the verdict was reached", "decision", [table_note, decision] if decision.rows else []),
        ("Errors over sizes", "errors", _pair(pictures, "errors", error_table(plain))),
        ("Null runs", "nulls", _pair(pictures, "nulls", null_table(plain))),
        ("Against other models", "rivals", _pair(pictures, "", rival_table(plain))),
        ("Rows only one model gets right", "words", _words(plain)),
        ("They are all just weights", "weights", _weights(plain)),
        ("The course of training", "course", _course(plain, pictures)),
    ]
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def tables(plain: Plain) -> list[Table]:
    """The answer's first."""
    return [
        finding_table(plain), decision_table(plain), error_table(plain), null_table(plain),
        rival_table(plain), intervention_table(plain), word_table(plain), course_table(plain),
    ]  # fmt: skip


def _pair(pictures: dict[str, Picture], name: str, table: Table) -> list[Block]:
    blocks: list[Block] = [pictures[name]] if name in pictures else []
    return [*blocks, table] if table.rows else blocks


def finding_table(plain: Plain) -> Table:
    """Every finding that calls for a step, ranked."""
    made: list[tuple[Cell, ...]] = [
        (
            k,
            text(row, "severity", "–"),
            text(row, "title", "–"),
            text(row, "evidence", "–"),
            text(row, "next_step", "–"),
            text(row, "refute", "–"),
            text(row, "code", "–").replace("_", " "),
        )
        for k, row in enumerate(
            (r for r in rows(plain, "findings") if text(r, "severity") != "fine" or text(r, "next_step")),
            start=1,
        )
    ]
    columns = (
        Column("rank", "count"), Column("severity"), Column("finding"), Column("evidence"),
        Column("next step"), Column("what could refute it"), Column("code"),
    )  # fmt: skip
    return Table("Findings", columns, tuple(made), "The first is the verdict of the decision table.")


def _fine(plain: Plain) -> list[Block]:
    said = tuple(
        f"{text(row, 'title')}: {text(row, 'evidence')}"
        for row in rows(plain, "findings")
        if text(row, "severity") == "fine" and not text(row, "next_step")
    )
    return [Bullets("Cleared by this study", said)] if said else []


def decision_table(plain: Plain) -> Table:
    """The table of the method, with what was seen."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(plain, "decision"):
        holds = row.get("holds")
        said = HOLDS[holds] if isinstance(holds, bool) else "not assessed"
        made.append(
            (
                number(row, "order"),
                text(row, "condition", "–"),
                said,
                text(row, "seen", "–"),
                text(row, "code").replace("_", " "),
            )
        )
    columns = (
        Column("order", "count"), Column("condition"), Column("answer"), Column("seen"), Column("finding"),
    )  # fmt: skip
    level = number(plain, "level")
    note = f"L and U are one-sided bounds at {level:.4f} each, 95% together." if level is not None else ""
    return Table("Decision table", columns, tuple(made), note)


def error_table(plain: Plain) -> Table:
    """One row an arm, size and part."""
    arms = keyed_rows(plain, "arms")
    made: list[tuple[Cell, ...]] = [
        (
            text(arms.get(text(row, "arm"), {}), "title", text(row, "arm")),
            number(row, "size"),
            text(row, "part", "–"),
            number(row, "mean"),
            (number(row, "low"), number(row, "high")),
            number(row, "draws"),
            text(row, "method", "–"),
        )
        for row in rows(plain, "errors")
    ]
    columns = (
        Column("arm"), Column("training rows", "count"), Column("part"), Column("error", "score"),
        Column("95% interval", "interval"), Column("draws", "count"), Column("how the interval was made"),
    )  # fmt: skip
    return Table(f"Errors in {metric_title(text(plain, 'metric', 'score'))}", columns, tuple(made))


def null_table(plain: Plain) -> Table:
    """Lead of null runs over the prior predictor."""
    nulls = mapping(plain, "nulls")
    lifts = mapping(nulls, "lifts")
    names = (("permuted", "labels permuted in training"), ("constant", "every text the same"))
    made: list[tuple[Cell, ...]] = [
        (
            title,
            metric_title(str(score)),
            number(lift, "mean"),
            (number(lift, "low"), number(lift, "high")),
            number(lift, "draws"),
        )
        for key, title in names
        for score, lift in keyed_rows(lifts, key).items()
    ]
    columns = (
        Column("null run"), Column("score"), Column("lead over the prior predictor", "signed"),
        Column("simultaneous bounds", "signed_interval"), Column("runs", "count"),
    )  # fmt: skip
    p = number(nulls, "p")
    note = f"Real runs of the same size against permuted ones: P = {p:.3g}." if p is not None else ""
    return Table("Null runs against the prior predictor", columns, tuple(made), note)


def rival_table(plain: Plain) -> Table:
    """The subject's error minus that of each other arm, and cost."""
    arms = keyed_rows(plain, "arms")
    made: list[tuple[Cell, ...]] = [
        (
            text(arms.get(text(row, "arm"), {}), "title", text(row, "arm")),
            number(gap, "mean"),
            (number(gap, "low"), number(gap, "high")),
            text(row, "equivalence", "–"),
            number(row, "fit_seconds_ratio"),
            number(row, "predict_ratio"),
        )
        for row in rows(plain, "comparisons")
        for gap in [mapping(row, "difference")]
    ]
    columns = (
        Column("against"), Column("error of the subject minus its", "signed"),
        Column("simultaneous bounds", "signed_interval"), Column("equivalence"),
        Column("times its fitting seconds", "quantity"), Column("times its predicting seconds", "quantity"),
    )  # fmt: skip
    return Table("Is it worse or slower than a simpler model?", columns, tuple(made))


def intervention_table(plain: Plain) -> Table:
    """What each intervention did to the training objective."""
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "name", "–"),
            _small(number(change, "mean")),
            f"[{_small(number(change, 'low'))}, {_small(number(change, 'high'))}]",
            _small(number(row, "tolerance")),
        )
        for row in rows(plain, "interventions")
        for change in [mapping(row, "change")]
    ]
    columns = (
        Column("intervention"), Column("change of the objective"), Column("simultaneous bounds"),
        Column("counts as none"),
    )  # fmt: skip
    return Table("Interventions on the optimiser", columns, tuple(made))


def _small(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def word_table(plain: Plain) -> Table:
    """Words of the rows only one of the two models gets right."""
    made: list[tuple[Cell, ...]] = [
        (
            text(side, "arm"),
            text(word, "word", "–"),
            number(word, "first"),
            number(word, "second"),
            number(word, "z"),
            number(word, "p"),
        )
        for key in ("subject", "other")
        for side in [mapping(mapping(plain, "words"), key)]
        for word in rows(side, "words")
    ]
    columns = (
        Column("only right"), Column("word"), Column("such rows with it", "count"),
        Column("other rows with it", "count"), Column("z of the log-odds", "signed"),
        Column("P, corrected", "quantity"),
    )  # fmt: skip
    return Table("Words that set those rows apart", columns, tuple(made))


def _words(plain: Plain) -> list[Block]:
    words = mapping(plain, "words")
    said = []
    for key in ("subject", "other"):
        side = mapping(words, key)
        count, total = number(side, "only_right"), number(words, "rows")
        if count is not None and total is not None:
            note = f" ({text(side, 'note')})" if text(side, "note") else ""
            said.append(f"{count:,.0f} of {total:,.0f} rows only {text(side, 'arm')} gets right{note}")
    table = word_table(plain)
    blocks: list[Block] = [Bullets("Right in more than half of the draws", tuple(said))] if said else []
    return [*blocks, table] if table.rows else blocks


def _weights(plain: Plain) -> list[Block]:
    weights = mapping(plain, "weights")
    if not weights:
        return []
    made: list[tuple[Cell, ...]] = [(name, value) for name, value in flat(mapping(weights, "numbers"), 60)]
    numbers_of = Table("Objective of the worse model", (Column("quantity"), Column("value")), tuple(made))
    return [Prose(text(weights, "sentence")), Fold("The numbers", (numbers_of,))]


def course_table(plain: Plain) -> Table:
    """One row a run with a history."""
    made: list[tuple[Cell, ...]] = [
        (
            k,
            number(row, "steps"),
            number(row, "turns"),
            _yes(row.get("oscillates")),
            _yes(row.get("diverges")),
            number(row, "gradient_norm"),
            number(row, "gradient_ratio"),
        )
        for k, row in enumerate(rows(plain, "courses"), start=1)
    ]
    columns = (
        Column("run", "count"), Column("steps", "count"), Column("significant turns", "count"),
        Column("oscillates"), Column("ends above its lowest"), Column("median gradient norm", "quantity"),
        Column("last tenth over first", "quantity"),
    )  # fmt: skip
    return Table("The course of each run", columns, tuple(made))


def _course(plain: Plain, pictures: dict[str, Picture]) -> list[Block]:
    blocks: list[Block] = _pair(pictures, "courses", course_table(plain))
    changes = intervention_table(plain)
    return [*blocks, changes] if changes.rows else blocks


def _yes(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "too few steps"
