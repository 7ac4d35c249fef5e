"""The detection table of a look is made in small: strong flaws are seen, clean mail is not alarmed."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def detection(script):
    return script("detection_look")


def test_strong_flaws_are_seen_clean_mail_is_not_alarmed_and_both_files_are_written(
    detection, monkeypatch, tmp_path
):
    monkeypatch.setattr(detection, "STRENGTHS", (0.9,))
    monkeypatch.setattr(detection, "ROWS", 600)
    monkeypatch.setattr(detection, "NULL_ROWS", 200)
    names = ("spike", "campaign", "signature, words listed")
    cases = {name: case for name, case in detection.inbox_cases().items() if name in names}
    monkeypatch.setattr(detection, "inbox_cases", lambda: cases)
    for part, draws in (("nulls", 8), ("inbox", 1)):
        detection.main([part, "--draws", str(draws), "--to", str(tmp_path)])
    stored = json.loads((tmp_path / "detection_look.json").read_text(encoding="utf-8"))
    assert stored["nulls"]["cells"][0]["detected"] <= 1
    strong = {one["flaw"]: one["detected"] for one in stored["inbox"]["cells"] if one["strength"]}
    assert set(strong.values()) == {1} and len(strong) == 3
    assert "| nulls | clean inbox: any alarm |" in (tmp_path / "detection_look.md").read_text(
        encoding="utf-8"
    )
    assert "--draws 1" in stored["inbox"]["command"]


def test_the_strength_seen_in_nine_of_ten_is_read_off_between_two(detection):
    cells = [
        detection.cell("p", "f", s, [True] * k + [False] * (10 - k), 0.0) for s, k in ((0.1, 2), (0.3, 10))
    ]
    assert detection.strength_at(cells) == pytest.approx(0.1 + 0.2 * 7 / 8)
    assert detection.strength_at(cells[:1]) is None


def test_damage_is_planted_in_so_many_rows_and_told(detection):
    from crossover.data.inbox import Inbox
    from crossover.look.whole_look import look_over

    corpus = Inbox(rows=1_000, seed=2).load()
    for flaw, (_, code, shares) in detection.FLAWS.items():
        same = detection.damaged(corpus, flaw, 0.0, 0)
        assert same.fingerprint == corpus.fingerprint, "share 0 is the corpus itself"
        changed = detection.damaged(corpus, flaw, shares[-1], 0)
        assert sorted(changed.ids) == sorted(corpus.ids)
        assert detection.tells(look_over(changed), code) and not detection.tells(look_over(same), code), flaw
