"""Plain corpora to plant flaws in, and what each flaw of conf/flaw may touch and must leave behind."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from commands_given import WORDS
from toy import CARD

from crossover.data.corpus import Corpus
from crossover.data.flaw import planting
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.vitamin import Vitamin
from crossover.data.inbox import Inbox
from crossover.protocol.component import build, component

CONF = Path(__file__).resolve().parents[1] / "conf" / "flaw"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
GROUNDS = {"inbox": 900, "letters": 500}
"""Plain corpora and their rows: generated mail, and another corpus made by hand."""

CLASSES = ["ad_spam", "drug_spam", "good", "phishing"]
DIGIT = re.compile(r"\d")
Row = dict[str, object]


def flaw_of(name: str, **changes: object) -> Flaw:
    """The flaw of a yaml, with other settings."""
    settings = {**yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")), **changes}
    flaw = build(component(str(settings.pop("_target_")), settings))
    assert isinstance(flaw, Flaw)
    return flaw


@cache
def letters(rows: int = GROUNDS["letters"], named: bool = True) -> Corpus:
    """Text that is no mail: some labels, times and regions missing, some texts twice, no votes."""
    rng = np.random.default_rng(0)
    texts: list[str] = []
    for row in range(rows):
        words = [str(word) for word in rng.choice(WORDS, int(rng.integers(3, 60)))]
        words[1] = ["Grüße", "№ 12", "12,50 €", words[1]][row % 4]
        texts.append(texts[-7] if row % 40 == 39 else "\n".join([" ".join(words[:2]), " ".join(words[2:])]))
    start, often = datetime(2023, 7, 1), rng.random(rows)
    days = [float(day) for day in rng.uniform(0, 580, rows)]
    times = [f"{(start + timedelta(days=day)).isoformat(timespec='seconds')}+00:00" for day in days]
    return Corpus.from_columns(
        "letters",
        texts,
        [None if often[row] < 0.05 else str(rng.choice(CLASSES)) for row in range(rows)],
        CARD,
        [f"letter-{row:03d}" for row in range(rows)] if named else None,
        {
            "region": ("category", [[None, "africa", "europe"][row % 3] for row in range(rows)]),
            "written": ("time", [None if often[row] > 0.96 else times[row] for row in range(rows)]),
            "pages": ("number", [None if row % 9 == 0 else row / 7 for row in range(rows)]),
        },
    )


def planted(ground: str, flaws: dict[str, Flaw] | None, rows: int = 0) -> Corpus:
    """A ground with flaws planted."""
    rows = rows or GROUNDS[ground]
    if ground == "inbox":
        return Inbox(rows=rows, flaw=flaws).load()
    return planting.planted(letters(rows), flaws)


@cache
def plain(ground: str) -> Corpus:
    """The ground as it is planted at strength zero."""
    return planted(ground, {name: flaw_of(name) for name in NAMES} if ground == "letters" else None)


@cache
def single(ground: str, name: str, strength: float, seed: int = 0) -> Corpus:
    """The ground with the flaw of one yaml."""
    return planted(ground, {name: flaw_of(name, strength=strength, seed=seed)})


def rows_of(corpus: Corpus) -> dict[str, Row]:
    """Every row by id, its time also under ``time``."""
    times = [column for column, kind in corpus.meta.items() if kind == "time"]
    return {str(row["id"]): {**row, "time": row[times[0]] or ""} for row in corpus.table.to_pylist()}


def span(corpus: Corpus, days: int = 14) -> tuple[str, str]:
    """The middle of the corpus' times, and some days later."""
    if "written" in corpus.meta:
        times = sorted(str(row["time"]) for row in rows_of(corpus).values() if row["time"])
    else:
        times = ["2023-01-01T00:00:00+00:00", "2024-12-31T00:00:00+00:00"]
    first, last = datetime.fromisoformat(times[0]), datetime.fromisoformat(times[-1])
    seconds = int((last - first).total_seconds()) // 2
    middle = first + timedelta(seconds=seconds)
    return middle.isoformat(), (middle + timedelta(days=days)).isoformat()


