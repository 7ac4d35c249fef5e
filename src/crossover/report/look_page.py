"""The page of a look: what was found in a corpus, and its rows to be read.

Plain values in (what ``findings.json`` holds), a Page out; nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Sequence

from crossover.report import look_figures as figures
from crossover.report.browser import Browser
from crossover.report.chart_style import short
from crossover.report.drawing import Chart
from crossover.report.finding_table import finding_table
from crossover.report.look_tables import (
    balance_table,
    breakdown_tables,
    contrast_table,
    duplicate_table,
    of_class,
    statistics_table,
    word_table,
)
from crossover.report.page import (
    Block,
    Bullets,
    Code,
    Facts,
    Notice,
    Page,
    Picture,
    Prose,
    Section,
    Tiles,
)
from crossover.report.plain_values import Plain, flat, mapping, number, rows, text, texts
from crossover.report.tables import Cell, Column, Table
from crossover.report.visible_text import visible

STAGES = {"raw": "raw", "split": "after the split", "model": "after a model"}
DRAWN = 2
"""Statistics drawn for each way of breaking down; the table has all."""


def look_page(found: Plain, browser: Browser, charts: Sequence[Chart]) -> Page:
    """The page: findings first, the rows last; ``charts`` are those of :func:`look_charts`."""
    corpus = mapping(found, "corpus")
    name, stage = short(text(corpus, "name", "corpus")), text(found, "stage")
    size = number(corpus, "rows") or 0
    grave = [row for row in rows(found, "findings") if text(row, "severity") in ("error", "warning")]
    said = "nothing that alarms" if not grave else f"{len(grave)} finding{'s' * (len(grave) > 1)} to settle"
    return Page(
        title=f"look at {name}",
        headline=f"{name}: {size:,.0f} rows, {said}",
        subline="Read some rows before anything else: they are at the end of this page.",
        eyebrow=f"Look · {STAGES.get(stage, short(stage))} · {text(corpus, 'fingerprint')}",
        badge=f"{STAGES.get(stage, short(stage))}",
        head=tuple(_head(found)),
        sections=tuple(_sections(found, browser, {chart.name: chart for chart in charts})),
    )


def look_charts(found: Plain) -> list[Chart]:
    """The figures of the page, each under its own name."""
    made = [figures.balance_chart(found), figures.lengths_chart(found)]
    middles = {
        centre: {text(row, "name"): number(row, centre) for row in rows(found, "statistics")}
        for centre in ("mean", "median")
    }
    for place, by in enumerate(_ways(found)):
        listed = [b for b in rows(found, "breakdowns") if text(b, "by") == by]
        shares = _drawn_shares(found, listed)
        timed = any(text(b, "kind").startswith("time") for b in listed)
        if timed:
            one = len(shares) == 1
            what = (
                figures.statistic_title(text(shares[0], "statistic")).capitalize() if one else "The classes"
            )
            made.append(figures.time_chart(shares, f"look_shares_{place}", f"{what} over time"))
        elif shares:
            made.append(figures.statistic_chart(shares[-1], f"look_shares_{place}", None))
        for k, breakdown in enumerate(_widest([b for b in listed if b not in shares and not of_class(b)])):
            title = figures.statistic_title(text(breakdown, "statistic")).capitalize()
            overall = middles.get(text(breakdown, "centre"), {}).get(text(breakdown, "statistic"))
            made.append(
                figures.time_chart([breakdown], f"look_by_{place}_{k}", f"{title} over time")
                if timed
                else figures.statistic_chart(breakdown, f"look_by_{place}_{k}", overall)
            )
    return [chart for chart in made if chart is not None]


def _head(found: Plain) -> list[Block]:
    severities = [text(row, "severity") for row in rows(found, "findings")]
    shown = mapping(found, "shown")
    corpus = mapping(found, "corpus")
    counted = ", ".join(
        f"{severities.count(kind)} {kind}" for kind in ("error", "warning", "info") if kind in severities
    )
    masked = found.get("masked") is True
    warning = [
        "It holds texts as they were written"
        + (", addresses and numbers masked by their form alone" if masked else "")
        + ": share it as you may share the data, and publish none of it.",
    ]
    if text(found, "stage") == "raw":
        warning.append(
            "Rows that will be the test part are among these: read them to mend data, not to tune."
        )
    warning += [visible(item, 600) for item in texts(found, "warnings")]
    size = number(shown, "rows") or 0
    of = f"of {number(corpus, 'rows') or 0:,.0f}, {number(shown, 'drawn') or 0:,.0f} of them drawn by chance"
    copies = next((row for row in rows(found, "findings") if text(row, "code") == "duplicates-near"), {})
    near = number(mapping(copies, "evidence"), "rows")
    tiles = (
        ("findings", f"{len(severities)}", counted or "none"),
        (
            "classes",
            f"{len(texts(corpus, 'classes')):,}",
            ", ".join(short(c, 16) for c in texts(corpus, "classes")[:4]),
        ),
        ("rows with a near-copy", "–" if near is None else f"{near:,.0f}", "see duplicates"),
        ("rows on this page", f"{size:,.0f}", of),
    )
    return [Notice("This page contains raw text", tuple(warning)), Tiles(tiles)]


def _sections(found: Plain, browser: Browser, charts: dict[str, Chart]) -> list[Section]:
    def pictures(*names: str) -> list[Block]:
        return [Picture.of(charts[name]) for name in names if name in charts]

    made: list[tuple[str, str, list[Block]]] = [
        (
            "Findings",
            "findings",
            [finding_table("What was found, the gravest first", rows(found, "findings"))],
        ),
        ("The card", "card", _card(found)),
        ("Balance", "balance", [*pictures("look_balance"), *_table(balance_table(found))]),
        (
            "The texts",
            "texts",
            [*pictures("look_lengths"), *_table(statistics_table(found)), *_languages(found)],
        ),
    ]
    for place, by in enumerate(_ways(found)):
        drawn = pictures(f"look_shares_{place}", *(f"look_by_{place}_{k}" for k in range(DRAWN)))
        tables = [table for table in breakdown_tables(found, by) if table.rows]
        made.append((f"By {figures.by_title(by)}", f"by-{_letters(place)}", [*drawn, *tables]))
    made += [
        ("Set against each other", "contrasts", _table(contrast_table(found))),
        ("Words a class over-uses", "words", _table(word_table(found))),
        ("Duplicates", "duplicates", _duplicates(found)),
        ("Rows", "rows", [_rows_intro(found), browser]),
        ("Who has looked", "looks", _looks(found)),
        ("Do it again", "again", [Code(tuple(texts(found, "command")))] if texts(found, "command") else []),
    ]
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def _card(found: Plain) -> list[Block]:
    corpus = mapping(found, "corpus")
    facts = [("name", text(corpus, "name", "–")), ("fingerprint", text(corpus, "fingerprint", "–"))]
    meta = ", ".join(f"{name} ({kind})" for name, kind in flat(mapping(corpus, "meta"), 40))
    facts += [("declared columns", meta)] if meta else []
    split = mapping(found, "split")
    if split:
        sizes = ", ".join(f"{part} {size}" for part, size in flat(mapping(split, "sizes")))
        facts.append(("split", f"{text(split, 'fingerprint')}: {sizes}"))
    for run in rows(found, "runs"):
        facts.append(("run", f"{text(run, 'digest')}: {text(run, 'model')}, {text(run, 'rows')} rows shown"))
    card = [(name.replace("_", " "), value) for name, value in flat(mapping(corpus, "card"), 60)]
    return [Facts((*facts, *card))]


def _table(table: Table) -> list[Block]:
    return [table] if table.rows else []


def _languages(found: Plain) -> list[Block]:
    made: list[Block] = []
    for key, title in (("languages", "Languages, guessed"), ("scripts", "Scripts")):
        listed: list[tuple[Cell, ...]] = [
            (text(row, "name"), number(row, "rows"), number(row, "share")) for row in rows(found, key)
        ]
        if listed:
            columns = (Column("name"), Column("rows", "count"), Column("share", "score"))
            made.append(Table(title, columns, tuple(listed)))
    return made


def _duplicates(found: Plain) -> list[Block]:
    table = duplicate_table(found)
    return [table] if table.rows else [Prose("No text has a near-copy.", "quiet")]


def _rows_intro(found: Plain) -> Block:
    counts = mapping(mapping(found, "shown"), "kinds")
    listed = ", ".join(f"{name} {value}" for name, value in flat(counts))
    return Prose(
        f"Why a row is here: {listed}. The rows marked random are a uniform sample of all rows: start with "
        "them, and count what you see. Oddness says how far a text's words, characters and make-up lie "
        "from the others'; it orders rows and tests nothing. " + text(mapping(found, "shown"), "note")
    )


def _looks(found: Plain) -> list[Block]:
    made: list[tuple[Cell, ...]] = [
        (
            STAGES.get(text(row, "stage"), text(row, "stage")),
            text(row, "by", "unsigned"),
            text(row, "expertise", "–"),
            text(row, "when", "–"),
            text(row, "found", "–"),
            text(row, "decided", "–"),
        )
        for row in rows(found, "looks")
    ]
    columns = tuple(Column(name) for name in ("stage", "by", "expertise", "when (UTC)", "found", "decided"))
    blocks: list[Block] = (
        [Table("Looks at this corpus before this page was made", columns, tuple(made))] if made else []
    )
    blocks.append(
        Bullets("When you have read it, put your name to it", ("what you found, and what you decided:",))
    )
    return [*blocks, Code(tuple(texts(found, "sign_command")))] if texts(found, "sign_command") else blocks


def _ways(found: Plain) -> list[str]:
    """What the texts are broken down by, in the order of the breakdowns: the class first."""
    return list(dict.fromkeys(text(row, "by") for row in rows(found, "breakdowns")))


def _drawn_shares(found: Plain, listed: Sequence[Plain]) -> list[Plain]:
    """Shares of the largest classes; of two classes the rarer, the other is its mirror image."""
    largest = [text(row, "label") for row in rows(found, "balance")][: figures.LINES]
    wanted = largest[1:] if len(largest) == 2 else largest
    by_class = {text(b, "statistic").removeprefix("share of "): b for b in listed if of_class(b)}
    return [by_class[label] for label in wanted if label in by_class]


def _widest(breakdowns: list[Plain]) -> list[Plain]:
    """Those whose means lie furthest apart, measured in their own intervals; of the three sizes one."""

    def apart(breakdown: Plain) -> float:
        listed = [row for row in figures.breakdown_rows(breakdown) if None not in row]
        means = [float(row[2] or 0) for row in listed]
        widths = [float(row[4] or 0) - float(row[3] or 0) for row in listed]
        typical = sorted(widths)[len(widths) // 2] if widths else 0.0
        return (max(means) - min(means)) / typical if means and typical > 0 else 0.0

    sizes = ("characters", "words", "sentences")
    drawn = [breakdown for breakdown in breakdowns if text(breakdown, "statistic") != "blank"]
    ordered = sorted(drawn, key=apart, reverse=True)
    one_size = next((b for b in ordered if text(b, "statistic") in sizes), None)
    return [b for b in ordered if b is one_size or text(b, "statistic") not in sizes][:DRAWN]


def _letters(place: int) -> str:
    """An anchor of letters alone: a, b, ... z, ba, bb ..."""
    letters = ""
    while True:
        place, rest = divmod(place, 26)
        letters = chr(97 + rest) + letters
        if place == 0:
            return letters
