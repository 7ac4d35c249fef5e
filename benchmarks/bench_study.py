"""A whole study: three arms over five sizes and three draws, ours against the same study as a script.

    python benchmarks/bench_study.py --data sms_spam.parquet

Same corpus, split, training rows, test rows, batch size and training steps. The script is what a user would
write: sentence-transformers for the vectors of all texts, scikit-learn's LogisticRegression on them, their
columns standardised, TfidfVectorizer with LogisticRegression, each at our strength, and a transformers
Trainer for each fine-tuning, model loaded anew. Ours runs the same specs through the launcher into a fresh
store: vectors, records, hashes and costs included. Each side once a round, in alternation. Writes
bench_study.json into the folder --to.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_rounds import alternate, headline, machine, ratio, times, write
from sentence_transformers import SentenceTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

from crossover.data.corpus import Corpus
from crossover.data.table_file import TableFile
from crossover.launch.in_process import InProcess
from crossover.model.embedding_cache import forget
from crossover.model.encoder.encoder import locate
from crossover.protocol.component import Component, component
from crossover.record.store import Store
from crossover.split.grouped import Grouped
from crossover.split.nested_subsets import Subset, subset_ids
from crossover.split.split import Split
from crossover.study.grid import Design

ARMS = ("tfidf", "probe", "finetune")
RIVALS = ("script", "script bf16")
BATCH, EPOCHS, FEWEST_STEPS, LENGTH, POOLS = 8, 3, 80, 128, 16
Scores = dict[tuple[str, int, int], float]


@dataclass
class Both:
    """What both sides work on, and the scores and seconds of each arm they leave behind."""

    corpus: Corpus
    split: Split
    sizes: Sequence[int]
    draws: int
    dtype: str
    scores: dict[str, Scores] = field(default_factory=dict)
    arms: dict[str, dict[str, float]] = field(default_factory=dict)

    def rows(self, ids: Sequence[str]) -> tuple[list[str], list[int]]:
        """Texts and class columns."""
        places = [self.corpus.row_of[id_] for id_ in ids]
        labels = [self.corpus.classes.index(str(self.corpus.labels[k])) for k in places]
        return [self.corpus.texts[k] for k in places], labels

    def cells(self) -> list[tuple[int, int, list[str], list[int]]]:
        """Size, draw, training texts and columns."""
        made = []
        for size in self.sizes:
            for draw in range(self.draws):
                ids = subset_ids(self.corpus, self.split, Subset("natural", size, draw, POOLS))
                made.append((size, draw, *self.rows(ids)))
        return made

    def models(self) -> dict[str, Component]:
        """Our arms; the encoder computes in ``dtype``."""
        encoder = component("crossover.model.encoder.encoder.Encoder", {"dtype": self.dtype})
        plain = component("crossover.model.encoder.encoder.Encoder", {})
        tune = {"encoder": plain, "dtype": self.dtype, "batch_size": BATCH, "max_length": LENGTH}
        return {
            "tfidf": component("crossover.model.logistic_regression.LogisticRegression", {}),
            "probe": component("crossover.model.probe.Probe", {"encoder": encoder}),
            "finetune": component("crossover.model.finetune.Finetune", tune),
        }

    def ours(self, arms: Sequence[str]) -> None:
        """The specs of all cells through the launcher, into a fresh store."""
        found: Scores = {}
        forget()
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            store.save_corpus(self.corpus)
            store.save_split(self.split)
            design = Design(
                self.corpus.fingerprint, self.split.fingerprint, "macro_f1", "inside", 1, "natural", POOLS
            )
            for arm, model in self.models().items():
                if arm not in arms:
                    continue
                began = time.perf_counter()
                cells = [(size, draw) for size in self.sizes for draw in range(self.draws)]
                specs = [design.specs(model, size, draw, 1, None)[0] for size, draw in cells]
                for cell, outcome in zip(cells, InProcess().launch(specs, store), strict=True):
                    if outcome.record is None:
                        raise RuntimeError(outcome.error)
                    found[arm, *cell] = float(outcome.record.scores["macro_f1"].value or 0.0)
                self.arms.setdefault("ours", {})[arm] = time.perf_counter() - began
        self.scores["ours"] = found

    def script(self, arms: Sequence[str], bf16: bool = False) -> None:
        """The same by hand."""
        found: Scores = {}
        name = "script bf16" if bf16 else "script"
        test_texts, test_gold = self.rows(self.split.test)
        cells = self.cells()
        for arm in arms:
            began = time.perf_counter()
            if arm == "probe":
                wanted = list(dict.fromkeys([*test_texts, *(t for cell in cells for t in cell[2])]))
                own = SentenceTransformer(str(locate("minilm")), device="cpu")
                vectors = dict(zip(wanted, own.encode(wanted, show_progress_bar=False), strict=True))
            for size, draw, texts, gold in cells:
                if arm == "finetune":
                    predicted = trainer_predicts(texts, gold, test_texts, len(self.corpus.classes), bf16)
                else:
                    if arm == "probe":
                        x, held = np.array([vectors[t] for t in texts]), [vectors[t] for t in test_texts]
                        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
                    else:
                        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
                        x, held = words.fit_transform(texts), words.transform(test_texts)
                        model = LogisticRegression(C=100.0, max_iter=1000)
                    predicted = model.fit(x, gold).predict(held)
                found[arm, size, draw] = float(f1_score(test_gold, predicted, average="macro"))
            self.arms.setdefault(name, {})[arm] = time.perf_counter() - began
        self.scores[name] = found


class Encoded(torch.utils.data.Dataset):
    """Token ids with labels, as Trainer wants them."""

    def __init__(self, encoded: Mapping[str, list[list[int]]], gold: Sequence[int]) -> None:
        self.encoded, self.gold = encoded, gold

    def __len__(self) -> int:
        return len(self.gold)

    def __getitem__(self, k: int) -> dict[str, object]:
        return {**{name: rows[k] for name, rows in self.encoded.items()}, "labels": self.gold[k]}


def trainer_predicts(
    texts: list[str], gold: list[int], test: list[str], classes: int, bf16: bool
) -> np.ndarray:
    """Columns a Trainer predicts for the test texts, by our number of steps."""
    folder = str(locate("minilm"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=classes)
    steps = max(FEWEST_STEPS, -(-EPOCHS * len(texts) // BATCH))
    with tempfile.TemporaryDirectory() as out:
        settings = TrainingArguments(
            output_dir=out, max_steps=steps, per_device_train_batch_size=BATCH, learning_rate=5e-5,
            warmup_steps=round(0.1 * steps), weight_decay=0.01, bf16=bf16, use_cpu=True, report_to="none",
            save_strategy="no", logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(
            model, settings, processing_class=tokenizer,
            train_dataset=Encoded(tokenizer(texts, truncation=True, max_length=LENGTH), gold),
        )  # fmt: skip
        trainer.train()
        held = Encoded(tokenizer(test, truncation=True, max_length=LENGTH), [0] * len(test))
        return np.asarray(trainer.predict(held).predictions).argmax(axis=1)


def curves(scores: Scores, sizes: Sequence[int], draws: int) -> dict[str, list[float]]:
    """Mean score of each arm at each size."""
    arms = dict.fromkeys(arm for arm, _, _ in scores)
    return {arm: [float(np.mean([scores[arm, n, d] for d in range(draws)])) for n in sizes] for arm in arms}


def contradictions(ours: Mapping[str, list[float]], theirs: Mapping[str, list[float]]) -> int:
    """Pairs of arms at a size of which each side says by more than a point that another one leads."""
    pairs = [(a, b) for a, b in combinations(ours, 2)]
    leads = [
        (ours[a][k] - ours[b][k], theirs[a][k] - theirs[b][k]) for a, b in pairs for k in range(len(ours[a]))
    ]
    return sum(x * y < 0 and min(abs(x), abs(y)) > 0.01 for x, y in leads)


def headlines(result: Mapping[str, Any]) -> list[dict[str, object]]:
    """What the target asks: against the script in float32."""
    told = []
    for rival in result["faster"]:
        target = {"script": 5.0}.get(rival)
        against = contradictions(result["macro_f1"]["ours"], result["macro_f1"][rival])
        found = result["faster"][rival]
        measured = f"{times(found)}, {against} contradictions between the curves"
        met = None if target is None else found["ratio"] >= target and not against
        what = f"whole study: ours {result['dtype']} against the {rival}"
        told.append(headline(what, measured, "" if target is None else f"{target:g}x", met))
    return told


def table(result: Mapping[str, Any]) -> str:
    """Seconds of each arm and mean macro-F1 at each size, as Markdown."""
    sizes = result["sizes"]
    lines = ["| side, arm | seconds | " + " | ".join(f"macro-F1 at {n}" for n in sizes) + " |"]
    lines.append("|---" * (2 + len(sizes)) + "|")
    for side, arms in result["macro_f1"].items():
        for arm, curve in arms.items():
            cells = " | ".join(f"{value:.3f}" for value in curve)
            lines.append(f"| {side}, {arm} | {result['seconds_an_arm'][side][arm]:.1f} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Run both sides and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="parquet or csv with text, label columns")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 400, 800])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"], help="of ours")
    parser.add_argument("--rivals", nargs="+", default=list(RIVALS), choices=RIVALS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--to", type=Path, help="folder for bench_study.json")
    given = parser.parse_args()
    corpus = TableFile(path=str(given.data), text="text", label="label").load()
    both = Both(corpus, Grouped().split(corpus), given.sizes, given.draws, given.dtype)
    sides = {
        "ours": lambda: both.ours(given.arms),
        "script": lambda: both.script(given.arms),
        "script bf16": lambda: both.script(given.arms, bf16=True),
    }
    sides = {name: work for name, work in sides.items() if name == "ours" or name in given.rivals}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timings = alternate(sides, rounds=given.rounds, warm_up=False, again=0)
    result: dict[str, Any] = {
        "command": f"python benchmarks/bench_study.py --data {given.data.name} --dtype {given.dtype} "
        f"--rivals {' '.join(repr(name) if ' ' in name else name for name in given.rivals)}",
        "machine": machine(),
        "sizes": given.sizes,
        "draws": given.draws,
        "dtype": given.dtype,
        "timings": {name: timing.to_json() for name, timing in timings.items()},
        "seconds_an_arm": both.arms,
        "faster": {rival: ratio(timings, "ours", rival) for rival in given.rivals},
        "macro_f1": {side: curves(found, given.sizes, given.draws) for side, found in both.scores.items()},
    }
    result["headlines"] = headlines(result)
    write(result, "bench_study", given.to)
    print(table(result))


if __name__ == "__main__":
    main()
