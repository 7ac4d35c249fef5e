"""The detection benchmark of artefacts plants what it says, goes on from what it kept, and counts alarms."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "detection_artifacts.py"
_SPEC = importlib.util.spec_from_file_location("detection_artifacts", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
made = importlib.util.module_from_spec(_SPEC)
sys.modules["detection_artifacts"] = made
_SPEC.loader.exec_module(made)


@pytest.mark.parametrize("of", [made.reading, made.worth, made.mark, made.moves])
def test_each_test_finds_what_is_planted_and_seldom_what_is_not(of) -> None:
    assert sum(of(seed, 0.0) <= 0.05 for seed in range(40)) <= 6
    assert all(of(seed, 0.5) <= 0.05 for seed in range(5))


def test_a_page_of_questions_on_their_edge_seldom_alarms() -> None:
    assert sum(made.page(seed) for seed in range(10)) <= 2


def test_finished_repetitions_are_not_made_again(tmp_path: Path) -> None:
    kept, asked = made.Kept(tmp_path / "kept.jsonl"), []

    def one(seed: int) -> bool:
        asked.append(seed)
        return seed == 1

    first = kept.cell("p", "f", 0.1, 3, one)
    again = made.Kept(tmp_path / "kept.jsonl").cell("p", "f", 0.1, 4, one)
    assert asked == [0, 1, 2, 3] and (first.alarms, again.alarms, again.repetitions) == (1, 1, 4)
    assert len((tmp_path / "kept.jsonl").read_text().splitlines()) == 4


def test_the_strength_found_nine_times_in_ten_lies_on_a_line_between_two() -> None:
    def cells(*shares: float) -> list:
        return [made.Cell("p", "f", s, round(10 * share), 10, 0.0, 1.0)
                for s, share in zip((0.1, 0.2), shares, strict=False)]  # fmt: skip

    assert made.strength_at(cells(0.8, 1.0)) == pytest.approx(0.15)
    assert made.strength_at(cells(0.5, 0.8)) is None
    table = made.markdown(cells(0.8, 1.0), "command")
    assert "| p | f | 0.2 | 10/10 | 1.000 | [0.000, 1.000] | 0.15 |" in table


def test_what_is_planted_is_in_the_predictions() -> None:
    gold = np.array([0, 1, 2])
    predictions = made.predicted(gold, made.certain(gold))
    assert (
        predictions.predicted_index.tolist() == [0, 1, 2]
        and json.dumps(predictions.gold) == '["a", "b", "c"]'
    )
