"""The page of a fold-variance study: figures, the corrected interval named as approximate, gaps shown."""

import json

from crossover.report.fold_variance_sections import (
    charts,
    fold_table,
    k_fold_table,
    sections,
    spread_table,
    tables,
)
from crossover.report.verdict_page import verdict_page, write_report

SPREAD = {
    "error": 0.12, "error_low": 0.10, "error_high": 0.14, "sd": 0.02, "low": 0.01, "high": 0.04,
    "training": 4e-5, "seed": 1e-6, "raw_sd": 0.008, "noise_sd": 0.004, "folds": 10, "partition": 10,
    "seeds": 2, "units": 400,
}  # fmt: skip
FOLDS = [
    {"arm": "tfidf", "fold": k, "error_held_out": 0.10 + 0.01 * k, "error_common": 0.12 + 0.001 * k,
     "held_out_rows": 40, "train_rows": 360, "absent_classes": 0}
    for k in range(10)
]  # fmt: skip
K_FOLD = {
    "mean": 0.145,
    "se": 0.01,
    "low": 0.12,
    "high": 0.17,
    "plain_low": 0.13,
    "plain_high": 0.16,
    "folds": 10,
}
PLAIN = {
    "metric": "macro_f1", "target": 0.05, "k": 10, "sd_factors": [0.69, 1.83],
    "arms": {
        "tfidf": {"title": "logistic regression", "answer": "variance_does_not_matter", "spread": SPREAD,
                  "k_fold": K_FOLD, "folds": FOLDS},
        "lost": {"title": "lost", "answer": "insufficient", "spread": None, "k_fold": None, "folds": []},
    },
}  # fmt: skip
VERDICT = {"study": "fold_variance", "kind": "variance_does_not_matter", "sentence": "On x, fixing it.",
           "numbers": PLAIN, "population": "x", "would_change": ["y"], "next_step": "z", "flags": [],
           "runs": []}  # fmt: skip


def test_the_figures_show_limits_and_every_fold() -> None:
    spread, folds = charts(PLAIN)
    drawn = json.dumps(spread.spec)
    assert "tfidf: distance to target" in drawn and "tfidf: SD" in drawn and "lost" not in drawn
    assert '"label": "+0.070"' in drawn, "the error less the target"
    assert json.dumps(folds.spec).count("common rows") >= 10
    for chart in (spread, folds):
        assert chart.drawing().raw.startswith("<svg") and chart.caption


def test_the_tables_keep_the_arm_without_evidence_and_say_so() -> None:
    rows = spread_table(PLAIN).rows
    assert [row[1] for row in rows] == ["variance does not matter", "insufficient evidence"]
    assert rows[0][6] == (9 * 4e-5) ** 0.5 and rows[1][4] is None
    assert len(k_fold_table(PLAIN).rows) == 1 and len(fold_table(PLAIN).rows) == 10


def test_the_page_calls_the_corrected_interval_approximate() -> None:
    page = verdict_page(VERDICT).html()
    assert "Nadeau-Bengio, approximate" in page and "uncorrected, too short" in page
    assert "0.69 and 1.83" in page


def test_a_verdict_without_numbers_makes_a_page_without_figures(tmp_path) -> None:
    assert charts({}) == [] and sections({}, []) == [] and all(not table.rows for table in tables({}))
    write_report({**VERDICT, "numbers": {}}, tmp_path)
    assert (tmp_path / "report.html").is_file() and not list((tmp_path / "figures").glob("*.png"))
