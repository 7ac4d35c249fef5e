"""The detection table of the audit is made in small: planted rows are counted, clean cuts are quiet."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def detection(script):
    return script("detection_audit")


def test_every_flaw_is_found_at_its_greatest_strength_and_clean_cuts_are_quiet(
    detection, monkeypatch, tmp_path
):
    monkeypatch.setattr(detection, "ROWS", 300)
    monkeypatch.setattr(detection, "FEW", (0.2,))
    strongest = {
        name: detection.Case(**{**vars(case), "strengths": case.strengths[-1:]})
        for name, case in detection.CASES.items()
    }
    monkeypatch.setattr(detection, "CASES", strongest)
    detection.main(["inbox", "--nulls", "4", "--draws", "2", "--to", str(tmp_path)])
    cells = json.loads((tmp_path / "detection_audit.json").read_text(encoding="utf-8"))["inbox"]["cells"]
    planted = {one["flaw"]: one for one in cells if one["strength"]}
    assert set(planted) == set(strongest)
    assert all(one["detected"] == 2 for one in planted.values())
    assert all(one["found"] is None or one["found"] > 0.95 for one in planted.values())
    assert max(one["detected"] for one in cells if not one["strength"]) <= 1
    page = (tmp_path / "detection_audit.md").read_text(encoding="utf-8")
    assert page.count("| inbox |") == len(cells) and "--nulls 4 --draws 2" in page


def test_a_flaw_is_planted_in_so_many_test_rows_and_nowhere_else(detection):
    corpus = detection.inbox(3)
    part = np.array(["train"] * 400 + ["test"] * 200, dtype=object)
    planted = detection.Planted(corpus, np.random.default_rng(0), part)
    assert planted.copied(planted.count(0.1), str) == 20
    changed = [row for row, text in enumerate(planted.texts) if text != corpus.texts[row]]
    assert len(changed) == 20 and min(changed) >= 400
    assert all(planted.texts[row] in corpus.texts[:400] for row in changed)
    long = detection.long(planted)
    before = long[planted.part == "test"].sum()
    moved = planted.tilted(30, long)
    assert moved == 30 and long[planted.part == "test"].sum() == before + 30
