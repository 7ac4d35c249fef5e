"""Flaws from the command line: planted, told, and their truth kept beside the corpus."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from commands_given import Command

from crossover.data.sealed_json import unsealed
from crossover.data.truth import SCHEMA


def kept(store: Path) -> tuple[list[dict[str, object]], dict[str, dict[str, object]], list[str]]:
    """The only truth of a store: its lines, its settings, and the ids of the corpus beside it."""
    (file,) = (store / "corpora").glob("*/truth-*.parquet")
    table = pq.read_table(file)
    assert table.schema.equals(SCHEMA)
    ids = pq.read_table(file.parent / "corpus.parquet")["id"].to_pylist()
    return table.to_pylist(), unsealed(file.with_suffix(".json"), "")["flaws"], ids


def test_two_flaws_in_the_inbox_are_told_and_written_down(command: Command, home: Path) -> None:
    ended = command(
        "look", "store=inbox", "data=inbox", "data.rows=300",
        "data.flaw.label_noise.strength=0.2", "data.flaw.campaign.strength=0.4",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = " ".join(ended.stdout.split())
    assert "planted with known flaws: campaign, label_noise" in told
    assert "have a near-duplicate in the corpus" in told
    lines, flaws, ids = kept(home / "inbox")
    assert list(flaws) == ["campaign", "label_noise"]
    assert {line["flaw"] for line in lines} == set(flaws) and {line["id"] for line in lines} <= set(ids)
    for name, strength in (("campaign", 0.4), ("label_noise", 0.2)):
        rows = sum(line["flaw"] == name for line in lines)
        assert flaws[name]["rows"] == rows and abs(rows - 300 * strength) < 45
        assert flaws[name]["settings"]["strength"] == strength  # type: ignore[index]


def test_noise_added_to_a_file_is_split_like_any_corpus(
    command: Command, home: Path, mail: list[str]
) -> None:
    noise = ["+flaw@data.flaw.label_noise=label_noise", "data.flaw.label_noise.strength=.1"]
    ended = command("split", "store=noisy", *mail, "split=stratified", *noise)
    assert ended.returncode == 0, ended.stderr
    lines, flaws, ids = kept(home / "noisy")
    assert {line["before"] for line in lines} == {"ham", "spam"} and {line["column"] for line in lines} == {
        "label"
    }
    assert 30 <= len(lines) == flaws["label_noise"]["rows"] <= 95
    split = json.loads(next((home / "noisy" / "splits").glob("*/split.json")).read_text(encoding="utf-8"))
    assert sorted(id_ for part in split["parts"].values() for id_ in part) == sorted(ids)


def test_a_flaw_that_cannot_be_planted_is_one_clear_message(command: Command, mail: list[str]) -> None:
    spike = ["+flaw@data.flaw.spike=spike", "data.flaw.spike.strength=.1"]
    ended = command("look", "store=bad", *mail, *spike)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == (
        "error: flaw spike needs times, but the corpus declares no meta column of kind time\n"
    )
