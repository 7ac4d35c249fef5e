"""Does the leakage study price a leak, hold its level where none is, and tell only unlike parts apart?

At the level of arrays: clusters of rows, ten repartitions with two models each, whose errors move with the
model and with cluster and model, and a known gain of a cluster that was seen. With learners, on generated
mail: senders who say nothing of the class (no leak to price), near-duplicate campaigns with true labels, with
labels that are wrong for a whole campaign (only memory can know them) and wrong row by row (memory misleads).
Train told from test after random grouped cuts, and after cuts by time with planted drift; and the balance
findings of the split's audit as one family.

    python benchmarks/detection_leakage.py --nulls 1000 --cuts 1000 --studies 200 --power 40

writes detection_leakage.json and .md to results/published/. ``--only arrays`` renews one table of a file that
is there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from crossover.data.corpus import Corpus
from crossover.data.flaw.campaign import Campaign
from crossover.data.flaw.label_noise import LabelNoise
from crossover.data.flaw.spike import Spike
from crossover.data.flaw.time_shift import TimeShift
from crossover.data.inbox import Inbox
from crossover.look.duplicates import duplicate_clusters
from crossover.measure.crossed_mean import crossed_mean
from crossover.measure.interval import clopper_pearson
from crossover.measure.predictions import Predictions
from crossover.model.naive_bayes import NaiveBayes
from crossover.protocol.component import component
from crossover.record.run_record import RunRecord
from crossover.split.audit import audit
from crossover.split.grouped import Grouped
from crossover.split.split import Split
from crossover.split.stratified import Stratified
from crossover.split.temporal import Temporal
from crossover.study.leakage import LeakageStudy
from crossover.study.leakage_answer import answer, told_apart

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
REPARTITIONS, MARGIN = 10, 0.005
DESIGNS = {
    "40 clusters of 2": (40, 2, 2),
    "150 clusters of 2 to 12": (150, 2, 12),
    "12 of 5 to 40": (12, 5, 40),
    "8 of 200": (8, 200, 200),
}
GAINS = (0.0, 0.02, 0.05, 0.1, 0.2)
CAMPAIGNS = (0.0, 0.1, 0.2, 0.4)
LABELS = ("true", "wrong by campaign", "wrong by row")
WRONG = 0.3
NOISE = 0.2
ARM = {"bayes": component("crossover.model.naive_bayes.NaiveBayes")}

Row = dict[str, Any]


def rate(hits: float, repeats: int) -> dict[str, float]:
    """A share with its Clopper-Pearson limits."""
    low, high = clopper_pearson(float(hits), float(repeats))
    return {"rate": hits / repeats, "low": float(low), "high": float(high), "n": repeats}


def simulated(rng: np.random.Generator, design: tuple[int, int, int], gain: float) -> np.ndarray:
    """(values, draws, clusters) of seen less unseen over the test rows of ten repartitions, as columns.

    A fifth of the rows is tested; half as many rows as lie in clusters have no copy and differ by nothing.
    """
    count, least, most = design
    cluster = np.repeat(np.arange(count), rng.integers(least, most + 1, count))
    hard, easy = rng.random(len(cluster)), rng.uniform(0.6, 0.98, count)
    columns = []
    for draw in range(REPARTITIONS):
        tested = rng.random(len(cluster)) < 0.2
        leaked = np.isin(cluster, cluster[~tested]) & tested
        on_left = (rng.permutation(count) < count / 2)[cluster]
        model = 0.01 * rng.standard_normal(2)[:, None] + 0.08 * rng.standard_normal((2, count))
        chance = easy[cluster] + model[:, cluster]
        right = [hard < chance[side] + gain * (on_left == (side == 0)) for side in (0, 1)]
        seen, unseen = np.where(on_left, right[0], right[1]), np.where(on_left, right[1], right[0])
        alone = int(tested.sum() / 2)
        values = np.concatenate([(seen.astype(float) - unseen)[leaked], np.zeros(alone)])
        units = np.concatenate([cluster[leaked], count + rng.integers(10_000, size=alone)])
        columns.append(np.stack([values, np.full(len(values), draw), units]))
    return np.concatenate(columns, axis=1)


def arrays(repeats: int) -> list[Row]:
    """Answers by design and gain; the truth of the cost is its mean over 4,000 draws of the design."""
    rows = []
    for name, design in DESIGNS.items():
        for gain in GAINS:
            rng, said, held, costs = np.random.default_rng([len(rows), 7]), Counter[str](), 0, []
            found = []
            for _ in range(repeats):
                values, draws, units = simulated(rng, design, gain)
                found.append(crossed_mean(values, draws.astype(np.int64), units.astype(np.int64)))
                costs.append(found[-1].mean)
                said[answer(found[-1], MARGIN, 0.95)] += 1
            truth = 0.0 if gain == 0 else float(np.mean(costs))
            for mean in found:
                low, high = mean.interval(0.95) or (mean.mean, mean.mean)
                held += low <= truth <= high
            rows.append({
                "design": name, "gain": gain, "cost": truth, "covers": rate(held, repeats),
                **{kind: rate(said[kind], repeats) for kind in ("costs", "hurts", "no_matter")},
            })  # fmt: skip
    return rows


def answered(study: LeakageStudy) -> Any:
    """The study's verdict, each run fitted here and kept in memory."""
    corpora = {c.fingerprint: c for c in (study.corpus, *study.more_corpora)}
    splits = {s.fingerprint: s for s in study.more_splits}
    records = {s.digest: ran(corpora[s.corpus], splits[s.split], s) for s in study.plan({})}
    return study.conclude(records)


