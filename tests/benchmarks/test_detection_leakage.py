"""The detection benchmark of leakage plants what it says, and its page says what it found."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from crossover.data.flaw.campaign import Campaign
from crossover.data.inbox import Inbox
from crossover.look.duplicates import duplicate_clusters

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "detection_leakage.py"
_SPEC = importlib.util.spec_from_file_location("detection_leakage", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)


def test_the_planted_gain_is_there_and_without_it_nothing_is() -> None:
    rng = np.random.default_rng(0)
    design = made.DESIGNS["150 clusters of 2 to 12"]
    none = [made.simulated(rng, design, 0.0)[0].mean() for _ in range(40)]
    some = [made.simulated(rng, design, 0.1)[0].mean() for _ in range(40)]
    assert abs(np.mean(none)) < 3 * np.std(none) / 40**0.5
    assert np.mean(some) == pytest.approx(0.1 * 2 / 3, abs=0.02), "two rows of three have a copy"


def test_labels_are_wrong_for_whole_campaigns_or_row_by_row() -> None:
    corpus = Inbox(rows=400, flaw={"planted": Campaign(strength=0.4, campaigns=5)}).load()
    cluster = duplicate_clusters(corpus.ids, corpus.texts)
    for how, torn in (("wrong by campaign", False), ("wrong by row", True)):
        changed = made.mislabelled(corpus, how, 0)
        moved = {id_: a != b for id_, a, b in zip(corpus.ids, corpus.labels, changed.labels, strict=True)}
        assert any(moved.values()) and not any(moved[id_] for id_ in moved if id_ not in cluster)
        mixed = [len({moved[i] for i in cluster if cluster[i] == name}) > 1 for name in set(cluster.values())]
        assert any(mixed) is torn


def test_the_page_holds_the_tables_that_were_made() -> None:
    text = made.page({"commands": {"arrays": "c"}, "arrays": made.arrays(2)})
    assert "40 clusters of 2" in text and "False `costs`, at worst" in text and "Planted" not in text
