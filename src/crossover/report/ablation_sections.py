"""What the page of an ablation shows: what matters, what is stable, who stands in for whom."""

from __future__ import annotations

from collections.abc import Sequence

from crossover.measure.metric.metric import metric_named
from crossover.report.ablation_figure import KINDS, credit_chart, draw_chart
from crossover.report.chart_style import metric_title
from crossover.report.comparison_figure import Dot, dot_plot
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Fold, Picture, Prose, Section, Tiles
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text, texts
from crossover.report.tables import Cell, Column, Table

PAIRS_DRAWN = 15


def charts(plain: Plain) -> list[Chart]:
    """Credit three ways, the credit of each draw, and the strongest interactions."""
    components, metric = _components(plain), _metric(plain)
    found = [
        credit_chart(components, metric),
        draw_chart(components, text(plain, "primary"), metric),
        _interaction_chart(plain, metric),
    ]
    return [chart for chart in found if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """Where leaving one out hides what a group of components is worth, in the user's own numbers."""
    covered, found = mapping(plain, "covered"), []
    names, group = texts(covered, "components"), texts(covered, "group")
    if names:
        components = keyed_rows(plain, "components")
        single = _listed(
            [
                f"{name} ({_effect(plain, mapping(components.get(name, {}), 'leave_one_out'))})"
                for name in names
            ]
        )
        said = f"Leaving one component out under-credits {_listed(names)}: what each loses alone is {single}"
        together = mapping(covered, "together")
        if together and len(group) > 1:
            apart = _size(plain, mapping(covered, "apart"))
            said += (
                f", {apart} in sum, but {_listed(group)} taken away together cost {_effect(plain, together)}"
                f"; they stand in for one another. Do not drop them one after another on the strength of "
                "leave-one-out."
            )
        else:
            said += (
                ", though over all orders of adding it is shown to matter: other components stand in for it."
            )
        found.append(said)
    return found


def head(plain: Plain) -> list[Block]:
    """What all components bring, and how much of it either way of counting claims."""
    overlap = mapping(plain, "overlap")
    gain = mapping(overlap, "gain")
    if not gain:
        return []
    tiles = [("all components together", _size(plain, gain), f"over none of them, {_ends(plain, gain)}")]
    for name, title in (("sum_leave_one_out", "sum of leave-one-out"), ("sum_add_one", "sum of add-one-in")):
        effect = mapping(overlap, name)
        if effect:
            remark = "claims too little" if name == "sum_leave_one_out" else "counts what is shared twice"
            tiles.append(
                (title, _size(plain, effect), f"{_ends(plain, effect)}; {remark} where components overlap")
            )
    return [Tiles(tuple(tiles))]


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """The table of effects, why removing and adding disagree, pairs, draws, and every coalition."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    made: list[tuple[str, str, list[Block]]] = [
        ("What matters, and what is stable", "components", _component_blocks(plain, pictures)),
        ("Why removing and adding disagree", "overlap", _overlap_blocks(plain)),
        ("Which components overlap", "interactions", _pair_blocks(plain, pictures)),
        ("Draw by draw", "draws", [pictures["draws"]] if "draws" in pictures else []),
        ("Every coalition", "coalitions", _coalition_blocks(plain)),
    ]
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def tables(plain: Plain) -> list[Table]:
    """Components first, then pairs, then coalitions."""
    return [component_table(plain), *detail_tables(plain), interaction_table(plain), coalition_table(plain)]


def component_table(plain: Plain) -> Table:
    """One row a component: whether it matters, whether that is stable, and its effects."""
    primary = text(plain, "primary", "shapley")
    made: list[tuple[Cell, ...]] = []
    others = [kind for kind in ("leave_one_out", "add_one") if primary == "shapley"]
    for name, row in _components(plain).items():
        effect, stable = mapping(row, primary), mapping(row, "stable")
        cells: list[Cell] = [
            name,
            text(row, "matters", "–"),
            f"{text(stable, 'word', '–')} ({text(stable, 'positive', '0')} of {text(stable, 'draws', '0')})",
            number(effect, "mean"),
            (number(effect, "low"), number(effect, "high")),
            number(effect, "holm_p"),
            *(number(mapping(row, kind), "mean") for kind in others),
            number(row, "detectable"),
        ]
        made.append(tuple(cells))
    columns = (
        Column("component"),
        Column("matters"),
        Column("stable"),
        Column(KINDS.get(primary, primary), "signed"),
        Column("95% interval", "signed_interval"),
        Column("p (Holm)", "quantity"),
        *(Column(KINDS[kind], "signed") for kind in others),
        Column("could show", "quantity"),
    )
    tests = number(plain, "tests")
    note = (
        f"Matters: P at most .05 after Holm over {tests:.0f} tests (components and pairs); hurts: the score "
        "is better without it. Stable: the lower one-sided 95% limit of how often the effect is above 0 "
        "exceeds 80% of draws (14 of 14); in brackets, draws with it above 0, all scored on these test rows. "
        "Could show: the true effect that a single test at 5% finds 80% of the time."
        if tests
        else ""
    )
    return Table("What each component is worth", columns, tuple(made), note)


def detail_tables(plain: Plain) -> list[Table]:
    """Each kind of effect with interval and P, and by log loss where that is not the metric of record."""
    more = {
        "hidden": "what leaving one out does not show (Shapley value less left out alone)",
        "log_loss": "by log loss (positive: better with it)",
    }
    titles = {**KINDS, **more}
    components = _components(plain)
    found = []
    for kind in titles:
        made: list[tuple[Cell, ...]] = [
            (
                name,
                number(effect, "mean"),
                (number(effect, "low"), number(effect, "high")),
                number(effect, "p"),
                number(effect, "holm_p"),
                number(effect, "n_draws"),
            )
            for name, row in components.items()
            if (effect := mapping(row, kind))
        ]
        columns = (
            Column("component"),
            Column("effect", "signed"),
            Column("95% interval", "signed_interval"),
            Column("p", "quantity"),
            Column("p (Holm)", "quantity"),
            Column("draws", "count"),
        )
        if made:
            found.append(Table(f"Effects: {titles[kind]}", columns, tuple(made)))
    return found


def interaction_table(plain: Plain) -> Table:
    """One row a pair: how much less (or more) the two bring together than apart."""
    full = any("average" in pair for pair in rows(plain, "interactions"))
    made: list[tuple[Cell, ...]] = []
    for pair in _pairs(plain):
        effect = mapping(pair, "interaction")
        cells: list[Cell] = [
            f"{text(pair, 'left')} and {text(pair, 'right')}",
            text(pair, "found", "–"),
            number(effect, "mean"),
            (number(effect, "low"), number(effect, "high")),
            number(effect, "holm_p"),
        ]
        if full:
            cells += [number(mapping(pair, kind), "mean") for kind in ("average", "bare")]
        made.append(tuple(cells))
    columns = [
        Column("pair"),
        Column("found"),
        Column("in the whole model" if full else "pair effect", "signed"),
        Column("95% interval", "signed_interval"),
        Column("p (Holm)", "quantity"),
    ]
    if full:
        columns += [Column("on average (Shapley)", "signed"), Column("with nothing else", "signed")]
    note = "Below 0: together they bring less than the sum of what each brings (overlap). Above 0: more."
    return Table("Pair interactions", tuple(columns), tuple(made), note)


def coalition_table(plain: Plain) -> Table:
    """Mean score of every coalition that was run."""
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "coalition", "–"),
            number(row, "components"),
            number(row, "mean"),
            (number(row, "low"), number(row, "high")),
            number(row, "draws"),
        )
        for row in rows(plain, "scores")
    ]
    columns = (
        Column("coalition"),
        Column("components", "count"),
        Column(_metric(plain) if _larger(plain) else f"minus {_metric(plain)}", "score"),
        Column("95% interval", "interval"),
        Column("draws", "count"),
    )
    return Table("Mean score of each coalition", columns, tuple(made))


def _component_blocks(plain: Plain, pictures: dict[str, Picture]) -> list[Block]:
    table = component_table(plain)
    if not table.rows:
        return []
    blocks: list[Block] = [pictures["credit"]] if "credit" in pictures else []
    switches: list[tuple[Cell, ...]] = [
        (name, text(row, "on", "–"), text(row, "off", "–"))
        for name, row in keyed_rows(plain, "switches").items()
    ]
    columns = (Column("component"), Column("on"), Column("off"))
    made_of = Table("What each component is", columns, tuple(switches))
    return [*blocks, table, Fold("Every effect with its interval", (*detail_tables(plain), made_of))]


def _overlap_blocks(plain: Plain) -> list[Block]:
    """The lecture's question, answered with these numbers."""
    overlap = mapping(plain, "overlap")
    gain, removed, added = (mapping(overlap, name) for name in ("gain", "sum_leave_one_out", "sum_add_one"))
    if not (gain and removed and added):
        return []
    items = [
        f"All components together bring {_effect(plain, gain)}; their Shapley values sum to exactly that.",
        f"Removing one at a time credits them with {_effect(plain, removed)} in sum. The rest, "
        f"{_effect(plain, mapping(overlap, 'unclaimed'))}, is brought by two or more together: take one away "
        "and the others still bring it, so no component is credited with it.",
        f"Adding one at a time to the bare model credits them with {_effect(plain, added)} in sum, "
        f"{_effect(plain, mapping(overlap, 'counted_twice'))} more than there is: what several can bring is "
        "counted for each of them.",
    ]
    strongest = min(
        _pairs(plain), key=lambda pair: number(mapping(pair, "bare"), "mean") or 0.0, default=None
    )
    if strongest is not None and (number(mapping(strongest, "bare"), "mean") or 0.0) < 0:
        said = [_effect(plain, mapping(strongest, kind)) for kind in ("bare", "average", "interaction")]
        items.append(
            f"Adding can overestimate overlap too. {text(strongest, 'left')} and {text(strongest, 'right')} "
            f"interact by {said[0]} with nothing else there, by {said[1]} on average and by {said[2]} in "
            "the whole model. Nothing is easier than to improve on no features at all, and no score can "
            "exceed its limit: after the first component gains most of what can be gained, any second one "
            "gains less, whether or not it knows the same thing."
        )
    return [Bullets("In your numbers", tuple(items))]


def _pair_blocks(plain: Plain, pictures: dict[str, Picture]) -> list[Block]:
    table = interaction_table(plain)
    if not table.rows:
        return []
    return [*([pictures["interactions"]] if "interactions" in pictures else []), table]


def _coalition_blocks(plain: Plain) -> list[Block]:
    table = coalition_table(plain)
    if not table.rows:
        return []
    intro = Prose(
        "Every effect above is a weighted sum of these, taken draw by draw before it is averaged.", "quiet"
    )
    return [intro, Fold(f"Scores of {len(table.rows):,} coalitions", (table,))]


def _interaction_chart(plain: Plain, metric: str) -> Chart | None:
    dots = [
        Dot(
            f"{text(pair, 'left')} and {text(pair, 'right')}",
            value,
            number(mapping(pair, "interaction"), "low"),
            number(mapping(pair, "interaction"), "high"),
        )
        for pair in _pairs(plain)[:PAIRS_DRAWN]
        if (value := number(mapping(pair, "interaction"), "mean")) is not None
    ]
    left = len(_pairs(plain)) - len(dots)
    title = "Interactions of pairs" + (f", the {len(dots)} largest" if left > 0 else "")
    return dot_plot(
        "interactions", title, f"interaction in {metric} (left of 0: they overlap)", dots, zero=True
    )


def _components(plain: Plain) -> dict[str, Plain]:
    """Components by what they are credited with, the most first."""
    primary, components = text(plain, "primary", "shapley"), keyed_rows(plain, "components")
    by_credit = sorted(
        components, key=lambda name: -(number(mapping(components[name], primary), "mean") or 0.0)
    )
    return {name: components[name] for name in by_credit}


def _pairs(plain: Plain) -> list[Plain]:
    """Pairs by the size of their interaction, the largest first."""

    def size(pair: Plain) -> float:
        return -abs(number(mapping(pair, "interaction"), "mean") or 0.0)

    return sorted(rows(plain, "interactions"), key=size)


def _metric(plain: Plain) -> str:
    return metric_title(text(plain, "metric", "score"))


def _larger(plain: Plain) -> bool:
    name = text(plain, "metric")
    return not name or metric_named(name).larger_is_better


def _effect(plain: Plain, effect: Plain) -> str:
    """``+5.4 points [+4.4, +6.4]``, of a loss ``+0.054 [...]``."""
    return f"{_size(plain, effect)} {_ends(plain, effect)}" if effect else "not estimated"


def _size(plain: Plain, effect: Plain) -> str:
    unit = " points" if _larger(plain) else ""
    return f"{_number(plain, number(effect, 'mean'))}{unit}"


def _ends(plain: Plain, effect: Plain) -> str:
    return f"[{_number(plain, number(effect, 'low'))}, {_number(plain, number(effect, 'high'))}]"


def _number(plain: Plain, value: float | None) -> str:
    if value is None:
        return "–"
    shown = f"{100 * value:+.1f}" if _larger(plain) else f"{value:+.3f}"
    return shown.replace("-", "−")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
