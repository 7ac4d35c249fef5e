"""From a study's verdict, as plain JSON, to its page, figures and tables on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import unsealed
from crossover.data.whole_file import write_whole
from crossover.report import compare_sections, crossover_sections
from crossover.report.chart_style import metric_title, short
from crossover.report.drawing import Chart
from crossover.report.finding_table import finding_table
from crossover.report.looked import looked_blocks, looked_line
from crossover.report.page import Block, Bullets, Code, Facts, Fold, Notice, Page, Prose, Section
from crossover.report.plain_values import Plain, flat, keyed_rows, mapping, number, rows, text, texts
from crossover.report.tables import Cell, Column, Table, to_csv
from crossover.report.visible_text import visible

STUDIES = (
    "ablation", "artifacts", "seed_variance", "calibration", "fold_variance", "diagnosis", "leakage",
    "regularization_path",
)  # fmt: skip
"""Studies with a layout of their own, in ``<study>_sections.py`` beside this file."""


OURS = (
    "learning_curves", "difference", "cost", "scores", "extrapolation", "components", "credit", "draws",
    "errors", "folds", "interactions", "moved", "nulls", "path-", "readings", "reliability_",
    "risk_coverage", "runs_", "spread", "strata", "table_", "worth",
)  # fmt: skip
"""How the names of our figures and tables begin; nothing else in their folders is ever removed."""


class _Layout(NamedTuple):
    """What one kind of study shows between verdict and appendix."""

    charts: Callable[[Plain], list[Chart]]
    warnings: Callable[[Plain], list[str]]
    head: Callable[[Plain], list[Block]]
    sections: Callable[[Plain, list[Chart]], list[Section]]
    tables: Callable[[Plain], list[Table]]


def stored_verdict(folder: Path) -> Plain:
    """The verdict of a study's folder.

    Raises:
        BadInput: there is no such study, or its verdict cannot be read.
    """
    file = folder / "verdict.json"
    if not file.exists():
        known = sorted(path.parent.name for path in folder.parent.glob("*/verdict.json"))
        raise BadInput(f"of={folder.name}: no such study in {folder.parent}; there are {known}")
    return unsealed(file, "run the study again: its runs are kept")


def verdict_page(verdict: Plain) -> Page:
    """The page of any study: what it answers first, how, and how to do it again last."""
    return _page(verdict, _layout(verdict).charts(mapping(verdict, "numbers")))


def verdict_tables(verdict: Plain) -> list[Table]:
    """The tables of a verdict, for a terminal or a spreadsheet, the answer's first."""
    plain = mapping(verdict, "numbers")
    return [table for table in _layout(verdict).tables(plain) if table.rows]


def write_report(verdict: Plain, folder: Path) -> Path:
    """Write report.html, figures/*.png and tables/*.csv into the study's folder; returns the page.

    ``verdict`` is what verdict.json holds. Each file is written aside and renamed, so that a
    reader never meets half of one; figures and tables of an earlier report that this one does
    not have are removed.
    """
    charts = _layout(verdict).charts(mapping(verdict, "numbers"))
    html = _page(verdict, charts).html().encode("utf-8")
    _fill(folder / "figures", {f"{chart.name}.png": chart.png() for chart in charts})
    tables = {f"table_{k}.csv": to_csv(table) for k, table in enumerate(verdict_tables(verdict), start=1)}
    _fill(folder / "tables", {name: data.encode("utf-8") for name, data in tables.items()})
    page = folder / "report.html"
    write_whole(page, html)
    return page


def _page(verdict: Plain, charts: list[Chart]) -> Page:
    plain = mapping(verdict, "numbers")
    layout = _layout(verdict)
    corpus = mapping(plain, "corpus")
    answer, _, rest = text(verdict, "sentence", "No sentence was given.").partition("; ")
    study = text(verdict, "study", "study")
    eyebrow = " · ".join(
        part
        for part in (
            f"{short(study).replace('_', ' ').capitalize()} study",
            short(text(corpus, "name")),
            metric_title(text(plain, "metric")) if text(plain, "metric") else "",
        )
        if part
    )
    return Page(
        title=f"{short(study)}: {short(text(corpus, 'name'))}" if corpus else short(study),
        headline=visible(answer, 1_500),
        subline=visible(rest, 1_500),
        eyebrow=eyebrow,
        badge=short(crossover_sections.kind_title(text(verdict, "kind", "no answer"))),
        head=tuple(_answer(verdict, layout.warnings(plain), [*_registered(plain), *layout.head(plain)])),
        sections=(*layout.sections(plain, charts), *_appendix(verdict, plain)),
    )


