"""What the page of an artefact study shows: with and without a mark, what suffices alone, what moves."""

from __future__ import annotations

from crossover.report.artifacts_figure import at_level, reading_title, readings_plot, worth_plot
from crossover.report.chart_style import metric_title
from crossover.report.comparison_figure import Dot, dot_plot
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Picture, Prose, Section, Tiles
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text, texts
from crossover.report.tables import Cell, Column, Table, show

NOTES = {
    "findings": (
        "Every question with a test is one of a family: P after Holm, so that on clean data any "
        "false alarm has a chance of 5%, shared by the looks that were declared."
    ),
    "worth": (
        "The mark is taken out of the test texts alone; the model is as trained. A fall says what "
        "the mark carries, and a mark that is the matter itself carries something too."
    ),
    "marks": (
        "Found in the training rows, confirmed on the test rows. No count can tell a topic's own word "
        "from a mark of where the text came from: judge them, and name in study.marks what has no "
        "business deciding."
    ),
    "alone": (
        "Against the class shares of the test rows. P is one-sided, of no lead in log loss and in "
        "accuracy: in macro-F1 a coin beats the base rate."
    ),
    "partial": ("The model trained and tested on this part of every text alone."),
    "moved": ("Of the test rows whose text the change touched: how often the predicted class moves."),
    "remedies": (
        "Trained again with the mark masked in training and in use, with every row once with and once "
        "without it, or with rows dropped until it is as frequent in every class."
    ),
}
"""What stands above the table of each section."""


def charts(plain: Plain) -> list[Chart]:
    """Scores with and without each mark, readings against the base rate, and moved predictions."""
    found = (worth_plot(plain), readings_plot(plain), _moved_plot(plain))
    return [chart for chart in found if chart is not None]


def _moved_plot(plain: Plain) -> Chart | None:
    dots = [
        Dot(_named(plain, row, text(row, "name")), rate, number(row, "low"), number(row, "high"))
        for row in rows(plain, "unmoved")
        if (rate := number(row, "rate")) is not None
    ]
    return dot_plot(
        "moved", "Predictions that move under a change that should not matter", "share moved", dots
    )


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags."""
    return []


def head(plain: Plain) -> list[Block]:
    """With and without the marks that were named, as figures to remember."""
    name = metric_title(text(plain, "metric", "score"))
    items = [
        (
            f"{name} without {text(row, 'mark')}",
            show(number(row, "without"), "score"),
            f"{show(number(row, 'with'), 'score')} with it",
        )
        for row in _worth(plain)
        if row.get("named") is True and text(row, "arm") == text(plain, "subject")
    ]
    return [Tiles(tuple(items[:4]))] if items else []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Marks, readings, partial inputs, movement, remedies."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    made: list[tuple[str, str, str, Table]] = [
        ("What alarms", "findings", "", finding_table(plain)),
        ("With and without a mark", "worth", "worth", worth_table(plain)),
        ("Too good to be true?", "marks", "", mark_table(plain)),
        (
            "What can be predicted without reading",
            "alone",
            "readings",
            reading_table(plain, "alone", "Readings without words"),
        ),
        ("What part of a text suffices", "partial", "", reading_table(plain, "partial", "Partial inputs")),
        ("Predictions that should not move", "moved", "moved", moved_table(plain)),
        ("Remedies", "remedies", "", remedy_table(plain)),
    ]
    found = []
    for title, anchor, figure, table in made:
        if table.rows:
            picture: tuple[Block, ...] = (pictures[figure],) if figure in pictures else ()
            found.append(Section(title, anchor, (Prose(NOTES[anchor], "quiet"), *picture, table)))
    if texts(plain, "unresolved"):
        found.append(
            Section(
                "What stays open",
                "open",
                (Bullets("Not bounded closely", tuple(texts(plain, "unresolved"))),),
            )
        )
    return found


def tables(plain: Plain) -> list[Table]:
    """The answer's first."""
    return [
        finding_table(plain), worth_table(plain), mark_table(plain),
        reading_table(plain, "alone", "Readings without words"),
        reading_table(plain, "partial", "Partial inputs"), moved_table(plain), remedy_table(plain),
    ]  # fmt: skip


def finding_table(plain: Plain) -> Table:
    """Findings that alarm."""
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "title", "–"),
            number(row, "p_value"),
            number(mapping(row, "evidence"), "p_holm"),
            text(row, "remedy", "–"),
        )
        for row in rows(plain, "findings")
        if text(row, "severity") != "info"
    ]
    columns = (
        Column("finding"), Column("P", "quantity"), Column("P (Holm)", "quantity"), Column("what to do"),
    )  # fmt: skip
    tests = number(plain, "tests")
    note = f"Holm over {tests:.0f} tests of this page." if tests is not None else ""
    return Table("Findings that alarm", columns, tuple(made), note)