def ran(corpus: Corpus, split: Split, spec: Any) -> RunRecord:
    """A record with the test predictions of naive Bayes."""
    train, test = corpus.rows(split.train), corpus.rows(split.test)
    model = NaiveBayes().fit(train.texts, train.labels, corpus.classes)
    record = RunRecord(spec, {}, {}, "0" * 64)
    record.__dict__["predictions"] = Predictions(
        split.test, ("test",) * len(test), tuple(test.labels), corpus.classes, model.predict_proba(test.texts)
    )
    return record


def study_of(corpus: Corpus, **changes: Any) -> LeakageStudy:
    """A leakage study of naive Bayes on random cuts of this corpus."""

    def cut(seed: int) -> Split:
        return Stratified(validation=0.0, group_duplicates="none", seed=seed).split(corpus)

    settings = {"repartitions": REPARTITIONS, "metric": "accuracy", "resplit": cut, "margin": MARGIN}
    return LeakageStudy(corpus, cut(0), ARM, **{**settings, **changes})


def mislabelled(corpus: Corpus, how: str, seed: int) -> Corpus:
    """The corpus with 3 in 10 labels of campaign rows made another class: a whole campaign, or row by row."""
    if how == "true":
        return corpus
    rng, classes = np.random.default_rng(seed), list(corpus.classes)
    cluster = duplicate_clusters(corpus.ids, corpus.texts)
    moved = {name: rng.random() < WRONG for name in sorted(set(cluster.values()))}
    labels = list(corpus.labels)
    for row, id_ in enumerate(corpus.ids):
        if id_ in cluster and (moved[cluster[id_]] if how == "wrong by campaign" else rng.random() < WRONG):
            labels[row] = classes[(classes.index(str(labels[row])) + 1) % len(classes)]
    meta = {name: (kind, corpus.meta_values(name)) for name, kind in corpus.meta.items()}
    return Corpus.from_columns(corpus.name, corpus.texts, labels, corpus.card, corpus.ids, meta)


def senders(repeats: int, rows: int = 400) -> Row:
    """Mail with labels wrong by chance, siblings by sender: errors enough, and nothing to price."""
    said, held, told = Counter[str](), 0, 0
    for seed in range(repeats):
        flaw = {"planted": LabelNoise(strength=NOISE, seed=seed)}
        corpus = Inbox(rows=rows, seed=1_000 + seed, flaw=flaw).load()
        verdict = answered(study_of(corpus, stratum="group:sender"))
        arm = verdict.numbers["arms"]["bayes"]
        said[arm["answer"]] += 1
        held += arm["delta"]["low"] is None or arm["delta"]["low"] <= 0 <= arm["delta"]["high"]
        told += verdict.numbers["apart"]["bayes"]["p"] <= 0.05
    return {"rows": rows, "covers": rate(held, repeats), "told": rate(told, repeats),
            **{kind: rate(said[kind], repeats) for kind in ("costs", "hurts", "no_matter")}}  # fmt: skip