def _answer(verdict: Plain, warnings: list[str], figures: list[Block]) -> list[Block]:
    """Flags before all else: they must be seen wherever the sentence is."""
    card = mapping(mapping(mapping(verdict, "numbers"), "corpus"), "card")
    flags = texts(verdict, "flags")
    seen = text(card, "seen_in_pretraining")
    if seen and not any(seen in flag for flag in flags):
        flags.append(
            f"The encoder saw such text in training: {seen}. This is a demonstration, never evidence that "
            "pretraining pays."
        )
    flags += warnings
    blocks: list[Block] = [Notice("Read with the answer", _capped(flags))] if flags else []
    blocks += figures
    blocks += _looks(mapping(mapping(verdict, "numbers"), "test_budget"))
    if text(verdict, "population"):
        blocks.append(Prose(f"This speaks of: {visible(text(verdict, 'population'), 1_500)}", "lead"))
    looked = looked_line(mapping(verdict, "numbers"))
    if looked:
        blocks.append(Prose(visible(looked, 1_000), "quiet"))
    if texts(verdict, "would_change"):
        blocks.append(Bullets("What would change it", _capped(texts(verdict, "would_change"))))
    if text(verdict, "next_step"):
        blocks.append(Bullets("Next step", (text(verdict, "next_step"),)))
    return blocks


def _registered(plain: Plain) -> list[Block]:
    """The hypothesis stated before the study and its outcome, and what the study could show at all."""
    stated, power = mapping(plain, "hypothesis"), text(mapping(plain, "power"), "sentence")
    blocks: list[Block] = []
    if stated:
        said = (f"{text(stated, 'sentence')}: {text(stated, 'answer')}", f"It ends {text(stated, 'stop')}.")
        blocks.append(Bullets("Stated beforehand", said))
    if power:
        blocks.append(Prose(f"Power: {visible(power, 1_000)}.", "quiet"))
    return blocks


def _looks(budget: Plain) -> list[Block]:
    """How many looks at the test part the intervals allow for; a notice where they allow for too few."""
    said = visible(text(budget, "sentence"), 1_500)
    if not said:
        return []
    return [
        Notice("Looks at the test part", (said,)) if budget.get("caution") is True else Prose(said, "quiet")
    ]


def _capped(items: list[str]) -> tuple[str, ...]:
    """At most 40 texts of a list, and how many more there are."""
    more = [f"and {len(items) - 40:,} more in verdict.json"] if len(items) > 40 else []
    return (*(visible(item, 1_000) for item in items[:40]), *more)


def _appendix(verdict: Plain, plain: Plain) -> list[Section]:
    made: list[tuple[str, str, list[Block]]] = [
        ("The split", "split", _split(mapping(plain, "split"))),
        ("The data", "data", _data(mapping(plain, "corpus"))),
        ("Who has looked", "looked", looked_blocks(plain)),
        ("The arms", "arms", _arms(plain)),
        ("Runs that failed", "failures", _failures(plain)),
        ("Do it again", "reproduce", _commands(verdict, mapping(plain, "commands"))),
        ("Environment", "environment", _facts(flat(mapping(plain, "environment")))),
    ]
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def _split(split: Plain) -> list[Block]:
    if not split:
        return []
    sizes = [(f"{part} rows", f"{rows_:,.0f}") for part in mapping(split, "sizes")
             if (rows_ := number(mapping(split, "sizes"), part)) is not None]  # fmt: skip
    facts = [
        *sizes,
        *flat({"recipe": mapping(split, "recipe")}),
        ("fingerprint", text(split, "fingerprint", "–")),
    ]
    audit_table = finding_table("What the audit of the split found", rows(split, "findings"))
    intro = Prose("Every arm of this study read the same rows of the same split.")
    audit: Block = (
        audit_table if audit_table.rows else Prose("The audit of the split reported nothing.", "quiet")
    )
    return [intro, Facts(tuple(facts)), *([audit] if "findings" in split else [])]


