"""A study's page says which steps have been looked at; a verdict of before looks were noted renders too."""

from __future__ import annotations

import json
from pathlib import Path

import html5lib

from crossover.record.look_log import LookNote, note_look
from crossover.report.looked import looked_line, looked_numbers, with_looks
from crossover.report.verdict_page import verdict_page

CORPUS, SPLIT = "0" * 16, "1" * 16
DATA = "data=sms_spam data.path=a.parquet store=st"
STUDY = f"python scripts/study.py study=compare {DATA} study.seeds=2 split.seed=1"


def text_of(numbers: dict[str, object]) -> str:
    root = html5lib.parse(verdict_page({"numbers": numbers}).html(), namespaceHTMLElements=False)
    return " ".join(" ".join(root.find("body").itertext()).split())


def note(root: Path, stage: str, **said: str) -> None:
    note_look(root, LookNote(stage, CORPUS, SPLIT if stage != "raw" else "", ("r1",), (), (), "p", **said))


def test_nothing_looked_at_is_said_with_the_commands_to_do_so(tmp_path: Path) -> None:
    looked = looked_numbers(tmp_path, CORPUS, SPLIT, ["r1", "r2"], STUDY)
    assert looked_line({"looked": looked}) == (
        "Looked at: raw not yet; after the split not yet; after a model not yet."
    )
    said = text_of({"looked": looked})
    kept = f"python scripts/look.py {DATA} split.seed=1"
    assert f"{kept} look.stage=split" in said and "study" not in looked["commands"]["raw"]
    assert "python scripts/look.py store=st look.run=r1" in said


def test_who_looked_when_and_what_came_of_it_is_told(tmp_path: Path) -> None:
    signed = {"by": "Ann", "expertise": "fraud", "found": "<b>bad</b>", "decided": "drop 3"}
    note(tmp_path, "raw", when="2026-02-03T10:00:00+00:00", **signed)
    note(tmp_path, "split", when="2026-02-04T10:00:00+00:00")
    looked = looked_numbers(tmp_path, CORPUS, SPLIT, ["r1"], STUDY)
    line = looked_line({"looked": looked})
    assert line.startswith("Looked at: raw by Ann (fraud) on 2026-02-03; after the split a page was made")
    said = text_of({"looked": looked})
    assert "found: <b>bad</b>; decided: drop 3" in said
    assert "look.stage=split" in said, "an unsigned page has not been read yet"


def test_a_look_taken_after_the_study_is_told_when_the_report_is_made_again(tmp_path: Path) -> None:
    verdict = {
        "runs": ["r1"],
        "numbers": {
            "corpus": {"fingerprint": CORPUS},
            "split": {"fingerprint": SPLIT},
            "commands": {"study": STUDY},
        },
    }
    note(tmp_path, "model", by="Bo")
    now = with_looks(verdict, tmp_path)
    assert "after a model by Bo on" in looked_line(now["numbers"])
    assert "looked" not in verdict["numbers"], "the stored verdict stays what it was"
    json.dumps(now)


def test_a_verdict_without_looks_or_corpus_renders_as_before(tmp_path: Path) -> None:
    assert looked_line({}) == "" and "Looked at" not in text_of({"corpus": {"fingerprint": CORPUS}})
    assert with_looks({"numbers": {}}, tmp_path) == {"numbers": {}}
