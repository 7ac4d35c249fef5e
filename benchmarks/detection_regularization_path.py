"""Does the regularization path find planted features, and how often does it keep noise?

Columns: the inbox's four meta columns (two that say the same, one useful, one of noise; flaw/meta_columns)
written as numbers for one class of 16%, beside 60 more columns of noise: how often the telling columns and
how often noise columns are stable, by strength. Words: a signature in a share of one class of generated mail:
how often its words turn on first and are stable. Nulls: the labels of that mail shuffled: words called
stable, against the bounds.

    python benchmarks/detection_regularization_path.py --nulls 200 --repeats 50 --mail 20

writes detection_regularization_path.json and .md to results/published/.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from crossover.data.flaw.signature import Signature
from crossover.data.inbox import Inbox
from crossover.measure.interval import clopper_pearson
from crossover.measure.stability_selection import expected_false, expected_false_unimodal
from crossover.model.features.declared_meta import DeclaredMeta
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.l1_path import SHARE, TURNS_ON, L1Path

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
STRENGTHS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
SIGNED = (0.02, 0.05, 0.1, 0.2, 0.4)
ROWS, PAIRS, THRESHOLD, CLASS_SHARE = 500, 50, 0.9, 0.16
COLUMNS = ("useful", "pair one", "pair two", "noise")
OTHERS = tuple(f"other {k}" for k in range(60))
SIGNATURE = ("marit", "oduya", "brandt", "eastbridge")

Row = dict[str, Any]


def rate(hits: int, repeats: int) -> dict[str, float]:
    """A share with its Clopper-Pearson limits."""
    low, high = clopper_pearson(float(hits), float(repeats))
    return {"rate": hits / repeats, "low": float(low), "high": float(high), "n": repeats}


def stable(model: L1Path) -> set[str]:
    """Names, without their block, of the features at or above the threshold."""
    kept = model.history_[-1]
    return {
        key.removeprefix(SHARE).partition(": ")[2]
        for key, share in kept.items()
        if key.startswith(SHARE) and share >= THRESHOLD
    }


def columns(strength: float, repeats: int) -> Row:
    """How often each meta column is stable, and any telling one."""
    count = dict.fromkeys(("useful", "either of the pair", "noise", "any noise"), 0)
    for seed in range(repeats):
        rng = np.random.default_rng([seed, int(1_000 * strength)])
        hit = rng.random(ROWS) < CLASS_SHARE
        told, pair = 2 * strength * hit, rng.standard_normal(ROWS)
        near = pair + 0.1 * rng.standard_normal(ROWS)
        values = [told + rng.standard_normal(ROWS), told + pair, told + near]
        values += [rng.standard_normal(ROWS) for _ in range(1 + len(OTHERS))]
        names = [*COLUMNS, *OTHERS]
        meta = {name: list(map(float, column)) for name, column in zip(names, values, strict=True)}
        model = L1Path({"meta": DeclaredMeta(number=names)}, pairs=PAIRS, threshold=THRESHOLD, seed=seed)
        labels = np.where(hit, "phishing", "rest").tolist()
        found = stable(model.fit(["-"] * ROWS, labels, ["phishing", "rest"], None, meta))
        count["useful"] += "useful" in found
        count["either of the pair"] += bool(found & {"pair one", "pair two"})
        count["noise"] += "noise" in found
        count["any noise"] += bool(found - set(COLUMNS[:3]))
    return {"strength": strength, **{name: rate(hits, repeats) for name, hits in count.items()}}


def mail(seed: int, strength: float) -> tuple[list[str], list[str]]:
    """Texts and labels, phishing against the rest."""
    flaw = {"signature": Signature(strength=strength, label="phishing", seed=seed)} if strength else None
    corpus = Inbox(rows=ROWS, seed=seed, flaw=flaw).load()
    return corpus.texts, ["phishing" if label == "phishing" else "rest" for label in corpus.labels]


def fitted(texts: list[str], labels: list[str], seed: int) -> L1Path:
    """The path over words."""
    words = {"word": WordTfidf(ngram_max=1, min_df=2)}
    model = L1Path(words, ratio=0.2, pairs=PAIRS, threshold=THRESHOLD, seed=seed)
    return model.fit(texts, labels, ["phishing", "rest"])


def signed(strength: float, repeats: int) -> Row:
    """How often a word of the signature turns on first, and how often all four are stable."""
    first = kept = 0
    for seed in range(repeats):
        model = fitted(*mail(seed, strength), seed)
        entry = next(e for e in model.history_ if any(key.startswith(TURNS_ON) for key in e))
        first += any(f"{TURNS_ON}word: {word}" in entry for word in SIGNATURE)
        kept += set(SIGNATURE) <= stable(model)
    return {"strength": strength, "first": rate(first, repeats), "stable": rate(kept, repeats)}


def shuffled(repeats: int) -> Row:
    """Words called stable where labels say nothing, against the bounds on their number."""
    counts, worst, unimodal = [], [], []
    for seed in range(repeats):
        texts, labels = mail(seed, 0.0)
        model = fitted(texts, np.random.default_rng(seed).permutation(labels).tolist(), seed)
        kept = model.history_[-1]
        counts.append(len(stable(model)))
        worst.append(expected_false(kept["chosen"], int(kept["columns"]), THRESHOLD))
        sharper = expected_false_unimodal(kept["chosen"], int(kept["columns"]), THRESHOLD, PAIRS)
        unimodal.append(np.nan if sharper is None else sharper)
    return {
        "mean": float(np.mean(counts)), "any": rate(int(np.sum(np.array(counts) > 0)), repeats),
        "bound": float(np.mean(worst)), "unimodal": float(np.nanmean(unimodal)),
    }  # fmt: skip


def reached(rows: list[Row], name: str, wanted: float = 0.9) -> float | None:
    """Strength at which this is found 90% of the time, by linear interpolation."""
    for before, after in itertools.pairwise(rows):
        low, high = before[name]["rate"], after[name]["rate"]
        if low < wanted <= high:
            step = after["strength"] - before["strength"]
            return float(before["strength"] + step * (wanted - low) / (high - low))
    return None


def measured(nulls: int, repeats: int, letters: int) -> Row:
    """Every table."""
    began = time.process_time()
    meta = [columns(strength, repeats if strength else nulls) for strength in STRENGTHS]
    each = (time.process_time() - began) / (nulls + repeats * (len(STRENGTHS) - 1))
    words = [signed(strength, letters) for strength in SIGNED]
    began_mail = time.process_time()
    return {
        "command": "python benchmarks/detection_regularization_path.py "
        f"--nulls {nulls} --repeats {repeats} --mail {letters}",
        "columns": meta,
        "words": words,
        "shuffled": shuffled(letters),
        "seconds a study of columns": round(each, 3),
        "seconds a study of words": round((time.process_time() - began_mail) / letters, 2),
        "seconds": round(time.process_time() - began, 1),
    }


def page(found: Row) -> str:
    """The tables as Markdown."""
    one, other = found["seconds a study of columns"], found["seconds a study of words"]
    lines = [
        "# Regularization path: planted features found, noise kept", "",
        f"`{found['command']}`, {found['seconds']:g} s of CPU; a study takes {one:g} s (columns), {other:g} "
        f"s (words). {ROWS} rows, {PAIRS} complementary pairs, stable from {THRESHOLD:g}.", "",
        "## Columns", "",
        "A telling column differs by 2 x strength standard deviations between the class and the rest. Share "
        "of studies in which it is stable.", "",
        "| strength | n | useful | either of the pair | noise | any of 61 of noise |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in found["columns"]:
        cells = " | ".join(f"{row[name]['rate']:.3f}" for name in ("useful", "either of the pair"))
        limits = " | ".join(
            f"{row[name]['rate']:.3f} [{row[name]['low']:.3f}, {row[name]['high']:.3f}]"
            for name in ("noise", "any noise")
        )
        lines.append(f"| {row['strength']:g} | {row['noise']['n']} | {cells} | {limits} |")
    at = _at(found["columns"], "useful")
    lines += ["", f"The useful column is stable 90% of the time from strength {at}.", "", "## Words", "",
              "Strength: share of the class's mail that is signed.", "",
              "| strength | n | the signature turns on first | all its words stable |",
              "|---|---|---|---|"]  # fmt: skip
    for row in found["words"]:
        first, kept = row["first"], row["stable"]
        lines.append(f"| {row['strength']:g} | {first['n']} | {first['rate']:.2f} | {kept['rate']:.2f} |")
    null = found["shuffled"]
    seldom = null["any"]
    lines += [
        "", f"All its words are stable 90% of the time from strength {_at(found['words'], 'stable')}.", "",
        f"Labels shuffled: {null['mean']:.3f} words stable on average, at most {null['bound']:.2f} by the "
        f"bound that always holds and {null['unimodal']:.2f} by the unimodal one; any at all in "
        f"{seldom['rate']:.3f} [{seldom['low']:.3f}, {seldom['high']:.3f}] of {seldom['n']} corpora.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _at(rows: list[Row], name: str) -> str:
    strength = reached(rows, name)
    return "beyond those tried" if strength is None else f"{strength:.2f}"


def main() -> None:
    """Simulate, write both files, print the tables."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--nulls", type=int, default=200)
    options.add_argument("--repeats", type=int, default=50)
    options.add_argument("--mail", type=int, default=20)
    options.add_argument("--to", type=Path, default=PUBLISHED)
    given = options.parse_args()
    found = measured(given.nulls, given.repeats, given.mail)
    given.to.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, allow_nan=False)
    (given.to / "detection_regularization_path.json").write_text(text + "\n", encoding="utf-8")
    (given.to / "detection_regularization_path.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
