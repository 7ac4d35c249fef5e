"""The benchmark of scale measures what it says, and its page is that of its figures."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def scale(script):
    return script("scale")


def test_a_launch_is_measured_with_what_it_leaves_and_what_a_resume_takes(scale, tmp_path: Path) -> None:
    found = scale.launched("in_process", 4, tmp_path)
    assert found["runs"] == 4 and found["runs_a_second"] > 0.2
    assert found["inodes_a_run"] == 3, "a folder, the record, the predictions"
    assert found["bytes_a_run"] > 8_000 and found["resume_seconds"] < 1
    assert found["driver_peak_bytes"] >= found["workers_peak_bytes"] > 1e7, "one process is both"
    assert scale.workers_below(os.getpid()) == []


def test_records_are_counted_and_read(scale, tmp_path: Path) -> None:
    importlib.import_module("growth").make_records(30, tmp_path)
    found = scale.scanned(tmp_path)
    assert found["records"] == found["done"] == 30 and found["inodes"] == 60
    assert 0 < found["names_seconds"] < found["read_seconds"] and found["asked_seconds"] > 0


def test_the_page_is_that_of_the_published_figures(scale) -> None:
    if not (scale.PUBLISHED / "scale.json").exists():
        pytest.skip(
            "not published yet: python benchmarks/scale.py --to results/published, on a quiet machine"
        )
    found = json.loads((scale.PUBLISHED / "scale.json").read_text(encoding="utf-8"))
    text = scale.PAGE.read_text(encoding="utf-8")
    assert scale.page(text, found["command"], found["found"]) == text
