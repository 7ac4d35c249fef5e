"""What a look at the data detects, at which strength, and how often nothing alarms it (docs: methods 8).

    python benchmarks/detection_look.py nulls --draws 1000
    python benchmarks/detection_look.py inbox --draws 30
    python benchmarks/detection_look.py sms --draws 40 --nulls 200 --path sms_spam.parquet
    python benchmarks/detection_look.py texts --draws 40 --path sms_spam.parquet
    python benchmarks/detection_look.py enron --nulls 200 --path enron_spam.parquet

each replaces its part of detection_look.json and writes detection_look.md anew, in results/published/.

**nulls**: whole looks at clean generated inboxes of 1,000 rows. **inbox**: 2,000 rows with a flaw planted.
**sms**: 2,000 of the messages, with times and a column drawn at random, flaws planted in them or not. Copies
are there without a flaw, so a campaign is detected where nine in ten of its rows stand in clusters of copies
with others of it; to footers and signatures the list of words is asked, not an alarm. **texts**: both of
these with what goes wrong on the way to a file (text_flaws.py), in a share of the rows; a file in order is
told without alarm.
**enron**: 1,000 of the mails with dates, mailboxes and sources each dealt out anew: texts and labels are
real, and nothing is tied to the columns. On real texts copies and damage are there, so only
findings that rest on a test count as false alarms.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from detection_parts import CARD, limits, messages, renewed
from text_flaws import FLAWS, damaged

from crossover.data.corpus import Corpus
from crossover.data.flaw.campaign import Campaign
from crossover.data.flaw.dropped_digits import DroppedDigits
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.footer import Footer
from crossover.data.flaw.meta_columns import MetaColumns
from crossover.data.flaw.planting import planted
from crossover.data.flaw.signature import Signature
from crossover.data.flaw.spike import Spike
from crossover.data.flaw.time_shift import TimeShift
from crossover.data.inbox import Inbox
from crossover.look.whole_look import Looked, look_over

PARTS = ("nulls", "inbox", "sms", "texts", "enron")
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5)
NULL_ROWS, ROWS = 1_000, 2_000
FOOTER = ("trees", "think", "print", "message", "please")
SIGNATURE = ("marit", "oduya", "brandt", "eastbridge")
Seen = Callable[[Looked, Corpus], bool]


@dataclass(frozen=True)
class Cell:
    """One flaw at one strength: detected in so many of so many looks, with Clopper-Pearson limits."""

    part: str
    flaw: str
    strength: float
    detected: int
    looks: int
    low: float
    high: float
    seconds: float


@dataclass(frozen=True)
class Case:
    """A flaw, and what counts as seeing it."""

    flaw: Callable[[float], Flaw]
    seen: Seen


def warned(code: str, value: str | None = None) -> Seen:
    """A warning of this code, and of this value where one is given."""

    def seen(looked: Looked, corpus: Corpus) -> bool:
        return any(
            one.code == code
            and one.severity == "warning"
            and (value is None or value in (one.evidence.get("value"), one.evidence.get("word")))
            for one in looked.findings
        )

    return seen


def listed(label: str, words: Sequence[str], first: int = 10) -> Seen:
    """Any of the words among the first that a class over-uses: a list to read, no alarm."""

    def seen(looked: Looked, corpus: Corpus) -> bool:
        return bool({one.word for one in looked.vocabulary.get(label, ())[:first]} & set(words))

    return seen


def any_score(looked: Looked, corpus: Corpus) -> bool:
    """A warning that any of the planted columns tells the class."""
    return any(warned(f"class-by-score_{k}")(looked, corpus) for k in "abcd")


def gathered(looked: Looked, corpus: Corpus, share: float = 0.9) -> bool:
    """Whether so many of the planted copies stand in a cluster with another of their campaign."""
    campaigns: dict[str, list[str]] = {}
    assert corpus.truth is not None
    for id_, name in corpus.truth.details("f").items():
        campaigns.setdefault(name, []).append(id_)
    together = copies = 0
    for ids in (ids for ids in campaigns.values() if len(ids) > 1):
        found = Counter(looked.cluster_of.get(id_) for id_ in ids)
        together += sum(many for name, many in found.items() if name is not None and many > 1)
        copies += len(ids)
    return together >= share * copies


def cell(part: str, flaw: str, strength: float, seen: Sequence[bool], seconds: float) -> Cell:
    """The rate over looks."""
    return Cell(part, flaw, strength, *limits(seen), seconds)


def rates(part: str, name: str, looks: Sequence[Looked], seconds: float, tests_only: bool) -> list[Cell]:
    """How often a corpus with nothing to find raises any alarm, and each alarm by its code."""
    alarms = [
        Counter(
            one.code
            for one in looked.findings
            if one.severity != "info" and (one.p_value is not None or not tests_only)
        )
        for looked in looks
    ]
    tested = [Counter(one.code for one in looked.findings if one.p_value is not None) for looked in looks]
    found = [cell(part, f"{name}: any alarm", 0.0, [bool(one) for one in alarms], seconds)]
    for code in sorted({code for one in [*alarms, *tested] for code in one}):
        found.append(cell(part, f"{name}: {code}", 0.0, [code in one for one in alarms], seconds))
    return found


def inbox_cases() -> Mapping[str, Case]:
    """The flaws a look can see, as the yamls of the inbox plant them."""

    return {
        "spike": Case(lambda s: Spike(strength=s), warned("word-spike-time", "equinox")),
        "dropped_digits": Case(lambda s: DroppedDigits(strength=s), warned("text-over-time-time", "digits")),
        "label_shift": Case(
            lambda s: TimeShift(strength=s, value="phishing"), warned("class-over-time-time")
        ),
        "growing_slice": Case(
            lambda s: TimeShift(strength=s, column="region", value="africa"),
            warned("meta-region-over-time-time", "africa"),
        ),
        "meta_columns": Case(lambda s: MetaColumns(strength=s, label="phishing"), any_score),
        "campaign": Case(lambda s: Campaign(strength=s), warned("duplicates-near")),
        "footer, words listed": Case(lambda s: Footer(strength=s, label="good"), listed("good", FOOTER)),
        "signature, words listed": Case(
            lambda s: Signature(strength=s, label="phishing"), listed("phishing", SIGNATURE)
        ),
    }


def on_inbox(draws: int) -> list[Cell]:
    """Power on the generated inbox; footers and signatures at strength 0 too: their lists are no tests."""
    found = []
    for name, case in inbox_cases().items():
        for strength in (0.0, *STRENGTHS) if "listed" in name else STRENGTHS:
            began, seen = time.perf_counter(), []
            for seed in range(draws):
                corpus = Inbox(rows=ROWS, seed=seed, flaw={"f": case.flaw(strength)}).load()
                seen.append(case.seen(look_over(corpus), corpus))
            found.append(cell("inbox", name, strength, seen, (time.perf_counter() - began) / draws))
            print(f"{name} {strength:g}: {sum(seen)}/{draws}", file=sys.stderr)
    return found


def clean(draws: int) -> list[Cell]:
    """False alarms on clean inboxes, every finding counted."""
    began = time.perf_counter()
    looks = [without_rows(look_over(Inbox(rows=NULL_ROWS, seed=seed).load())) for seed in range(draws)]
    return rates("nulls", "clean inbox", looks, (time.perf_counter() - began) / max(draws, 1), False)


def without_rows(looked: Looked) -> Looked:
    """Only the findings: a thousand looks fit in memory."""
    return Looked(looked.statistics, (), (), looked.findings, (), {}, {})


def sms(path: Path, seed: int) -> Corpus:
    """ROWS of the messages, with times over two years and a column of four values, all drawn at random."""
    table, draw = pq.read_table(path).to_pydict(), np.random.default_rng([1, seed])
    return messages(table, draw.permutation(len(table["text"]))[:ROWS].tolist(), draw)


def on_sms(path: Path, draws: int, nulls: int) -> list[Cell]:
    """False alarms of the tests, and power, on real messages."""
    began = time.perf_counter()
    looks = [without_rows(look_over(sms(path, seed))) for seed in range(nulls)]
    found = rates(
        "sms", "random times and column", looks, (time.perf_counter() - began) / max(nulls, 1), True
    )
    cases = {
        "spike": Case(lambda s: Spike(strength=s), warned("word-spike-time", "equinox")),
        "dropped_digits": Case(lambda s: DroppedDigits(strength=s), warned("text-over-time-time", "digits")),
        "label_shift": Case(lambda s: TimeShift(strength=s, value="spam"), warned("class-over-time-time")),
        "growing_slice": Case(
            lambda s: TimeShift(strength=s, column="region", value="north"),
            warned("meta-region-over-time-time", "north"),
        ),
        "meta_columns": Case(lambda s: MetaColumns(strength=s, label="spam"), any_score),
        "campaign, rows gathered": Case(lambda s: Campaign(strength=s, label="spam"), gathered),
        "footer, words listed": Case(lambda s: Footer(strength=s, label="ham"), listed("ham", FOOTER)),
        "signature, words listed": Case(
            lambda s: Signature(strength=s, label="spam"), listed("spam", SIGNATURE)
        ),
    }
    for name, case in cases.items():
        for strength in (0.0, *STRENGTHS) if "listed" in name else STRENGTHS:
            began, flaw = time.perf_counter(), {"f": case.flaw(strength)}
            corpora = [planted(sms(path, seed), flaw) for seed in range(draws)]
            seen = [case.seen(look_over(corpus), corpus) for corpus in corpora]
            found.append(cell("sms", name, strength, seen, (time.perf_counter() - began) / draws))
            print(f"sms {name} {strength:g}: {sum(seen)}/{draws}", file=sys.stderr)
    return found


def on_texts(path: Path, draws: int) -> list[Cell]:
    """What went wrong on the way to the file, on mail and on messages; share 0 is the null."""
    found = []
    for part, make in (
        ("inbox", lambda seed: Inbox(rows=NULL_ROWS, seed=seed).load()),
        ("sms", lambda seed: sms(path, seed)),
    ):
        for flaw, (_, code, shares) in FLAWS.items():
            for share in (0.0, *shares):
                began = time.perf_counter()
                looks = [look_over(damaged(make(seed), flaw, share, seed)) for seed in range(draws)]
                seen = [tells(looked, code) for looked in looks]
                found.append(cell(part, flaw, share, seen, (time.perf_counter() - began) / draws))
                print(f"{part} {flaw} {share:g}: {sum(seen)}/{draws}", file=sys.stderr)
    return found


def tells(looked: Looked, code: str) -> bool:
    """Whether the finding warns, or stands on the page where it never warns."""
    return any(
        one.code == code and (one.severity == "warning" or code == "file-order") for one in looked.findings
    )


def on_enron(path: Path, nulls: int) -> list[Cell]:
    """False alarms of the tests on real mail whose columns are dealt out anew, each by itself."""
    table, looks, began = pq.read_table(path).to_pydict(), [], time.perf_counter()
    for seed in range(nulls):
        draw = np.random.default_rng([2, seed])
        order = draw.permutation(len(table["text"]))
        rows, *dealt = order[: 4 * NULL_ROWS].reshape(4, NULL_ROWS).tolist()
        corpus = Corpus.from_columns(
            "enron_drawn",
            [f"{table['subject'][row] or ''}\n{table['text'][row] or ''}" for row in rows],
            [str(table["label"][row]) for row in rows],
            CARD,
            [f"{k:016x}" for k in draw.permutation(NULL_ROWS).tolist()],
            {
                "date": ("time", [str(table["date"][row]) for row in dealt[0]]),
                "mailbox": ("category", [table["mailbox"][row] for row in dealt[1]]),
                "source": ("category", [table["source"][row] for row in dealt[2]]),
            },
        )
        looks.append(without_rows(look_over(corpus)))
    return rates(
        "enron", "columns dealt out anew", looks, (time.perf_counter() - began) / max(nulls, 1), True
    )


def strength_at(cells: Sequence[Cell], rate: float = 0.9) -> float | None:
    """Least strength detected so often, linear between strengths; None where none is."""
    ordered = sorted(cells, key=lambda one: one.strength)
    if ordered[0].detected >= rate * ordered[0].looks:
        return ordered[0].strength
    for before, after in pairwise(ordered):
        low, high = before.detected / before.looks, after.detected / after.looks
        if low < rate <= high:
            return before.strength + (rate - low) / (high - low) * (after.strength - before.strength)
    return None


def markdown(parts: Mapping[str, Mapping[str, object]]) -> str:
    """The tables, and the commands that made them."""
    lines = [
        "# What a look at the data detects",
        "",
        "Limits: Clopper-Pearson, 95%. Strength 0 is the null.",
        "",
    ]
    lines += ["Made by", "", "```", *(str(part["command"]) for part in parts.values()), "```", ""]
    lines += [
        "| part | flaw | strength | detected | rate | limits | 90% from |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in parts.values():
        cells = [Cell(**one) for one in part["cells"]]  # type: ignore[attr-defined]
        for one in cells:
            alike = [other for other in cells if (other.part, other.flaw) == (one.part, one.flaw)]
            last = ""
            if one is alike[-1] and len(alike) > 1:
                reached = strength_at(alike)
                last = "–" if reached is None else f"{reached:.3g}"
            lines.append(
                f"| {one.part} | {one.flaw} | {one.strength:g} | {one.detected}/{one.looks} | "
                f"{one.detected / one.looks:.3f} | [{one.low:.3f}, {one.high:.3f}] | {last} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a part and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--draws", type=int, default=20, help="looks a strength; of nulls: looks in all")
    parser.add_argument("--nulls", type=int, default=200, help="looks at real texts without a flaw")
    parser.add_argument("--path", type=Path, help="the file of sms, texts or enron")
    parser.add_argument("--to", type=Path, default=Path("results/published"))
    given = parser.parse_args(arguments)
    made = {
        "nulls": lambda: (clean(given.draws), f"--draws {given.draws}"),
        "inbox": lambda: (on_inbox(given.draws), f"--draws {given.draws}"),
        "sms": lambda: (
            on_sms(given.path, given.draws, given.nulls),
            f"--draws {given.draws} --nulls {given.nulls} --path sms_spam.parquet",
        ),
        "texts": lambda: (
            on_texts(given.path, given.draws),
            f"--draws {given.draws} --path sms_spam.parquet",
        ),
        "enron": lambda: (
            on_enron(given.path, given.nulls),
            f"--nulls {given.nulls} --path enron_spam.parquet",
        ),
    }
    cells, options = made[given.part]()
    found = {
        "command": f"python benchmarks/detection_look.py {given.part} {options}",
        "cells": [{**asdict(one), "seconds": round(one.seconds, 3)} for one in cells],
    }
    parts = renewed(given.to / "detection_look.json", given.part, found, PARTS)
    (given.to / "detection_look.md").write_text(markdown(parts), encoding="utf-8")
    print(markdown(parts))


if __name__ == "__main__":
    main()