def _data(corpus: Plain) -> list[Block]:
    if not corpus:
        return []
    classes = texts(corpus, "classes")
    shown = ", ".join(short(name, 60) for name in classes[:40]) + (
        f" and {len(classes) - 40} more" if len(classes) > 40 else ""
    )
    facts = [("name", text(corpus, "name", "–"))]
    size = number(corpus, "rows")
    if size is not None:
        facts.append(("rows", f"{size:,.0f}"))
    if classes:
        facts.append((f"classes ({len(classes)})", shown))
    facts.append(("fingerprint", text(corpus, "fingerprint", "–")))
    card = [(name.replace("_", " "), value) for name, value in flat(mapping(corpus, "card"), 60)]
    return [Facts((*facts, *card))]


def _arms(plain: Plain) -> list[Block]:
    made: list[tuple[Cell, ...]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        component = mapping(arm, "component")
        settings = "; ".join(f"{name} = {value}" for name, value in flat(mapping(component, "settings"), 30))
        role = "illustration, in no verdict" if arm.get("illustration") is True else "compared"
        made.append(
            (
                text(arm, "title", key),
                role,
                text(component, "target", "–"),
                settings or "all at their defaults",
            )
        )
    if not any(row[2] != "–" for row in made):
        return []
    columns = (
        Column("arm"),
        Column("role"),
        Column("class"),
        Column("settings that differ from the default"),
    )
    return [Table("What was fitted", columns, tuple(made))]


def _failures(plain: Plain) -> list[Block]:
    failed: list[tuple[Cell, ...]] = [
        (text(row, "digest", "–"), text(row, "error", "–")) for row in rows(plain, "failures")
    ]
    if not failed:
        return []
    note = Prose("These runs gave no record and enter no number above.")
    return [note, Table("Failures", (Column("run"), Column("error")), tuple(failed))]


def _commands(verdict: Plain, commands: Plain) -> list[Block]:
    blocks: list[Block] = []
    if texts(commands, "study"):
        blocks += [
            Prose("The study; runs that are finished are not run again:"),
            Code(tuple(texts(commands, "study"))),
        ]
    single = texts(commands, "run")
    if single:
        blocks.append(Fold(f"One run at a time ({len(single):,})", (Code(tuple(single[:100])),)))
    digests = texts(verdict, "runs")
    if digests:
        listed = " ".join(digests[:1_000])
        blocks.append(Fold(f"The runs this rests on ({len(digests):,})", (Code(tuple(_wrapped(listed))),)))
    return blocks


def _wrapped(listed: str) -> list[str]:
    words = listed.split(" ")
    return [" ".join(words[k : k + 6]) for k in range(0, len(words), 6)]


def _facts(pairs: list[tuple[str, str]]) -> list[Block]:
    return [Facts(tuple(pairs))] if pairs else []


def _layout(verdict: Plain) -> _Layout:
    """By the study's name, else by the shape of the numbers: curves, scores, or names and values."""
    study = text(verdict, "study")
    if study in STUDIES:
        own = import_module(f"crossover.report.{study}_sections")
        return _Layout(own.charts, own.warnings, own.head, own.sections, own.tables)
    arms = keyed_rows(mapping(verdict, "numbers"), "arms").values()
    if any("curve" in arm for arm in arms):
        page = crossover_sections
        return _Layout(page.charts, page.warnings, page.head, page.sections, _crossover_tables)
    if any("scores" in arm for arm in arms):
        other = compare_sections
        return _Layout(other.charts, other.warnings, other.head, other.sections, _compare_tables)
    return _Layout(lambda plain: [], lambda plain: [], lambda plain: [], _plain_sections, lambda plain: [])


def _crossover_tables(plain: Plain) -> list[Table]:
    made = crossover_sections
    return [
        made.pair_table(plain),
        made.difference_table(plain),
        made.score_table(plain),
        made.cost_table(plain),
    ]


def _compare_tables(plain: Plain) -> list[Table]:
    made = compare_sections
    return [made.difference_table(plain), made.score_table(plain), made.cost_table(plain)]


def _plain_sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    known = ("corpus", "split", "commands", "environment", "failures")
    pairs = flat({name: value for name, value in plain.items() if name not in known}, 200)
    return [Section("The numbers", "numbers", (Facts(tuple(pairs)),))] if pairs else []


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_whole(folder / name, data)
    for file in sorted(folder.iterdir()):
        if file.name not in files and file.name.startswith(OURS) and file.suffix in (".png", ".csv"):
            file.unlink()
