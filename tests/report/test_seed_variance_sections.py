"""The page of a seed-variance study: what is told, what is refused and why, and nothing that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from crossover.report import seed_variance_sections as page
from crossover.report.page import Bullets, Table, Tiles
from crossover.report.verdict_page import verdict_page


def part(source: str, sd: float | None, **more: object) -> dict[str, object]:
    known = {
        "variance": sd**2, "variance_low": -1e-5, "variance_high": 4 * sd**2, "sd_low": 0.0,
        "sd_high": 2 * sd,
    } if sd is not None else {}  # fmt: skip
    plain = {
        "source": source,
        "sd": sd,
        "degrees": 9,
        "factor_low": 0.69,
        "factor_high": 1.83,
        "method": "chi-square",
    }
    return {**plain, **known, **more}


def arm(title: str, shift: float = 0.0) -> dict[str, Any]:
    needed = [
        {"difference": d, "given": given, "sd": 0.01, "runs": runs, "said": f"{runs}"}
        for given, runs in (("one training set", 7), ("fresh draws", 40)) for d in (0.005, 0.01, 0.02)
    ]  # fmt: skip
    needed[3] |= {"runs": None, "said": "more than 10,000"}
    score = {"value": 0.9, "low": 0.88, "high": 0.92, "method": "two-way"}
    result = {
        "runs": {"planned": 10, "finished": 9, "failed": 1},
        "mean": score, "median": score, "interquartile_mean": {**score, "low": None, "high": None},
        "failure_rate": {"value": 0.2, "low": 0.03, "high": 0.56, "method": "Clopper-Pearson"},
        "identical": False, "change": {"largest": 0.021 + shift, "draw": 2},
        "components": [
            part("training draw", 0.03), part("seed", 0.01), part("order", None, method="refused: too few")
        ],
        "rankings": [
            {"first": "training draw", "second": "seed", "ratio": 9.0, "low": 2.1, "high": None,
             "of": "variance components", "larger": "training draw"},
            {"first": "order", "second": "seed", "ratio": 1.1, "low": 0.4, "high": 3.0, "of": "mean squares",
             "larger": None},
        ],
        "needed": needed,
        "by_draw": [{"draw": d, "scores": [0.9 + 0.01 * d, 0.91 + 0.01 * d]} for d in range(3)],
    }  # fmt: skip
    return {"title": title, "component": {"target": "crossover.model.x.X"}, "result": result}


@pytest.fixture
def numbers() -> dict[str, Any]:
    pair = {
        "left": "a", "right": "b", "draws": 10, "lead": 0.012, "low": -0.001, "high": 0.025,
        "improvement": 0.8,
        "improvement_low": 0.44, "improvement_high": 0.97, "draws_for_0.005": 90, "draws_for_0.01": None,
    }  # fmt: skip
    return {
        "metric": "macro_f1", "arms": {"a": arm("linear svm", 0.01), "b": arm("probe")}, "pairs": [pair],
        "tables": {"components": [{}]},
    }  # fmt: skip


def cells(table: Table) -> list[tuple[object, ...]]:
    return list(table.rows)


def test_every_component_told_is_a_row_and_a_refused_one_a_reason(numbers: dict[str, Any]) -> None:
    table = page.component_table(numbers)
    assert [row[:3] for row in cells(table)][:2] == [
        ("linear svm", "training draw", 0.03),
        ("linear svm", "seed", 0.01),
    ]
    assert len(table.rows) == 4 and cells(table)[0][3] == (0.0, 0.06)
    assert "-1.00e-05" in str(cells(table)[0][4]), "the variance is shown as it is, below 0 too"
    assert cells(table)[0][6] == "0.69 to 1.83"
    (said,) = page.refused(numbers)
    assert isinstance(said, Bullets) and said.items[0] == "linear svm, order: too few"


def test_a_ranking_that_is_none_says_so(numbers: dict[str, Any]) -> None:
    rows = cells(page.ranking_table(numbers))
    assert rows[0][-1] == "training draw varies more" and rows[0][3] == "[2.1, ∞]"
    assert str(rows[1][-1]).startswith("not ranked")


def test_the_runs_needed_of_both_kinds_are_told(numbers: dict[str, Any]) -> None:
    rows = cells(page.needed_table(numbers))
    assert len(rows) == 12 and rows[0][-1] == "7" and rows[3][-1] == "more than 10,000"


def test_the_head_is_of_the_arm_most_moved_by_its_seed(numbers: dict[str, Any]) -> None:
    (tiles,) = page.head(numbers)
    assert isinstance(tiles, Tiles) and tiles.items[0] == (
        "Largest change by seed alone",
        "0.031",
        "linear svm",
    )
    assert ("Seeds an arm to see 0.01", "7", "on one training set, 80% power") in tiles.items
    for one in numbers["arms"].values():
        one["result"]["change"] = None
    assert page.head(numbers) == []


def test_a_pair_shows_lead_improvement_and_draws(numbers: dict[str, Any]) -> None:
    (row,) = cells(page.pair_table(numbers))
    assert row == ("linear svm – probe", 10, 0.012, (-0.001, 0.025), 0.8, (0.44, 0.97), "90 / –")


def test_the_figures_are_one_of_components_and_one_an_arm_on_one_axis(numbers: dict[str, Any]) -> None:
    charts = page.charts(numbers)
    assert [chart.name for chart in charts] == ["components", "runs_1", "runs_2"]
    domains = [c.spec["layer"][0]["encoding"]["x"]["scale"]["domain"] for c in charts[1:]]
    assert domains[0] == domains[1]
    assert "6 runs on 3 training draws" in charts[1].label
    for chart in charts:
        assert "<svg" in chart.drawing().raw


def test_whatever_is_missing_the_page_stands(numbers: dict[str, Any]) -> None:
    verdict = {
        "study": "seed_variance",
        "kind": "draw_larger",
        "sentence": "On toy; more.",
        "numbers": numbers,
    }
    html = verdict_page(verdict).html()
    for word in (
        "Variance components",
        "Runs needed to see a difference",
        "0.52",
        "linear svm, order: too few",
    ):
        assert word in html
    for key in list(numbers["arms"]["a"]["result"]):
        less = {**numbers["arms"]["a"]["result"]}
        del less[key]
        page.tables({**numbers, "arms": {"a": {"title": "x", "result": less}}})
        page.charts({**numbers, "arms": {"a": {"title": "x", "result": less}}})
    assert "seed" in verdict_page({**verdict, "numbers": {}}).html()