def worth_table(plain: Plain) -> Table:
    """One row an arm and mark."""
    name = metric_title(text(plain, "metric", "score"))
    made: list[tuple[Cell, ...]] = []
    for row in _worth(plain):
        drop, carriers = mapping(row, "drop"), number(row, "carriers")
        right, left = number(row, "right_with"), number(row, "right_without")
        made.append(
            (
                _named(plain, row, text(row, "mark")) + (" (named)" if row.get("named") is True else ""),
                number(row, "with"),
                number(row, "without"),
                number(drop, "mean"),
                (number(drop, "low"), number(drop, "high")),
                number(drop, "p"),
                carriers,
                None if not carriers or right is None else right / carriers,
                None if not carriers or left is None else left / carriers,
                number(row, "moved"),
            )
        )
    columns = (
        Column("mark"), Column(f"{name} with", "score"),
        Column("without", "score"), Column("fall", "signed"),
        Column(f"its {at_level(plain)} interval", "signed_interval"),
        Column("P of no fall", "quantity"), Column("rows that carry it", "count"),
        Column("right among them, with", "score"), Column("without it", "score"),
        Column("moved", "count"),
    )  # fmt: skip
    return Table("The score with and without each mark", columns, tuple(made))


def mark_table(plain: Plain) -> Table:
    """Marks found in the training rows."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(plain, "marks"):
        train, test = mapping(row, "train"), mapping(row, "test")
        made.append(
            (
                " · ".join(texts(row, "members")[:6]),
                text(row, "kind"),
                text(row, "class"),
                number(train, "carriers"),
                number(train, "recall"),
                number(test, "carriers"),
                number(test, "precision"),
                (number(test, "low"), number(test, "high")),
                number(test, "p"),
            )
        )
    columns = (
        Column("mark"), Column("kind"), Column("class"), Column("training rows with it", "count"),
        Column("share of its class", "score"), Column("test rows with it", "count"),
        Column("of its class", "score"), Column("exact interval, shared out", "interval"),
        Column("P by chance", "quantity"),
    )  # fmt: skip
    note = "Rows of one cluster of near-duplicates count once."
    return Table("Marks that stand in one class almost only", columns, tuple(made), note)


def reading_table(plain: Plain, key: str, caption: str) -> Table:
    """One row a reading."""
    name = metric_title(text(plain, "metric", "score"))
    made: list[tuple[Cell, ...]] = []
    for row in rows(plain, key):
        difference, nats, lead = (mapping(row, part) for part in ("difference", "nats", "accuracy"))
        made.append(
            (
                reading_title(text(row, "name")),
                number(row, "score"),
                number(row, "base"),
                (number(difference, "low"), number(difference, "high")),
                (number(lead, "low"), number(lead, "high")),
                (number(nats, "low"), number(nats, "high")),
                number(row, "p"),
            )
        )
    at = at_level(plain)
    columns = (
        Column("what is read"), Column(name, "score"), Column("base rate", "score"),
        Column(f"lead, {at} interval", "signed_interval"),
        Column(f"lead in accuracy, {at}", "signed_interval"),
        Column(f"log loss saved, {at}", "signed_interval"),
        Column("P", "quantity"),
    )  # fmt: skip
    return Table(caption, columns, tuple(made))


def moved_table(plain: Plain) -> Table:
    """One row an arm and change."""
    made: list[tuple[Cell, ...]] = [
        (
            _named(plain, row, text(row, "name")),
            number(row, "changed"),
            number(row, "moved"),
            number(row, "rate"),
            (number(row, "low"), number(row, "high")),
            number(mapping(row, "drop"), "mean"),
            "; ".join(
                f"{text(way, 'from')} to {text(way, 'to')}: {number(way, 'count'):.0f}"
                for way in rows(row, "directions")
            ),
        )
        for row in rows(plain, "unmoved")
    ]
    columns = (
        Column("change"), Column("rows it touches", "count"), Column("predictions that move", "count"),
        Column("share", "score"), Column(f"{at_level(plain)} interval", "interval"),
        Column("fall of the score", "signed"),
        Column("from which to which"),
    )  # fmt: skip
    return Table("Predictions under changes that should not matter", columns, tuple(made))


def remedy_table(plain: Plain) -> Table:
    """One row a mark and remedy."""
    name = metric_title(text(plain, "metric", "score"))
    made: list[tuple[Cell, ...]] = []
    for row in rows(plain, "remedies"):
        cost, gain = mapping(row, "cost"), mapping(row, "gain")
        made.append(
            (
                text(row, "mark"),
                text(row, "remedy"),
                number(row, "train_rows"),
                number(row, "score"),
                (number(cost, "low"), number(cost, "high")),
                number(row, "score_stripped"),
                (number(gain, "low"), number(gain, "high")),
            )
        )
    at = at_level(plain)
    columns = (
        Column("mark"), Column("remedy"), Column("training rows", "count"),
        Column("texts as they are", "score"),
        Column(f"change, {at} interval", "signed_interval"),
        Column("without the mark", "score"), Column(f"change there, {at}", "signed_interval"),
    )  # fmt: skip
    return Table(f"What each remedy costs and gains, in {name}", columns, tuple(made))


def _worth(plain: Plain) -> list[Plain]:
    """The subject first, its marks in order."""
    subject = text(plain, "subject")
    return sorted(rows(plain, "worth"), key=lambda row: text(row, "arm") != subject)


def _named(plain: Plain, row: Plain, name: str) -> str:
    """The name, and the arm where there are several."""
    shown = name.replace("_", " ")
    return shown if len(keyed_rows(plain, "arms")) < 2 else f"{shown}, {text(row, 'arm')}"
