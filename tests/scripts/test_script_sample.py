"""Drawing rows to label or audit, labelling them, and what the sheet then says of the population."""

import csv
import json
from pathlib import Path

import pytest
from commands_given import Command, mail_rows, write_csv


def labelled(sheet: Path, label: dict[str, str]) -> None:
    """Fill in the label column, as a person would."""
    with open(sheet, newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        assert row["label"] == ""
        row["label"] = label[row["text"]]
    with open(sheet, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_a_pool_is_sampled_labelled_and_its_class_shares_estimated(command: Command, home: Path) -> None:
    rows = mail_rows()
    truth = dict(rows[1:])
    write_csv(home / "pool.csv", [rows[0], *([m, k if n < 100 else ""] for n, (m, k) in enumerate(rows[1:]))])
    pool = ["store=pool", "data=table_file", "data.path=pool.csv", "data.text=message", "data.label=kind"]
    drawn = command("sample", *pool, "sample.size=120", "to=to_label.csv")
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.splitlines()[0].startswith("120 of 500 rows of pool without a label")
    assert drawn.stdout.splitlines()[-1] == "sample: to_label.csv"
    design = json.loads((home / "to_label.csv.json").read_text(encoding="utf-8"))
    assert (design["name"], design["population"], design["settings"]["seed"]) == ("uniform", 500, 0)

    labelled(home / "to_label.csv", truth)
    told = command("estimate", "to_label.csv", "--method", "plain")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].startswith("estimate: share/ham 0.")

    sheet = ["data=table_file", "data.path=to_label.csv", "+data.meta={inclusion: inclusion}", "data.id=id"]
    run = command("run", "store=pool", *sheet, "model=naive_bayes")
    assert run.returncode == 0, "a uniform sample may be split and tested on"


@pytest.mark.slow
def test_a_runs_doubts_are_audited_and_its_plain_mean_is_refused(
    command: Command, mail: list[str], home: Path
) -> None:
    run = command("run", "store=audit", *mail, "split.test=0.5", "split.by=[]", "model=naive_bayes")
    assert run.returncode == 0, run.stderr
    digest = run.stdout.splitlines()[-1].rsplit("/", 1)[-1]
    audit = ["store=audit", f"of={digest[:8]}", "sample=importance", "sample.size=80"]
    drawn = command("sample", *audit, "to=to_audit.csv")
    assert drawn.returncode == 0, drawn.stderr
    labelled(home / "to_audit.csv", dict(mail_rows()[1:]))
    told = command("estimate", "to_audit.csv", "--run", digest, "store=audit")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].startswith("estimate: accuracy 0.") and "macro_f1" in told.stdout
    plain = command("estimate", "to_audit.csv", "--run", digest, "store=audit", "--method", "plain")
    assert plain.returncode == 2
    assert all(word in plain.stderr for word in ("hajek", "horvitz_thompson", "bootstrap"))

    sheet = ["data=table_file", "data.path=to_audit.csv", "+data.meta={inclusion: inclusion}", "data.id=id"]
    refused = command("run", "store=audit", *sheet, "model=naive_bayes")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "drawn with probabilities from" in refused.stderr and "split=predefined" in refused.stderr
