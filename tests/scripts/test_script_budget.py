"""A declared, spent and refusing budget of looks, and the sealed part that goes on from there."""

import json
from pathlib import Path

import pytest
from commands_given import Command

COMPARE = ["study=compare", "model@study.arms.probe=naive_bayes", "study.seeds=1", "split=stratified"]
BUDGET = "test_budget={looks: 2, refuse: true}"


@pytest.mark.slow
def test_looks_are_declared_widen_refuse_and_go_on_with_the_sealed_part(
    command: Command, mail: list[str], home: Path
) -> None:
    common = ["store=budget", "split=stratified", "split.sealed=0.2", *mail]
    compare = [*COMPARE, *common]
    first = command("study", *compare, BUDGET)
    assert first.returncode == 0, first.stderr
    assert "looks: This is within 2 declared looks at this test part, 1 of them taken" in first.stdout
    report = home / first.stdout.splitlines()[-1].removeprefix("report: ")
    verdict = json.loads((report.parent / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["numbers"]["level"] == pytest.approx(0.975)
    assert verdict["numbers"]["test_budget"]["declared"] == 2
    html = report.read_text(encoding="utf-8")
    assert "intervals are at 97.5%" in html and "97.5% interval" in html and "sqrt(1/" in html

    run = command("run", *common, "model=naive_bayes", "subset={scheme: natural, size: 100, draw: 0}")
    assert run.returncode == 0 and "at 97.5%" in run.stdout, run.stderr
    digest = run.stdout.splitlines()[-1].rsplit("/", 1)[-1]
    record = json.loads((home / "budget" / "runs" / digest / "record.json").read_text(encoding="utf-8"))
    assert record["scores"]["accuracy"]["level"] == 0.95, "nothing widened is ever stored in a run"

    before = sorted(path.name for path in (home / "budget" / "runs").iterdir())
    spent = command("study", *compare, "study.equivalence=0.02")
    assert (spent.returncode, spent.stdout) == (2, "")
    assert "budget of 2 looks" in spent.stderr and f"run-{digest}" in spent.stderr
    assert "scripts/unseal.py" in spent.stderr
    assert sorted(path.name for path in (home / "budget" / "runs").iterdir()) == before
    assert command("study", *compare).returncode == 0, "the study that looked is told again"

    split = next((home / "budget" / "splits").iterdir()).name
    opened = command("unseal", "store=budget", f"of={split}", "because=two looks are spent")
    assert opened.returncode == 0, opened.stderr
    path = opened.stdout.splitlines()[-1].removeprefix("split: ")
    again = command("unseal", "store=budget", f"of={split}", "because=once more")
    assert again.returncode == 2 and "because: two looks are spent" in again.stderr
    fresh = command("run", "store=budget", *mail, "split=stored", f"split.path={path}", "model=majority")
    assert fresh.returncode == 0, fresh.stderr
    looks = list((home / "budget" / "test_reads").glob("*/*.json"))
    assert len(looks) == 3, "two at the old part, one at the fresh one"