ELIGIBLE: dict[str, Callable[[Row, str, str], bool]] = {
    "campaign": lambda row, middle, end: row["label"] is not None,
    "campaign_start": lambda row, middle, end: row["label"] == "ad_spam" and str(row["time"]) >= "2024-07-01",
    "dropped_digits": lambda row, middle, end: str(row["time"]) >= middle and has_digit(row["text"]),
    "footer": lambda row, middle, end: row["label"] == "good",
    "growing_slice": lambda row, middle, end: row["region"] == "africa" and "" < str(row["time"]) < middle,
    "label_noise": lambda row, middle, end: row["label"] is not None,
    "label_shift": lambda row, middle, end: row["label"] == "phishing" and "" < str(row["time"]) < middle,
    "merged_classes": lambda row, middle, end: row["label"] == "drug_spam",
    "meta_columns": lambda row, middle, end: False,
    "signature": lambda row, middle, end: row["label"] == "phishing",
    "spear_phishing": lambda row, middle, end: row["label"] == "phishing",
    "spike": lambda row, middle, end: middle <= str(row["time"]) < end,
    "split_class": lambda row, middle, end: row["label"] == "good",
    "vitamin": lambda row, middle, end: row["label"] in ("ad_spam", "drug_spam"),
}
"""Which rows the flaw of each yaml may touch, said anew: a new flaw adds its line here."""


@cache
def eligible(ground: str, name: str) -> set[str]:
    """The ids of the plain rows that a flaw may touch."""
    middle, end = span(plain(ground))
    return {id_ for id_, row in rows_of(plain(ground)).items() if ELIGIBLE[name](row, middle, end)}


def has_digit(text: object) -> bool:
    """Whether a text holds a digit of any script."""
    return DIGIT.search(str(text)) is not None


@dataclass(frozen=True)
class Step:
    """One planted cell: what stood there before this step and after it."""

    flaw: str
    id: str
    column: str
    before: str
    after: str
    detail: str


def steps(corpus: Corpus) -> Iterator[Step]:
    """Every planted cell of single rows, with the value that each step left."""
    assert corpus.truth is not None
    now = rows_of(corpus)
    for line in reversed(corpus.truth.of_rows().to_pylist()):
        row, column = now[line["id"]], line["column"]
        yield Step(line["flaw"], line["id"], column, line["before"], str(row[column]), line["detail"])
        row[column] = line["before"]


LEAVES: dict[str, Callable[[Step], bool]] = {
    "campaign": lambda step: step.column == "text" and step.detail.split("/")[0] in (*CLASSES, "loan_spam"),
    "campaign_start": lambda step: step.column == "text" and step.detail.split("/")[0] == "ad_spam",
    "dropped_digits": lambda step: (
        step.after == DIGIT.sub("", step.before)
        and step.detail == f"{len(step.before) - len(step.after)} digits"
    ),
    "footer": lambda step: step.after == f"{step.before}\n{flaw_of('footer').line}",
    "growing_slice": lambda step: step.column in ("time", "written") and step.before < step.after,
    "label_noise": lambda step: step.column == "label" and step.before != step.after,
    "label_shift": lambda step: step.column in ("time", "written") and step.before < step.after,
    "merged_classes": lambda step: (step.before, step.after) == ("drug_spam", "ad_spam"),
    "meta_columns": lambda step: False,
    "signature": lambda step: step.after == f"{step.before}\nMarit Oduya-Brandt\nEastbridge Office",
    "spear_phishing": lambda step: step.after.startswith("Subject: ") and step.before != step.after,
    "spike": lambda step: step.after.replace(" equinox", "", 1) == step.before,
    "split_class": lambda step: (step.before, step.after) == ("good", "good_2"),
    "vitamin": lambda step: (
        step.column == "votes" if step.detail == "contested" else step.after.startswith("Subject: ")
    ),
}
"""What one planted cell of the flaw of each yaml looks like."""

REPLACING = tuple(name for name in NAMES if flaw_of(name).stage == Vitamin.stage)
"""The flaws that replace a text."""
