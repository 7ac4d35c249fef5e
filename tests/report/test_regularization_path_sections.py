"""The page of a regularization-path study: the path by block, the first features, hostile names as text."""

import json

from crossover.report.regularization_path_sections import (
    block_table,
    bound_table,
    charts,
    feature_table,
    sections,
    tables,
)
from crossover.report.verdict_page import verdict_page, write_report

HOSTILE = "<script>alert(1)</script>"
PATH = [
    {"relative": 1.0, "on: word": 0.0, "on: surface": 0.0},
    {"relative": 0.5, "on: word": 3.0, "on: surface": 0.0},
    {"relative": 0.1, "on: word": 40.0, "on: surface": 2.0},
]
FEATURES = [
    {"arm": "open", "block": "word", "feature": HOSTILE, "relative": 0.5, "class": "spam", "speaks": "for",
     "share": 1.0, "stable": True},
    {"arm": "open", "block": "word", "feature": "only in halves", "share": 0.6, "stable": False},
    *({"arm": "open", "block": "word", "feature": f"w{k}", "relative": 0.4, "class": "ham",
       "speaks": "against", "share": 0.1, "stable": False} for k in range(40)),
]  # fmt: skip
OPEN = {
    "title": "L1 path, open", "frozen": ["meta"], "columns": 900, "chosen": 9.5, "q": 10, "stable": 1,
    "expected_false": 0.13, "expected_false_unimodal": None, "turned_on": 60, "path": PATH,
    "features": FEATURES,
    "blocks": [
        {"arm": "open", "block": "surface", "turns_on": None, "first_feature": None, "features_at_end": 0,
         "stable_features": 0, "share": 0.0},
        {"arm": "open", "block": "word", "turns_on": 0.5, "first_feature": HOSTILE, "features_at_end": 40,
         "stable_features": 1, "share": 1.0},
    ],
}  # fmt: skip
PLAIN = {"metric": "macro_f1", "threshold": 0.9, "arms": {"open": OPEN}}
VERDICT = {"study": "regularization_path", "kind": "stable_features", "sentence": "On x, open.",
           "numbers": PLAIN, "population": "x", "would_change": ["y"], "next_step": "z", "flags": [],
           "runs": []}  # fmt: skip


def test_the_path_is_drawn_by_block_with_lambda_falling_to_the_right() -> None:
    (chart,) = charts(PLAIN)
    drawn = json.dumps(chart.spec)
    assert '"label": "word"' in drawn and '"label": "surface"' in drawn
    assert '"domain": [1.0, 0.1]' in drawn
    assert chart.drawing().raw.startswith("<svg")


def test_a_block_has_one_colour_in_every_figure() -> None:
    two = {**OPEN, "blocks": OPEN["blocks"][1:]}
    colours = {
        layer["mark"]["color"]
        for chart in charts({"arms": {"a": OPEN, "b": two}})
        for layer in chart.spec["layer"]
        if layer["mark"]["type"] == "text" and '"label": "word"' in json.dumps(layer["data"])
    }
    assert len(colours) == 1


def test_the_tables_name_kept_blocks_blocks_that_never_turn_on_and_what_is_not_listed() -> None:
    assert [(row[1], row[2]) for row in block_table(PLAIN).rows] == [
        ("surface", "never"), ("word", ""), ("meta", "kept in")
    ]  # fmt: skip
    table = feature_table(PLAIN, "open")
    assert len(table.rows) == 42 and table.note == "19 more turn on later and are not listed."
    assert bound_table(PLAIN).rows[0][4:] == (0.13, None)


def test_a_hostile_feature_is_text_in_the_page(tmp_path) -> None:
    page = verdict_page(VERDICT).html()
    assert HOSTILE not in page and "&lt;script&gt;alert" in page
    write_report(VERDICT, tmp_path)
    assert (tmp_path / "figures" / "path-1.png").is_file()


def test_a_verdict_without_numbers_makes_a_page_without_figures() -> None:
    assert charts({}) == [] and sections({}, []) == [] and all(not table.rows for table in tables({}))
    one = {**OPEN, "path": PATH[:1]}
    assert charts({"arms": {"open": one}}) == [], "a path of one point is no curve"
