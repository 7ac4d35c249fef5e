"""The benchmark of benchmarks: rounds in turn, disturbed ones again, targets told as they came out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def modules(script):
    return script("bench_rounds"), script("bench")


def test_contenders_take_turns_and_each_is_warmed_up_once(modules):
    rounds, _ = modules
    seen: list[str] = []
    timings = rounds.alternate({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=3)
    assert "".join(seen[:2]) == "ab" and {len(t.seconds) for t in timings.values()} == {3}
    assert seen.count("a") - timings["a"].disturbed == seen.count("b") - timings["b"].disturbed == 4


def test_a_round_that_others_disturbed_is_done_again_and_counted(modules, monkeypatch):
    rounds, _ = modules
    busy = iter([(1.0, 1.0, 0.9), (1.0, 1.0, 0.0), (2.0, 2.0, 0.1)])
    monkeypatch.setattr(rounds, "_timed", lambda work: next(busy))
    timing = rounds.alternate({"a": lambda: None}, rounds=2, warm_up=False)["a"]
    assert timing.seconds == [1.0, 2.0] and timing.disturbed == 1


def test_a_ratio_is_of_medians_with_the_spread_of_the_rounds(modules):
    rounds, _ = modules
    timings = {"ours": rounds.Timing([1.0, 2.0, 1.0]), "theirs": rounds.Timing([4.0, 4.0, 6.0])}
    found = rounds.ratio(timings, "ours", "theirs")
    assert found == {"ratio": 4.0, "low": 3.0, "high": 5.0}
    assert rounds.times(found) == "4.0x [3.0, 5.0]"


def test_a_missed_target_is_told_as_missed(modules):
    rounds, bench = modules
    rows = [rounds.headline("a", "1x", "2x", False), rounds.headline("b", "3x", "", None)]
    told = bench.headlines({"part": {"headlines": rows}})
    assert "| a | 1x | 2x | **no** |" in told and "| b | 3x |  |  |" in told


def test_the_readme_changes_between_the_marks_only(modules):
    _, bench = modules
    text = f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n"
    assert bench.into_readme(text, "new") == f"before\n{bench.BEGIN}\nnew\n{bench.END}\nafter\n"
    with pytest.raises(SystemExit, match="marks"):
        bench.into_readme("no marks", "new")
    readme = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    assert readme.count(bench.BEGIN) == readme.count(bench.END) == 1


def test_the_readme_says_what_the_committed_figures_say(modules):
    _, bench = modules
    published = BENCHMARKS.parent / "results" / "published" / "bench.json"
    found = json.loads(published.read_text(encoding="utf-8"))
    readme = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    assert bench.headlines(found) in readme
    assert set(found) <= set(bench.SCRIPTS)
