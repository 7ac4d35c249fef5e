"""Power curves are drawn of every published detection table, a panel a flaw, and nothing is left out."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def curves(script):
    return script("power_curves")


def cells(part: str, flaw: str, found: float | None = None) -> list[dict]:
    return [
        {"part": part, "flaw": flaw, "strength": s, "detected": k, "audits": 10, "low": 0.0, "high": 1.0,
         "found": found}
        for s, k in ((0.1, 2), (0.5, 10))
    ]  # fmt: skip


def test_a_panel_a_flaw_a_series_a_corpus_and_what_is_counted_row_by_row_is_not_drawn(curves, tmp_path):
    plain = {
        "inbox": {"cells": [*cells("inbox", "longer"), *cells("inbox", "copies", 1.0)]},
        "sms": {"cells": [*cells("sms", "longer"), {**cells("sms", "none")[0], "strength": 0.0}]},
    }
    points = list(curves.audit(plain))
    assert {(one["flaw"], one["series"]) for one in points} == {("longer", "inbox"), ("longer", "sms")}
    assert [one["rate"] for one in points] == [0.2, 1.0, 0.2, 1.0]
    moved = curves.dodged(points)
    assert moved[0]["x"] == 0.1 and 0.1 < moved[2]["x"] < 0.12, "bars stand beside each other"
    (tmp_path / "detection_audit.json").write_text(json.dumps(plain), encoding="utf-8")
    curves.main(["--to", str(tmp_path)])
    assert (tmp_path / "power_audit.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["audit", "look", "leakage", "parts", "artifacts"])
def test_the_published_tables_give_curves_of_two_strengths_or_more(curves, name):
    table, read, *_ = curves.FIGURES[name]
    file = curves.PUBLISHED / f"detection_{table}.json"
    points = list(read(json.loads(file.read_text(encoding="utf-8"))))
    strengths: dict[tuple[object, object], set[object]] = {}
    for one in points:
        strengths.setdefault((one["flaw"], one["series"]), set()).add(one["x"])
        assert 0 <= float(str(one["low"])) <= float(str(one["rate"])) <= float(str(one["high"])) <= 1
    assert len({one["series"] for one in points}) <= len(curves.style.COLOURS)
    assert strengths and all(len(found) > 1 for found in strengths.values())
    assert (curves.PUBLISHED / f"power_{name}.png").exists()
