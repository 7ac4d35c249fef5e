"""scripts/mirror.py: W&B's copy is rebuilt from the store alone, ordered by study, as often as one likes."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_wandb import FakeWandb, put
from toy import bayes, logistic, toy_store

from crossover.data.sealed_json import sealed
from crossover.launch.in_process import InProcess
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.store_mirror import mirror_store
from crossover.report.study_report import publish
from crossover.study.compare import CompareStudy
from crossover.study.study import run


def studied(folder: Path):
    """A finished study of four runs, its mirror off."""
    store, corpus, split = toy_store(folder, 200)
    study = CompareStudy(corpus, split, {"bayes": bayes(), "tfidf": logistic()}, seeds=2)
    result = run(study, InProcess(), store, command="python scripts/study.py study=compare")
    publish(result, study, store, "python scripts/study.py study=compare", WandbMirror("disabled"))
    return store, result


def test_a_store_is_mirrored_whole_and_the_second_time_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, result = studied(tmp_path)
    fake = FakeWandb()
    put(monkeypatch, fake)
    found = mirror_store(store, WandbMirror())
    assert (found.runs, found.studies, found.behind) == (4, 1, 0)
    kinds = Counter(about["job_type"] for about in fake.begun)
    assert kinds == {"run": 4, "study": 1}
    assert {about["config"]["digest"] for about in fake.begun[:4]} == set(result.records)
    mirror_store(store, WandbMirror())
    assert len(fake.begun) == 5
    file = store.root / "studies" / result.name / "verdict.json"
    file.write_bytes(sealed({**json.loads(file.read_text()), "sentence": "another"}))
    mirror_store(store, WandbMirror())
    assert [about["job_type"] for about in fake.begun[5:]] == ["study"], "a verdict that changed is sent anew"


def test_the_groups_of_the_runs_are_those_their_study_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, result = studied(tmp_path)
    fake = FakeWandb()
    put(monkeypatch, fake)
    mirror_store(store, WandbMirror())
    *runs, study = fake.begun
    assert {about["group"] for about in runs} == set(study["config"]["groups"])
    assert all(result.name in about["tags"] for about in runs)
    assert study["group"] == study["name"] == result.name


@pytest.mark.slow
def test_an_offline_mirror_reads_back_run_by_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    wandb.teardown()
    store, result = studied(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert mirror_store(store, WandbMirror()).behind == 0
    wandb.teardown()
    files = list((tmp_path / "wandb").rglob("run-*.wandb"))
    assert len(files) == 5
    until = time.monotonic() + 20
    seen: set[str] = set()
    while time.monotonic() < until and not set(result.records) <= seen:
        text = b"".join(file.read_bytes() for file in files)
        seen = {digest for digest in result.records if digest.encode() in text}
    assert set(result.records) <= seen
