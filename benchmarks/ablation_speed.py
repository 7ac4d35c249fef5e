"""How long an ablation of six feature blocks takes on short texts: 64 coalitions x 5 draws = 320 runs.

    CROSSOVER_DATA=folder python benchmarks/ablation_speed.py

runs the study of conf/study/ablation.yaml on sms_spam (5,574 messages) with fresh stores: once with the
blocks and matrices of a process kept (model/features/block_cache.py), once without, on the number of
processes asked for, one thread each. Both must leave the same predictions, bit for bit. Writes
ablation_speed.json and ablation_speed.md to results/published/. A timing from a busy machine is no timing:
the load average and the CPU time are written beside it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from crossover.data.corpus import Card, Corpus
from crossover.launch.in_process import InProcess
from crossover.model.features import block_cache
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store
from crossover.split.grouped import Grouped
from crossover.study.ablation import AblationStudy
from crossover.study.study import finished

FEATURES = "crossover.model.features."
BLOCKS = {
    "word": {"_target_": f"{FEATURES}word_tfidf.WordTfidf", "ngram_max": 1},
    "pair": {"_target_": f"{FEATURES}word_tfidf.WordTfidf", "ngram_min": 2},
    "char": {"_target_": f"{FEATURES}char_tfidf.CharTfidf"},
    "count": {"_target_": f"{FEATURES}word_counts.WordCounts"},
    "cased": {"_target_": f"{FEATURES}word_tfidf.WordTfidf", "ngram_max": 1, "lowercase": False},
    "surface": {"_target_": f"{FEATURES}surface.Surface"},
}


def make_study(folder: Path, store: Store, draws: int, blocks: int) -> AblationStudy:
    """The study of conf/study/ablation.yaml on sms_spam, its corpus and split kept in the store."""
    table = pq.read_table(folder / "sms_spam.parquet")
    card = Card("SMS Spam Collection", "as published", "CC BY 4.0", "2004-2011", "English text messages")
    corpus = Corpus.from_columns("sms_spam", table["text"].to_pylist(), table["label"].to_pylist(), card)
    split = Grouped().split(corpus)
    store.save_corpus(corpus)
    store.save_split(split)
    features = dict(list(BLOCKS.items())[:blocks])
    model = component("crossover.model.logistic_regression.LogisticRegression", {"features": features})
    return AblationStudy(corpus, split, {"model": model}, draws=draws)


def work(root: Path, plain: Sequence[dict[str, object]], keep: bool) -> None:
    """Run these specs in this process."""
    if not keep:
        block_cache.kept.most = 0
    specs = [RunSpec.from_json(one) for one in plain]
    for outcome in InProcess(threads=1).launch(specs, Store(root)):
        if outcome.record is None:
            raise RuntimeError(outcome.error)


def children_seconds() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(folder: Path, keep: bool, processes: int, draws: int, blocks: int) -> dict[str, object]:
    """Seconds of the runs and of the verdict, and the predictions' hashes."""
    with tempfile.TemporaryDirectory() as root:
        store = Store(root)
        study = make_study(folder, store, draws, blocks)
        specs = study.plan({})
        load, began, burnt = os.getloadavg()[0], time.perf_counter(), children_seconds()
        workers = [
            multiprocessing.get_context("spawn").Process(
                target=work, args=(store.root, [spec.to_json() for spec in specs[k::processes]], keep)
            )
            for k in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            if worker.exitcode:
                raise SystemExit(f"a worker ended with {worker.exitcode}")
        ran, cpu = time.perf_counter() - began, children_seconds() - burnt
        records = finished(specs, store)
        verdict = study.conclude(records)
        whole = time.perf_counter() - began
        return {
            "kept": keep,
            "processes": processes,
            "runs": len(specs),
            "run_seconds": round(ran, 1),
            "conclude_seconds": round(whole - ran, 1),
            "seconds_a_run": round(ran * processes / len(specs), 3),
            "cpu_seconds_a_run": round(cpu / len(specs), 3),
            "load_average_before": round(load, 2),
            "sentence": verdict.sentence,
            "hashes": {digest: record.predictions_sha256 for digest, record in records.items()},
        }


def main() -> None:
    """Time both ways, compare the predictions, write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CROSSOVER_DATA", ".")))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=len(BLOCKS), help="of the six, the first so many")
    parser.add_argument("--out", type=Path, default=Path("results/published"))
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = [timed(asked.data, keep, asked.processes, asked.draws, asked.blocks) for keep in (True, False)]
    hashes = [one.pop("hashes") for one in found]
    same = hashes[0] == hashes[1]
    asked.out.mkdir(parents=True, exist_ok=True)
    report = {"command": "python benchmarks/ablation_speed.py", "same_predictions": same, "timings": found}
    (asked.out / "ablation_speed.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    heads = ("blocks kept", "runs", "processes", "seconds", "seconds a run", "CPU seconds a run")
    heads += ("verdict, seconds", "load average before")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    keys = ("runs", "processes", "run_seconds", "seconds_a_run", "cpu_seconds_a_run", "conclude_seconds")
    for one in found:
        told = ["yes" if one["kept"] else "no", *(str(one[key]) for key in (*keys, "load_average_before"))]
        lines.append(f"| {' | '.join(told)} |")
    lines += ["", f"Same predictions, bit for bit: {'yes' if same else 'NO'}.", "", str(found[0]["sentence"])]
    (asked.out / "ablation_speed.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