def campaigns(repeats: int, rows: int = 1_200) -> list[Row]:
    """Near-duplicate campaigns of several strengths and kinds of label."""
    found = []
    for how in LABELS:
        for strength in CAMPAIGNS:
            if strength == 0 and how != "true":
                continue
            said, intervals, shares = Counter[str](), [], []
            for seed in range(repeats):
                flaw = {"planted": Campaign(strength=strength, seed=seed)}
                corpus = mislabelled(Inbox(rows=rows, seed=2_000 + seed, flaw=flaw).load(), how, seed)
                arm = answered(study_of(corpus)).numbers["arms"]["bayes"]
                said[arm["answer"]] += 1
                shares.append(arm.get("share", {}).get("in_train", 0.0))
                if "delta" in arm and arm["delta"]["low"] is not None:
                    intervals.append([arm["delta"][name] for name in ("mean", "low", "high")])
            table = np.array(intervals).reshape(-1, 3)
            mean = float(table[:, 0].mean()) if len(table) else None
            held = 0 if mean is None else int(((table[:, 1] <= mean) & (mean <= table[:, 2])).sum())
            found.append({
                "labels": how, "strength": strength, "share": float(np.mean(shares)), "delta": mean,
                "covers": rate(held, len(table)) if len(table) else None,
                **{kind: rate(said[kind], repeats) for kind in ("costs", "hurts", "no_matter", "none")},
            })  # fmt: skip
    return found


def parts(nulls: int, repeats: int, rows: int = 500) -> list[Row]:
    """How often naive Bayes tells train from test: random grouped cuts, and cuts by time with drift."""

    def told(corpus: Corpus, split: Split) -> bool:
        study = LeakageStudy(corpus, split, ARM, metric="accuracy")
        runs = {s.digest: ran(study.parts_corpus, study.halves[h], s)
                for h in (0, 1) for s in [study.part_spec("bayes", h)]}  # fmt: skip
        return bool(told_apart(study, runs)["bayes"]["p"] <= 0.05)  # type: ignore[operator]

    def counted(name: str, strength: float, make: Callable[[int], tuple[Corpus, Split]], many: int) -> Row:
        hits = sum(told(*make(seed)) for seed in range(many))
        return {"cut": name, "strength": strength, "told": rate(hits, many)}

    def grouped(seed: int) -> tuple[Corpus, Split]:
        flaw = {"planted": Campaign(strength=0.3, campaigns=8, seed=seed)}
        corpus = Inbox(rows=rows, seed=seed, flaw=flaw).load()
        return corpus, Grouped([], validation=0.0, seed=seed, tolerance=0.3).split(corpus)

    def by_time(flaw: Callable[[int], Any]) -> Callable[[int], tuple[Corpus, Split]]:
        def make(seed: int) -> tuple[Corpus, Split]:
            corpus = Inbox(rows=1_500, seed=3_000 + seed, flaw={"planted": flaw(seed)}).load()
            return corpus, Temporal("time", validation=0.0, tolerance=0.5).split(corpus)

        return make

    found = [counted("random, campaigns dealt whole", 0.3, grouped, nulls)]
    for strength in (0.0, 0.2, 0.4, 0.6, 0.8):
        shift = by_time(
            lambda seed, s=strength: TimeShift(
                strength=s, column="label", value="phishing", since="2024-08-01", seed=seed
            )
        )
        found.append(counted("by time, label shift", strength, shift, repeats))
    for strength in (0.1, 0.3, 0.6, 0.9):
        spike = by_time(lambda seed, s=strength: Spike(strength=s, since="2024-09-01", days=60, seed=seed))
        found.append(counted("by time, a word for 60 days", strength, spike, repeats))
    return found


def balance(nulls: int, rows: int = 400) -> list[Row]:
    """Any alarm among the balance findings of a page, on random cuts: by row, and with groups whole."""
    found = []
    for name, make in (
        ("rows at random", lambda seed: Stratified(validation=0.0, group_duplicates="none", seed=seed)),
        ("senders whole", lambda seed: Grouped(["sender"], validation=0.0, seed=seed, tolerance=0.3)),
    ):
        hits = 0
        for seed in range(nulls):
            corpus = Inbox(rows=rows, seed=5_000 + seed % 50).load()
            findings = audit(corpus, make(seed).split(corpus), kinds=[])
            hits += any(f.p_value is not None and f.severity != "info" for f in findings)
        found.append({"cut": name, "rows": rows, "alarms": rate(hits, nulls)})
    return found


