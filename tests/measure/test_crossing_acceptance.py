"""A small version of benchmarks/crossover_acceptance.py, and the resampling of real studies."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.measure.crossing import slack_at
from crossover.measure.study_coverage import coverage_of_studies

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "crossover_acceptance.py"


@pytest.fixture(scope="module")
def acceptance():
    spec = importlib.util.spec_from_file_location("crossover_acceptance", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["crossover_acceptance"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["crossover_acceptance"]


def cell(acceptance, name):
    (found,) = [cell for cell in acceptance.cells() if cell.name == name]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["normal-level-R3-m1000-f0.5", "normal-falling-R10-m300-f0.5", "failures-level-R5-m300-f0.1"]
)
def test_the_set_covers_the_true_root_and_no_crossing_is_made_up(acceptance, name):
    repetitions = 300
    line = acceptance.run_cell(cell(acceptance, name), repetitions, seed=3)
    # The least count that a coverage of .935 leaves out of 300 in 99.9% of runs, and so for .05.
    least = stats.binom.ppf(0.001, repetitions, 0.935) / repetitions
    most = stats.binom.ppf(0.999, repetitions, 0.05) / repetitions
    assert line["coverage_late_root"] >= least and line["coverage_early_root"] >= least
    assert line["false_band"] <= most and line["false_ends"] <= most
    assert line["pieces_agree"] >= 0.99


@pytest.mark.slow
def test_the_simulation_would_notice_a_missing_overlap_term(acceptance):
    rng = np.random.default_rng(4)
    half = cell(acceptance, "normal-level-R10-m1000-f0.5")
    logs = np.log2(acceptance.SIZES)
    held = {"with": 0, "without": 0}
    for _ in range(200):
        noise = acceptance.study_noise(rng, half)
        held["with"] += slack_at(noise, logs[-1:], 0.0, 0.95)[0] >= 0
        blind = replace(noise, overlaps=np.zeros(5))
        held["without"] += slack_at(blind, logs[-1:], 0.0, 0.95)[0] >= 0
    assert held["with"] >= 180
    assert held["without"] <= 150


def test_simulated_draws_share_an_effect_as_far_as_they_share_rows(acceptance):
    rng = np.random.default_rng(6)
    half = cell(acceptance, "normal-level-R3-m300-f0.5")
    fractions = 0.5 * np.array(acceptance.SIZES) / 128
    effects = np.array([acceptance.draw_effects(rng, half, fractions) for _ in range(4000)])
    assert effects.std(axis=(0, 1)) == pytest.approx(np.ones(5), abs=0.04)
    last = np.corrcoef(effects[:, 0, -1], effects[:, 1, -1])[0, 1]
    first = np.corrcoef(effects[:, 0, 0], effects[:, 1, 0])[0, 1]
    assert last == pytest.approx(0.5, abs=0.05) and first == pytest.approx(0.03, abs=0.05)


def test_the_command_writes_both_tables(acceptance, tmp_path, capsys):
    acceptance.main(["--repetitions", "3", "--cells", "t3,level,R3,m300", "--out", str(tmp_path)])
    lines = json.loads((tmp_path / "crossover_acceptance.json").read_text(encoding="utf-8"))
    assert [line["cell"] for line in lines] == ["t3-level-R3-m300-f0.1", "t3-level-R3-m300-f0.5"]
    text = (tmp_path / "crossover_acceptance.md").read_text(encoding="utf-8")
    assert "| t3 | 3 | 2 |" in text and "--cells t3,level,R3,m300" in text
    assert len(acceptance.cells()) == 3 * 3 * 3 * 3 * 2 + 2 * 3 * 2


def test_a_missed_target_is_named(acceptance):
    good = {
        "distribution": "normal", "coverage_late_root": 0.95, "coverage_early_root": 0.935,
        "false_band_upper": 0.02, "false_ends_upper": 0.065,
    }  # fmt: skip
    assert acceptance.verdict_of(good) == []
    assert "late_root 0.930" in acceptance.verdict_of({**good, "coverage_late_root": 0.93})[0]
    assert "band" in acceptance.verdict_of({**good, "false_band_upper": 0.066})[0]
    assert "ends" in acceptance.verdict_of({**good, "false_ends_upper": 0.08})[0]
    assert acceptance.verdict_of({**good, "distribution": "t3", "coverage_late_root": 0.93}) == []


def measured(seed=0, draws=60, rows=1500):
    """Many draws and rows with one downward root near 283, as a real study's archive would hold."""
    rng = np.random.default_rng(seed)
    row = rng.normal(0, 0.2, rows)
    levels = np.array([0.06, 0.02, -0.02, -0.06])
    noise = rng.normal(0, 0.02, (draws, 4, 1)) + rng.normal(0, 0.2, (draws, 4, rows)) + row
    d = levels[:, None] + noise
    return d - (d.mean(axis=(0, 2)) - levels)[:, None]


SIZES = (100, 200, 400, 800)


def test_resampled_studies_hold_the_root_of_all_draws_and_rows():
    told = coverage_of_studies(
        measured(), SIZES, np.sqrt(200 * 400), R=6, rows=200, studies=300, rng=np.random.default_rng(1)
    )
    assert told["coverage"] >= 0.93
    assert told["coverage_low"] < told["coverage"] < told["coverage_high"]
    assert told["empty"] == 0 and 0.2 < told["bounded"] <= 1
    assert sum(told["kinds"].values()) == pytest.approx(1)
    assert told["kinds"]["stops_paying"] > 0.3


def test_resampled_studies_would_notice_a_wrong_root():
    told = coverage_of_studies(
        measured(), SIZES, 120.0, R=6, rows=200, studies=100, rng=np.random.default_rng(1)
    )
    assert told["coverage"] < 0.5


def test_resampled_studies_cannot_ask_for_more_than_there_is():
    with pytest.raises(BadInput, match="61 draws x 200 rows out of 60 x 1500"):
        coverage_of_studies(measured(), SIZES, 283.0, 61, 200, 10, np.random.default_rng(1))
    with pytest.raises(BadInput, match="for 3 sizes"):
        coverage_of_studies(measured(), SIZES[:3], 283.0, 6, 200, 10, np.random.default_rng(1))
