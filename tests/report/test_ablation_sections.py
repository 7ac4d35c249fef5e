"""The page of an ablation: both columns, the warning in the user's numbers, figures with intervals."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from crossover.report import ablation_sections as made
from crossover.report.tables import show, to_csv
from crossover.report.verdict_page import verdict_page, verdict_tables, write_report


def effect(mean: float, p: float = 0.001, half: float = 0.01) -> dict[str, Any]:
    draws = [mean - half, mean, mean + half]
    return {"mean": mean, "low": mean - half, "high": mean + half, "p": p, "holm_p": 2 * p, "draws": draws,
            "n_draws": 3}  # fmt: skip


def component(shapley: float, left_out: float, added: float, matters: str, word: str) -> dict[str, Any]:
    return {
        "leave_one_out": effect(left_out), "add_one": effect(added), "shapley": effect(shapley),
        "hidden": effect(shapley - left_out), "log_loss": effect(3 * shapley), "matters": matters,
        "stable": {"word": word, "positive": 3, "draws": 3, "low": 0.4, "high": 1.0}, "detectable": 0.0123,
    }  # fmt: skip


NUMBERS: dict[str, Any] = {
    "metric": "macro_f1",
    "primary": "shapley",
    "tests": 6,
    "switches": {"noise": {"on": "as it is", "off": "without features.noise"}},
    "components": {
        "noise": component(-0.004, -0.003, -0.005, "not shown", "unstable"),
        "twin_<b>": component(0.052, 0.001, 0.101, "yes", "stable"),
        "twin_2": component(0.049, -0.002, 0.099, "yes", "not established"),
    },
    "interactions": [
        {"left": "noise", "right": "twin_2", "found": "not shown", "interaction": effect(0.001, 0.4),
         "bare": effect(0.002), "average": effect(0.0015)},
        {"left": "twin_<b>", "right": "twin_2", "found": "overlap", "interaction": effect(-0.11),
         "bare": effect(-0.15), "average": effect(-0.13)},
    ],
    "scores": [{"coalition": "none", "components": 0, "mean": 0.5, "low": 0.45, "high": 0.55, "draws": 3},
               {"coalition": "all 3", "components": 3, "mean": 0.6, "low": 0.58, "high": 0.62, "draws": 3}],
    "overlap": {"gain": effect(0.097), "sum_leave_one_out": effect(-0.004), "sum_add_one": effect(0.195),
                "unclaimed": effect(0.101), "counted_twice": effect(0.098)},
    "covered": {"components": ["twin_<b>", "twin_2"], "group": ["twin_<b>", "twin_2"],
                "together": effect(0.1), "apart": effect(-0.001)},
}  # fmt: skip


def verdict(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        "study": "ablation", "kind": "components_matter", "sentence": "On toy, twin matters; not re-tuned.",
        "numbers": numbers, "population": "Over fresh draws.", "would_change": ["tuning"],
        "next_step": "Run 14 draws.", "flags": ["not re-tuned"], "runs": ["0" * 16],
    }  # fmt: skip


def cells(table) -> list[list[str]]:
    return [[shown for shown, _ in row] for row in table.shown_rows()]


def test_one_table_says_what_matters_and_what_is_stable_the_most_credited_first() -> None:
    table = made.component_table(NUMBERS)
    rows = cells(table)
    assert [column.title for column in table.columns][:3] == ["component", "matters", "stable"]
    assert [row[0] for row in rows] == ["twin_<b>", "twin_2", "noise"]
    assert [row[1] for row in rows] == ["yes", "yes", "not shown"]
    assert [row[2] for row in rows] == ["stable (3 of 3)", "not established (3 of 3)", "unstable (3 of 3)"]
    assert rows[0][3:] == ["+0.052", "[+0.042, +0.062]", "0.00200", "+0.001", "+0.101", "0.0123"]
    assert "6 tests" in table.note and "14 of 14" in table.note
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_warning_says_in_the_users_numbers_what_leaving_one_out_hides() -> None:
    (said,) = made.warnings(NUMBERS)
    assert "under-credits twin_<b> and twin_2" in said and "twin_<b> (+0.1 points [−0.9, +1.1])" in said
    assert "taken away together cost +10.0 points" in said and "−0.1 points in sum" in said
    alone = {**NUMBERS, "covered": {**NUMBERS["covered"], "components": ["twin_2"], "group": ["twin_2"]}}
    assert "other components stand in for it" in made.warnings(alone)[0]
    assert made.warnings({**NUMBERS, "covered": None}) == []


def test_why_removing_and_adding_disagree_is_told_with_every_sum() -> None:
    drawn = made.charts(NUMBERS)
    found = {section.anchor: section for section in made.sections(NUMBERS, drawn)}
    assert list(found) == ["components", "overlap", "interactions", "draws", "coalitions"]
    (bullets,) = found["overlap"].blocks
    text = " ".join(bullets.items)
    for number in ("+9.7 points", "−0.4 points", "+10.1 points", "+19.5 points", "+9.8 points"):
        assert number in text, number
    assert "−15.0 points" in text and "−13.0 points" in text and "−11.0 points" in text
    tiles = made.head(NUMBERS)[0].items
    assert [tile[1] for tile in tiles] == ["+9.7 points", "−0.4 points", "+19.5 points"]


def test_figures_draw_an_interval_for_every_point_and_a_ring_for_every_draw() -> None:
    charts = {chart.name: chart for chart in made.charts(NUMBERS)}
    assert list(charts) == ["credit", "draws", "interactions"]
    credit = json.dumps(charts["credit"].spec)
    assert credit.count('"kind": "Shapley value"') == 2 * 3, "a point and its interval a component"
    assert '"x2": {"field": "high"' in credit and "effect on macro-F1" in credit
    spec = charts["draws"].spec
    named = spec.get("datasets") or {str(k): layer["data"]["values"] for k, layer in enumerate(spec["layer"])}
    rings = list(named.values())
    assert sorted(len(values) for values in rings) == [1, 3, 9]


def test_the_whole_page_is_written_and_holds_nothing_of_the_data_as_markup(tmp_path: Path) -> None:
    page = write_report(verdict(NUMBERS), tmp_path).read_text(encoding="utf-8")
    assert "twin_&lt;b&gt;" in page and "twin_<b>" not in page
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "credit.png", "draws.png", "interactions.png",
    ]  # fmt: skip
    titles = [table.caption for table in verdict_tables(verdict(NUMBERS))]
    assert titles[0] == "What each component is worth" and "Pair interactions" in titles
    assert all(to_csv(table) for table in verdict_tables(verdict(NUMBERS)))


def test_a_fraction_shows_main_effects_and_no_shapley_value() -> None:
    numbers = copy.deepcopy(NUMBERS)
    for row in numbers["components"].values():
        row["main"] = row.pop("shapley")
        for kind in ("leave_one_out", "add_one", "hidden"):
            del row[kind]
    for pair in numbers["interactions"]:
        del pair["bare"], pair["average"]
    del numbers["overlap"], numbers["covered"]
    numbers["primary"] = "main"
    text = verdict_page(verdict(numbers)).html()
    assert "main effect" in text and "Shapley" not in text and "left out alone" not in text
    assert made.head(numbers) == [] and made.warnings(numbers) == []


@pytest.mark.parametrize("numbers", [{"metric": "macro_f1"}, {"metric": "log_loss", "components": {}}, {}])
def test_where_nothing_could_be_estimated_the_page_still_stands(numbers: dict[str, Any]) -> None:
    assert made.charts(numbers) == [] and made.sections(numbers, []) == []
    assert "On toy" in verdict_page(verdict(numbers)).html()


def test_a_loss_is_told_in_its_own_unit() -> None:
    numbers = {**NUMBERS, "metric": "log_loss"}
    assert "points" not in made.warnings(numbers)[0] and "+0.100" in made.warnings(numbers)[0]
    assert made.coalition_table(numbers).columns[2].title == "minus log loss"
    assert show(None, "signed") == "–"