def page(found: Row) -> str:
    """The tables as Markdown."""

    def cell(value: dict[str, float] | None) -> str:
        return "-" if value is None else f"{value['rate']:.3f}"

    def limits(value: dict[str, float]) -> str:
        return f"{value['rate']:.3f} [{value['low']:.3f}, {value['high']:.3f}] of {value['n']:,}"

    made = list(dict.fromkeys(found["commands"].values()))
    lines = ["# Leakage: right and wrong answers", "", *[f"- `{command}`" for command in made], ""]
    if "arrays" in found:
        lines += [
            "## Arrays", "",
            f"{REPARTITIONS} repartitions, margin {MARGIN:g}. Gain: by how much a cluster that was seen is "
            "right more often. At a gain of 0 `costs` and `hurts` are false.", "",
            "| clusters | gain | cost | interval covers | costs | hurts | of no matter |", "|---" * 7 + "|",
        ]  # fmt: skip
        lines += [
            f"| {r['design']} | {r['gain']:g} | {r['cost']:.4f} | {cell(r['covers'])} | {cell(r['costs'])} | "
            f"{cell(r['hurts'])} | {cell(r['no_matter'])} |"
            for r in found["arrays"]
        ]
        worst = max((r["costs"] for r in found["arrays"] if r["gain"] == 0), key=lambda one: one["rate"])
        lines += ["", f"False `costs`, at worst: {limits(worst)}.", ""]
    if "senders" in found:
        own = found["senders"]
        lines += [
            "## Nothing to price: siblings by sender", "",
            f"{own['rows']} mails, a fifth of the labels wrong by chance, naive Bayes; senders say "
            "nothing of the class. False `costs`: "
            f"{limits(own['costs'])}; false `hurts`: {limits(own['hurts'])}; of no matter "
            f"{cell(own['no_matter'])}; the interval holds 0 in {cell(own['covers'])}; train told from test: "
            f"{limits(own['told'])}.", "",
        ]  # fmt: skip
    if "campaigns" in found:
        lines += [
            "## Planted campaigns", "",
            "1,200 mails, naive Bayes; 3 in 10 labels of campaign rows wrong where said. Difference: mean "
            "over studies of accuracy seen less unseen; covers: intervals that hold that mean.", "",
            "| labels of campaigns | strength | share with a copy in train | difference | covers | costs | "
            "hurts | of no matter | nothing leaks |", "|---" * 9 + "|",
        ]  # fmt: skip
        for r in found["campaigns"]:
            delta = "-" if r["delta"] is None else f"{r['delta']:.3f}"
            lines.append(
                f"| {r['labels']} | {r['strength']:g} | {r['share']:.3f} | {delta} | {cell(r['covers'])} | "
                f"{cell(r['costs'])} | {cell(r['hurts'])} | {cell(r['no_matter'])} | {cell(r['none'])} |"
            )
        lines += ["", f"{found['campaigns'][0]['costs']['n']} studies a row.", ""]
    if "parts" in found:
        lines += ["## Train told from test (P <= .05)", "", "| cut | strength | told |", "|---|---|---|"]
        lines += [f"| {r['cut']} | {r['strength']:g} | {limits(r['told'])} |" for r in found["parts"]]
        lines.append("")
    if "balance" in found:
        lines += ["## Any balance finding of a page alarms", "", "| cut | alarms |", "|---|---|"]
        lines += [f"| {r['cut']}, {r['rows']} mails | {limits(r['alarms'])} |" for r in found["balance"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, write both files, print the tables."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--nulls", type=int, default=1_000)
    options.add_argument("--cuts", type=int, default=1_000)
    options.add_argument("--studies", type=int, default=200)
    options.add_argument("--power", type=int, default=40)
    options.add_argument("--only", nargs="*")
    options.add_argument("--to", type=Path, default=PUBLISHED)
    given = options.parse_args()
    file = given.to / "detection_leakage.json"
    found: Row = json.loads(file.read_text(encoding="utf-8")) if given.only and file.exists() else {}
    sizes = f"--nulls {given.nulls} --cuts {given.cuts} --studies {given.studies} --power {given.power}"
    tables: dict[str, Callable[[], Any]] = {
        "arrays": lambda: arrays(given.nulls),
        "senders": lambda: senders(given.studies),
        "campaigns": lambda: campaigns(given.power),
        "parts": lambda: parts(given.cuts, given.power),
        "balance": lambda: balance(given.cuts),
    }
    for name in given.only or tables:
        began = time.process_time()
        found[name] = tables[name]()
        only = f" --only {name}" if given.only else ""
        found.setdefault("commands", {})[name] = f"python benchmarks/detection_leakage.py {sizes}{only}"
        found.setdefault("seconds", {})[name] = round(time.process_time() - began, 1)
    given.to.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (given.to / "detection_leakage.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
