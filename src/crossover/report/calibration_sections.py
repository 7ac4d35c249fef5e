"""What the page of a calibration study shows: diagrams, measures, recalibrations, abstaining, the bump."""

from __future__ import annotations

from crossover.report import chart_style as style
from crossover.report.calibration_figures import Shaded, reliability_diagram, risk_coverage
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Fold, Picture, Prose, Section, Tiles
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text
from crossover.report.tables import Cell, Column, Table
from crossover.report.visible_text import visible

ARMS_DRAWN = 6
"""Arms whose diagrams are drawn; the tables have every arm."""
MEASURES = {
    "top_label_ece": "ECE, predicted class",
    "class_wise_ece": "ECE, all classes",
    "top_label_l2": "L2 debiased, predicted class",
    "class_wise_l2": "L2 debiased, all classes",
    "ece_sweep": "ECE-sweep",
    "smooth_ece": "smooth ECE",
    "brier": "Brier score",
    "log_loss": "log loss",
    "aurc": "AURC",
    "reliability": "Brier: reliability",
    "resolution": "Brier: resolution",
    "uncertainty": "Brier: uncertainty",
    "remainder": "Brier: remainder",
}
FINDINGS = {
    "local": "a bump", "unplaced": "more than recalibration mends, not placed", "recalibrate": "recalibrate",
    "untold": "off, cannot be placed", "not_shown": "nothing shown", "insufficient": "insufficient evidence",
}  # fmt: skip


