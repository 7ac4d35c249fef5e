"""Power curves of the detection tables: how often a planted flaw is detected, by its strength.

    python benchmarks/power_curves.py

reads detection_{audit,look,leakage,artifacts}.json of results/published/ and draws power_<name>.png beside
them. A panel a flaw; bars are Clopper-Pearson limits; the dotted line is at .05, where a test of that level
lies when there is nothing to find.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from crossover.report import chart_style as style
from crossover.report.drawing import Chart

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
COLUMNS, WIDTH, HEIGHT = 3, 230, 130
SHAPES = tuple("triangle-left" if shape == "stroke" else shape for shape in style.SHAPES)
DODGE = 0.012
"""Part of the axis by which series stand apart, so that their bars can be told."""
TITLES = {
    "spike": "a word for a few days",
    "dropped_digits": "digits vanish",
    "label_shift": "a class grows",
    "growing_slice": "a region grows",
    "meta_columns": "a column tells the class",
    "campaign": "campaigns: alarm",
    "campaign, rows gathered": "campaigns: copies gathered",
    "signature": "a signature",
    "footer": "a footer",
    "a mark's carriers are lost without it, share": "a mark carries the score of",
    "a reading knows a share of the rows": "a reading knows of the rows",
    "predictions move above the tolerance by": "predictions move too often by",
}
"""What a panel is called where the table's name is longer than a panel or shorter than a reader needs."""
Json = Mapping[str, Any]
Point = dict[str, object]


def point(flaw: str, series: str, strength: float, found: Json) -> Point:
    """One rate; ``found`` has rate, low and high."""
    return {
        "flaw": TITLES.get(flaw, flaw),
        "series": series,
        "x": strength,
        **{k: found[k] for k in ("rate", "low", "high")},
    }


def of_cells(cells: list[Json], hits: str, of: str) -> Iterator[Point]:
    """The cells of a table whose flaw was planted at two strengths or more."""
    for one in cells:
        strengths = {other["strength"] for other in cells if other["flaw"] == one["flaw"]}
        if len(strengths) > 1:
            rate = {"rate": one[hits] / one[of], "low": one["low"], "high": one["high"]}
            yield point(one["flaw"], one["part"], one["strength"], rate)


def audit(found: Json) -> Iterator[Point]:
    """The tests of the audit of a split, by corpus; what it counts row by row is in the table."""
    for part in found.values():
        tested = [one for one in part["cells"] if one["found"] is None and "goal=" not in one["flaw"]]
        yield from of_cells(tested, "detected", "audits")


def look(found: Json) -> Iterator[Point]:
    """The look, by corpus."""
    for part in found.values():
        yield from of_cells(part["cells"], "detected", "looks")


def artifacts(found: Json) -> Iterator[Point]:
    """The artefact study: tests on arrays, inbox, messages."""
    for part in dict.fromkeys(one["part"] for one in found["cells"]):
        yield from of_cells([one for one in found["cells"] if one["part"] == part], "alarms", "repetitions")


def leakage(found: Json) -> Iterator[Point]:
    """The leakage study: arrays by design, campaigns by their labels."""
    for one in found["arrays"]:
        yield point("a leak, by what seeing is worth", one["design"], one["gain"], one["costs"])
    for one in found["campaigns"]:
        yield point("a leak, by share of campaigns", f"labels {one['labels']}", one["strength"], one["costs"])


def parts(found: Json) -> Iterator[Point]:
    """Train told from test."""
    for one in found["parts"]:
        how, _, what = one["cut"].partition(", ")
        if how == "by time":
            yield point("after a cut by time", what, one["strength"], one["told"])


FIGURES: Mapping[str, tuple[str, Callable[[Json], Iterator[Point]], str, str]] = {
    "audit": ("audit", audit, "What the audit of a split detects", "share of the test rows"),
    "look": ("look", look, "What a look at the data detects", "of the planted flaw, as its page defines it"),
    "artifacts": (
        "artifacts",
        artifacts,
        "What the artefact study detects",
        "of the planted flaw, as its page defines it",
    ),
    "leakage": (
        "leakage",
        leakage,
        "When the leakage study prices a leak",
        "gain in accuracy, share of mails",
    ),
    "parts": ("leakage", parts, "When train is told from test", "of the planted drift"),
}
"""Figure -> the table it is of, its reader, title, and what strength means."""


def dodged(points: list[Point]) -> list[Point]:
    """The points of each panel's later series moved a little to the right."""
    made = []
    for one in points:
        alike = [other for other in points if other["flaw"] == one["flaw"]]
        place = list(dict.fromkeys(other["series"] for other in alike)).index(one["series"])
        widest = max(float(str(other["x"])) for other in alike)
        made.append({**one, "x": float(str(one["x"])) + place * DODGE * widest})
    return made


def chart(name: str, points: list[Point], title: str, axis: str) -> Chart:
    """A panel a flaw, a colour and a shape a series."""
    series = list(dict.fromkeys(str(one["series"]) for one in points))
    flaws = list(dict.fromkeys(str(one["flaw"]) for one in points))
    x = alt.X("x:Q", title="strength", scale=alt.Scale(zero=True, nice=False), axis=alt.Axis(tickCount=5))
    y = alt.Y("rate:Q", title="detected", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=[0, 0.5, 1]))
    colour = alt.Color(
        "series:N", title=None, scale=alt.Scale(domain=series, range=list(style.COLOURS[: len(series)])),
        legend=alt.Legend(
            orient="top", direction="horizontal", labelFontSize=12, symbolSize=80, labelLimit=260, columns=4
        ),
    )  # fmt: skip
    shape = alt.Shape("series:N", scale=alt.Scale(domain=series, range=list(SHAPES[: len(series)])))
    plain = alt.Chart().encode(x=x, color=colour)
    layers = [
        alt.Chart().mark_rule(color=style.MUTED, strokeDash=[2, 3]).encode(y=alt.datum(0.05)),
        plain.mark_rule(strokeWidth=1.6, opacity=0.55).encode(y=alt.Y("low:Q"), y2="high:Q"),
        plain.mark_line(strokeWidth=1.8).encode(y=y),
        plain.mark_point(filled=True, size=55, opacity=1).encode(y=y, shape=shape),
    ]
    panels = (
        alt.layer(*layers, data=style.data(dodged(points)))
        .properties(width=WIDTH, height=HEIGHT)
        .facet(
            facet=alt.Facet(
                "flaw:N", sort=flaws, title=None,
                header=alt.Header(
                    labelFontSize=12, labelColor=style.INK, labelAnchor="start", labelLimit=WIDTH
                ),
            ),
            columns=COLUMNS, spacing=26,
        )
        .resolve_scale(x="independent")
        .resolve_axis(x="independent", y="independent")
        .properties(
            padding=12,
            title=alt.TitleParams(
                title, subtitle=f"share detected with 95% limits; strength: {axis}; dotted: .05",
                anchor="start", offset=14,
            ),
        )
    )  # fmt: skip
    return Chart(f"power_{name}", title, "", style.in_style(panels))


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw every table that is there."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--to", type=Path, default=PUBLISHED, help="folder of the tables and figures")
    given = options.parse_args(arguments)
    for name, (table, read, title, axis) in FIGURES.items():
        file = given.to / f"detection_{table}.json"
        if file.exists():
            points = list(read(json.loads(file.read_text(encoding="utf-8"))))
            (given.to / f"power_{name}.png").write_bytes(chart(name, points, title, axis).png())
            print(given.to / f"power_{name}.png")


if __name__ == "__main__":
    main()
