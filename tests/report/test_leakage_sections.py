"""The page of a leakage study: both figures, the control, what is not the cost named so, gaps shown."""

import json

from crossover.report.leakage_sections import (
    charts,
    cost_table,
    groups_table,
    head,
    sections,
    strata_table,
    tables,
    warnings,
)
from crossover.report.verdict_page import verdict_page, write_report

MEAN = {"mean": 0.012, "low": 0.004, "high": 0.02, "p": 0.01, "rows": 200, "clusters": 60, "draws": 10}
ARM = {
    "title": "logistic regression", "answer": "costs", "level": 0.95, "train_rows": 420,
    "share": {"in_train": 0.2, "exchanged": 0.19}, "cost": MEAN, "cost_log_loss": MEAN, "delta": MEAN,
    "delta_log_loss": MEAN, "delta_by_cluster": MEAN, "control": {**MEAN, "low": None, "high": None},
    "deleted": 0.04,
    "strata": [{"class": "spam", "rows_copied": 90, "rows_alone": 60, "seen": 1.0, "unseen": 0.96,
                "alone": 0.8},
               {"class": "ham", "rows_copied": 0, "rows_alone": 60, "seen": None, "unseen": None,
                "alone": 0.99}],
    "groups": [{"group": "<b>west", "rows": 30, "seen": 0.98, "unseen": 0.6}],
    "draws": [{"repartition": k, "seen": 0.97, "unseen": 0.96} for k in range(10)],
}  # fmt: skip
PLAIN = {
    "metric": "macro_f1", "margin": 0.005,
    "served": {"code": "goal-contradicted", "severity": "error", "title": "the goal is missed",
               "remedy": "split=grouped"},
    "arms": {"tfidf": ARM, "lost": {"title": "lost", "answer": "insufficient"}},
    "apart": {"tfidf": {"area": 0.61, "se": 0.02, "p": 0.001, "holm_p": 0.002, "rows": 500, "clusters": 400}},
    "recommended_split": {"overrides": "split=grouped", "yaml": "# x\n_target_: a.b.C\n"},
}  # fmt: skip
VERDICT = {"study": "leakage", "kind": "leak_costs", "sentence": "On x, it leaks.", "numbers": PLAIN,
           "population": "x", "would_change": ["y"], "next_step": "z", "flags": [], "runs": []}  # fmt: skip


def test_the_figures_show_the_cost_and_the_same_rows_seen_and_unseen() -> None:
    cost, strata = charts(PLAIN)
    assert '"label": "+0.012"' in json.dumps(cost.spec) and "lost" not in json.dumps(cost.spec)
    drawn = json.dumps(strata.spec)
    assert drawn.count("its cluster left out") >= 2 and "tfidf: spam" in drawn
    for chart in (cost, strata):
        assert chart.drawing().raw.startswith("<svg") and chart.caption


def test_the_tables_keep_the_arm_without_evidence_and_name_the_figure_that_is_no_cost() -> None:
    table = cost_table(PLAIN)
    assert [row[1] for row in table.rows] == ["flattered", "insufficient evidence"]
    assert any("not the cost" in column.title for column in table.columns) and table.rows[0][7] == 0.04
    assert strata_table(PLAIN).rows[1][3] is None
    assert groups_table(PLAIN).rows == (("logistic regression", "<b>west", 30, 0.98, 0.6),)


def test_the_page_says_the_goal_first_and_ends_with_the_split_recommended(tmp_path) -> None:
    assert warnings(PLAIN) == [] and head(PLAIN), "the goal is told once"
    found = [section.title for section in sections(PLAIN, charts(PLAIN))]
    assert found[0] == "What is the leak worth?" and found[-1] == "The split recommended"
    html = verdict_page(VERDICT).html()
    assert "_target_: a.b.C" in html and "the goal is missed" in html
    write_report(VERDICT, tmp_path)
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"cost_of_leak.png", "strata.png"}


def test_an_empty_verdict_gives_an_empty_page() -> None:
    assert charts({}) == [] and sections({}, []) == [] and warnings({}) == [] and head({}) == []
    assert all(not table.rows for table in tables({}))