def charts(plain: Plain) -> list[Chart]:
    """Two reliability diagrams an arm (predicted class, the class most off), and risk against coverage."""
    arms = list(keyed_rows(plain, "arms").items())
    found: list[Chart | None] = []
    for k, (key, arm) in enumerate(arms[:ARMS_DRAWN], start=1):
        diagrams, name = (
            mapping(mapping(arm, "calibration"), "diagrams"),
            style.short(text(arm, "title", key)),
        )
        found.append(
            reliability_diagram(
                f"reliability_{k}", f"Predicted class: {name}", "largest probability",
                mapping(diagrams, "top_label"),
            )
        )  # fmt: skip
        where = _range(arm)
        shown = number(where, "class_index")
        if shown is not None:
            class_name = style.short(text(where, "class"))
            found.append(
                reliability_diagram(
                    f"reliability_{k}_class", f"Class {class_name}: {name}", f"probability of {class_name}",
                    mapping(diagrams, f"class/{int(shown)}"), _shaded(arm, where),
                )
            )  # fmt: skip
    drawn = dict(arms[:ARMS_DRAWN])
    curves = {key: rows(mapping(arm, "calibration"), "risk_coverage") for key, arm in drawn.items()}
    found.append(risk_coverage("risk_coverage", curves, style.arm_styles(drawn)))
    return [chart for chart in found if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags."""
    return []


def head(plain: Plain) -> list[Block]:
    """What was found of each arm, with the P of its two scans, after Holm over the arms."""
    tiles = []
    for key, arm in list(keyed_rows(plain, "arms").items())[:ARMS_DRAWN]:
        p = [number(mapping(arm, scan), "holm_p") for scan in ("global", "local")]
        said = [f"P = {value:.3f}" if value is not None else "no test" for value in p]
        remark = f"as it is {said[0]}; after recalibration {said[1]}"
        tiles.append((text(arm, "title", key), FINDINGS.get(text(arm, "finding"), "–"), remark))
    return [Tiles(tuple(tiles))] if tiles else []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Bumps first, then diagrams, measures, recalibrations and abstaining; absent parts left out."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    recalibration = recalibration_table(plain)
    made: list[tuple[str, str, list[Block]]] = [
        ("Bump", "bump", _bumps(plain)),
        (
            "Stated against observed",
            "reliability",
            [picture for name, picture in pictures.items() if name.startswith("reliability")],
        ),
        ("Every measure", "measures", _some(measure_table(plain))),
        (
            "Recalibrated",
            "recalibration",
            [Prose(_fitted_on(plain)), recalibration] if recalibration.rows else [],
        ),
        (
            "Answering only when sure",
            "risk-coverage",
            [pictures[n] for n in pictures if n == "risk_coverage"],
        ),
    ]
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def tables(plain: Plain) -> list[Table]:
    """Scans, recalibrations, measures, then the traits and rows of every bump."""
    arms = keyed_rows(plain, "arms")
    return [
        scan_table(plain),
        recalibration_table(plain),
        measure_table(plain),
        *(trait_table(key, arm) for key, arm in arms.items()),
        *(row_table(key, arm) for key, arm in arms.items()),
    ]


def scan_table(plain: Plain) -> Table:
    """One row an arm and scan."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(mapping(plain, "tables"), "scans"):
        made.append(
            (f"{text(row, 'arm')}: {text(row, 'scan')}", _p(number(row, "p_value")),
             _p(number(row, "holm_p")), text(row, "class", "–"), (number(row, "low"), number(row, "high")),
             number(row, "rows"), number(row, "observed"), number(row, "expected"),
             number(row, "promised"))
        )  # fmt: skip
    columns = (
        Column("arm: scan"), Column("P"), Column("Holm's P"), Column("class"), Column("range", "interval"),
        Column("rows inside", "count"), Column("observed", "score"), Column("expected", "score"),
        Column("stated", "score"),
    )  # fmt: skip
    note = (
        "Global: against the model's own probabilities. Local: against a smooth recalibration fitted on "
        "calibrate; its range is the one located on one half of the rows, expected what a smooth "
        "recalibration of the rows outside it says. Confirmation: the same range on the other half. P pays "
        "for the search over classes and ranges, Holm's P for that over the arms as well: it decides. The "
        "shares of the first two scans are flattered by the search."
    )
    return Table("Where each arm is most off", columns, tuple(made), note)


def measure_table(plain: Plain) -> Table:
    """One row an arm and measure, beside its value under perfect calibration."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(mapping(plain, "tables"), "calibration"):
        name = MEASURES.get(text(row, "measure"), text(row, "measure"))
        value = number(row, "value")
        made.append(
            (
                text(row, "arm"),
                name if value is not None else f"{name} ({text(row, 'method')})",
                value,
                (number(row, "low"), number(row, "high")),
                (number(row, "null_low"), number(row, "null_high")),
                _p(number(row, "p_value")),
                number(row, "n"),
            )
        )
    columns = (
        Column("arm"), Column("measure"), Column("value", "score"), Column("95% interval", "interval"),
        Column("if calibrated", "interval"), Column("P"), Column("rows", "count"),
    )  # fmt: skip
    note = (
        "if calibrated: the middle 95% of the measure (for errors the lowest 95%) over labels drawn from the "
        "model's own probabilities; an error is above 0 even then. No interval is given where none is honest."
    )
    return Table("Measures on test", columns, tuple(made), note)


def recalibration_table(plain: Plain) -> Table:
    """One row an arm and recalibration, the model as it is first."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(mapping(plain, "tables"), "recalibration"):
        best = row.get("recommended") is True
        made.append(
            (
                text(row, "arm"),
                text(row, "title"),
                "best within calibrate" if best else text(row, "reason"),
                number(row, "log_loss"),
                number(row, "log_loss_change"),
                (number(row, "log_loss_change_low"), number(row, "log_loss_change_high")),
                number(row, "brier"),
                number(row, "brier_change"),
                (number(row, "brier_change_low"), number(row, "brier_change_high")),
                number(row, "accuracy_change"),
                number(row, "smooth_ece"),
                _p(number(row, "smooth_ece_p")),
            )
        )
    columns = (
        Column("arm"), Column("recalibration"), Column("remark"), Column("log loss", "score"),
        Column("change", "signed"), Column("95% interval", "signed_interval"), Column("Brier score", "score"),
        Column("change", "signed"), Column("95% interval", "signed_interval"),
        Column("change of accuracy", "signed"), Column("smooth ECE", "score"), Column("its P"),
    )  # fmt: skip
    note = "Measured on test rows, which no recalibration saw. A loss or score that falls is a gain."
    return Table("Before and after", columns, tuple(made), note)


def trait_table(key: str, arm: Plain) -> Table:
    """What sets the rows of an arm's bump apart."""
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "contrast"), f"{text(row, 'kind')}: {text(row, 'trait')}", _of(row, ""),
            _of(row, "_other"), _p(number(row, "holm_p")),
            "confirmed" if row.get("confirmed") is True else "",
        )
        for row in rows(mapping(arm, "bump"), "traits")
    ]  # fmt: skip
    columns = (
        Column("contrast"), Column("trait"), Column("hold it"), Column("on the other side"),
        Column("Holm's P"), Column(""),
    )  # fmt: skip
    note = "Named on the half that located the range; rows and P are of the other half."
    return Table(f"What sets the rows apart: {style.short(key)}", columns, tuple(made), note)


