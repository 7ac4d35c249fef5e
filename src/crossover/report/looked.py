"""Which steps of a study have been looked at, and by whom: read from the log, told on its page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossover.record.look_log import looked, looks_of
from crossover.report.page import Block, Code, Prose
from crossover.report.plain_values import Plain, mapping, number, rows, text, texts

STEPS = {"raw": "raw", "split": "after the split", "model": "after a model"}
_OF_DATA = ("data=", "data.", "+data.", "++data.", "~data.", "split=", "split.", "+split.", "store=")
_OF_FLAWS = ("+flaw@", "flaw@")


def looked_numbers(
    root: Path, corpus: str, split: str, runs: Sequence[str], command: str
) -> dict[str, object]:
    """The looks at this corpus, split and these runs as plain values, with commands for those to come.

    Args:
        command: the study's own; what it says of data, split and store goes into the look's.
    """
    words = [word for word in shlex.split(command) if word.startswith((*_OF_DATA, *_OF_FLAWS))]
    look = shlex.join(["python", "scripts/look.py", *words])
    store = [word for word in words if word.startswith("store=")]
    lines = {"raw": look, "split": f"{look} look.stage=split"}
    if runs:
        lines["model"] = shlex.join(["python", "scripts/look.py", *store, f"look.run={runs[0]}"])
    return {"stages": looked(looks_of(root, corpus), split, runs), "commands": lines}


def with_looks(verdict: Plain, root: Path) -> Plain:
    """A stored verdict with the looks that are in the log now: some are taken after the study."""
    numbers = mapping(verdict, "numbers")
    corpus = text(mapping(numbers, "corpus"), "fingerprint")
    if not corpus:
        return verdict
    split, command = (
        text(mapping(numbers, "split"), "fingerprint"),
        text(mapping(numbers, "commands"), "study"),
    )
    now = looked_numbers(root, corpus, split, texts(verdict, "runs"), command)
    return {**verdict, "numbers": {**numbers, "looked": now}}


def looked_line(numbers: Plain) -> str:
    """One sentence, empty for a verdict of before looks were noted."""
    stages = {text(row, "stage"): row for row in rows(mapping(numbers, "looked"), "stages")}
    if not stages:
        return ""
    return "Looked at: " + "; ".join(f"{STEPS[stage]} {_who(stages.get(stage, {}))}" for stage in STEPS) + "."


def looked_blocks(numbers: Plain) -> list[Block]:
    """The sentence, what was found and decided, and the commands for the steps nobody has signed."""
    line = looked_line(numbers)
    if not line:
        return []
    blocks: list[Block] = [Prose(line)]
    commands = mapping(mapping(numbers, "looked"), "commands")
    open_steps = []
    for row in rows(mapping(numbers, "looked"), "stages"):
        stage = text(row, "stage")
        said = [f"{name}: {text(row, name)}" for name in ("found", "decided") if text(row, name)]
        if said:
            blocks.append(Prose(f"{STEPS.get(stage, stage).capitalize()}. " + "; ".join(said) + "."))
        if not number(row, "signed") and text(commands, stage):
            open_steps.append(text(commands, stage))
    if open_steps:
        blocks += [
            Prose("Still to be looked at, and signed with look.by=:", "quiet"),
            Code(tuple(open_steps)),
        ]
    return blocks


def _who(row: Mapping[str, object]) -> str:
    if not number(row, "looks"):
        return "not yet"
    day = text(row, "when")[:10]
    if not number(row, "signed"):
        return f"a page was made on {day}, nobody has signed that they read it"
    expertise = f" ({text(row, 'expertise')})" if text(row, "expertise") else ""
    return f"by {text(row, 'by')}{expertise} on {day}"
