"""scripts/export.py: the texts of the artefact study to a csv, and no other study's."""

import csv
from pathlib import Path

from commands_given import Command, left_in


def test_every_text_is_written_once_and_only_for_this_study(
    command: Command, mail: list[str], home: Path
) -> None:
    ended = command("export", "store=exported", *mail, "study=artifacts", "to=out/texts.csv")
    assert (ended.returncode, ended.stdout) == (0, "texts: out/texts.csv\n"), ended.stderr
    with open(home / "out" / "texts.csv", encoding="utf-8", newline="") as handle:
        texts = [row["text"] for row in csv.DictReader(handle)]
    assert len(texts) == len(set(texts)) > 600
    assert sum(text.endswith("\nSent from my phone") for text in texts) > 50
    assert left_in(home / "out") == {"texts.csv"}
    refused = command("export", "store=exported", *mail, "study=compare", "study.arms.probe=null", "to=x.csv")
    assert refused.returncode == 2 and "study=artifacts" in refused.stderr