def row_table(key: str, arm: Plain) -> Table:
    """Rows of an arm's bump."""
    bump = mapping(arm, "bump")
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "id"), text(row, "gold"), text(row, "predicted"), number(row, "probability"),
            number(row, "mapped"), "too many of these" if row.get("unexpected") is True else "",
            text(row, "half"), text(row, "text"),
        )
        for row in rows(bump, "rows")
    ]  # fmt: skip
    columns = (
        Column("id"), Column("label"), Column("predicted"), Column("probability", "score"),
        Column("recalibrated", "score"), Column("remark"), Column("half"), Column("text"),
    )  # fmt: skip
    inside = number(bump, "rows_inside") or 0
    note = f"{inside:,.0f} rows are inside." if made else ""
    return Table(f"Rows of the range: {style.short(key)}", columns, tuple(made), note)


def _bumps(plain: Plain) -> list[Block]:
    """The scans, what could have been found, and for each arm with a bump its candidates, traits and rows."""
    blocks: list[Block] = _some(scan_table(plain))
    for key, arm in keyed_rows(plain, "arms").items():
        size = _detectable(arm)
        if size:
            blocks.append(Prose(f"{style.short(text(arm, 'title', key))}: {size}", "quiet"))
        bump = mapping(arm, "bump")
        if not bump:
            continue
        told = tuple(
            visible(
                f"{text(row, 'candidate')}: {text(row, 'here')}. Would tell: {text(row, 'would_tell')}", 600
            )
            for row in rows(bump, "candidates")
        )
        blocks.append(Bullets(f"Candidates: {style.short(key)}", told))
        blocks += _some(trait_table(key, arm))
        shown = row_table(key, arm)
        if shown.rows:
            blocks.append(Fold(f"{shown.caption} ({len(shown.rows)} shown)", (shown,)))
    return blocks


def _detectable(arm: Plain) -> str:
    """The size of a bump that this test part can show."""
    found = [
        f"{number(row, 'deviation'):g} with {needed:,.0f}"
        for row in rows(arm, "detectable")
        if (needed := number(row, "rows_needed")) is not None
    ]
    if not found:
        return ""
    there = number(rows(arm, "detectable")[0], "rows_there") or 0
    return (
        "a bump near probability .5 is found 80% of the time if its deviation is "
        f"{', '.join(found)} independent rows inside. The fullest class has {there:,.0f} between .25 and .75."
    )


def _fitted_on(plain: Plain) -> str:
    """What was fitted on calibrate, and how many labels that takes."""
    said = [
        f"{style.short(text(arm, 'title', key))} {number(arm, 'calibrate_rows') or 0:,.0f} calibrate rows "
        f"({number(arm, 'labels') or 0:,.0f} labels without them, "
        f"{number(arm, 'labels_with_recalibration') or 0:,.0f} with)"
        for key, arm in keyed_rows(plain, "arms").items()
    ]
    told = "; ".join(said)
    return f"Every recalibration, and the map of the local scan, is fitted on calibrate alone: {told}."


def _range(arm: Plain) -> Plain:
    """The range to mark: the confirmed bump, else where the model is most off."""
    if text(arm, "finding") == "local":
        return mapping(mapping(arm, "local"), "confirmed")
    return mapping(mapping(arm, "global"), "where")


def _shaded(arm: Plain, where: Plain) -> Shaded | None:
    low, high = number(where, "low"), number(where, "high")
    if low is None or high is None or text(arm, "finding") != "local":
        return None
    return Shaded(low, high, f"the bump, [{low:.2f}, {high:.2f}]")


def _of(row: Plain, side: str) -> str:
    held, of = number(row, f"held{side}"), number(row, f"of{side}")
    return "–" if held is None or of is None else f"{held:,.0f} of {of:,.0f}"


def _some(table: Table) -> list[Block]:
    return [table] if table.rows else []


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
