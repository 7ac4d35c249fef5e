"""Few labels: a probe and a fine-tuning of ours against SetFit at its defaults, speed beside quality.

    python benchmarks/bench_few_shot.py --data sms_spam.parquet

SetFit (Tunstall et al. 2022) trains the encoder on pairs of texts and a linear head on its vectors. Every
side gets the same rows, --shots of each class, the same MiniLM and the same test rows; the clock takes
loading the model, fitting and predicting. The sides take turns, a draw of rows after the other; the score of
a side is its mean macro-F1 over the draws. Writes bench_few_shot.json into the folder --to.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_rounds import alternate, headline, machine, ratio, times, write
from sklearn.metrics import f1_score

from crossover.data.corpus import Corpus
from crossover.data.table_file import TableFile
from crossover.model.embedding_cache import forget
from crossover.model.encoder.encoder import Encoder, locate
from crossover.model.finetune import Finetune
from crossover.model.probe import Probe
from crossover.split.grouped import Grouped
from crossover.split.nested_subsets import Subset, subset_ids
from crossover.split.split import Split

Predict = Callable[[Sequence[str], Sequence[str], Sequence[str]], Sequence[str]]
RIVAL = "SetFit"


def ours(make: Callable[[], Any], classes: Sequence[str]) -> Predict:
    """A classifier of ours, with nothing cached."""

    def predict(texts: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Sequence[str]:
        forget()
        probabilities = make().fit(texts, labels, classes).predict_proba(test)
        return [classes[k] for k in probabilities.argmax(axis=1)]

    return predict


def setfit(texts: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Sequence[str]:
    """SetFit at its defaults: one epoch over all pairs, logistic regression as head."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel.from_pretrained(str(locate("minilm")), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, report_to="none", save_strategy="no", show_progress_bar=False
        )
        rows = Dataset.from_dict({"text": list(texts), "label": list(labels)})
        Trainer(model=model, args=settings, train_dataset=rows).train()
    return [str(label) for label in model.predict(list(test), show_progress_bar=False)]


class Task:
    """The rows of each draw, and the scores that the sides leave behind."""

    def __init__(self, corpus: Corpus, split: Split, shots: int, test_rows: int) -> None:
        self.corpus, self.split, self.shots = corpus, split, shots
        self.test, self.gold = self._rows(split.test[:test_rows])
        self.scores: dict[str, list[float]] = {}

    def _rows(self, ids: Sequence[str]) -> tuple[list[str], list[str]]:
        places = [self.corpus.row_of[id_] for id_ in ids]
        return [self.corpus.texts[k] for k in places], [str(self.corpus.labels[k]) for k in places]

    def work(self, name: str, predict: Predict) -> Callable[[], None]:
        """One round of a side: the next draw."""

        def once() -> None:
            found = self.scores.setdefault(name, [])
            ids = subset_ids(self.corpus, self.split, Subset("per_class", self.shots, len(found), 16))
            found.append(float(f1_score(self.gold, predict(*self._rows(ids), self.test), average="macro")))

        return once


def table(result: Mapping[str, Any]) -> str:
    """Seconds and macro-F1 of each side, as Markdown."""
    lines = ["| side | seconds | macro-F1, mean (SD over draws) | faster than SetFit |", "|---|---|---|---|"]
    for name, timing in result["timings"].items():
        scores = result["macro_f1"][name]
        told = "" if name == RIVAL else times(result["faster"][name])
        quality = f"{np.mean(scores):.3f} ({np.std(scores, ddof=1):.3f})"
        lines.append(f"| {name} | {timing['median_seconds']:.1f} | {quality} | {told} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="parquet or csv with text, label columns")
    parser.add_argument("--shots", type=int, default=16, help="rows of each class")
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5, help="draws of rows")
    parser.add_argument("--to", type=Path, help="folder for bench_few_shot.json")
    given = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    corpus = TableFile(path=str(given.data), text="text", label="label").load()
    task = Task(corpus, Grouped().split(corpus), given.shots, given.test_rows)
    sides = {
        "ours, probe bfloat16": ours(lambda: Probe(Encoder(dtype="bfloat16")), corpus.classes),
        "ours, finetune bfloat16": ours(lambda: Finetune(Encoder(), dtype="bfloat16"), corpus.classes),
        RIVAL: setfit,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work = {name: task.work(name, predict) for name, predict in sides.items()}
        timings = alternate(work, given.rounds, warm_up=False, again=0)
    result: dict[str, Any] = {
        "command": f"python benchmarks/bench_few_shot.py --data {given.data.name}",
        "machine": machine(),
        "shots": given.shots,
        "timings": {name: timing.to_json() for name, timing in timings.items()},
        "faster": {name: ratio(timings, name, RIVAL) for name in timings if name != RIVAL},
        "macro_f1": task.scores,
    }
    result["headlines"] = [
        headline(
            f"few labels: {name} against {RIVAL}, {given.shots} a class",
            f"{times(result['faster'][name])}, macro-F1 {np.mean(task.scores[name]):.3f} "
            f"against {np.mean(task.scores[RIVAL]):.3f}",
            "",
            None,
        )
        for name in result["faster"]
    ]
    write(result, "bench_few_shot", given.to)
    print(table(result))


if __name__ == "__main__":
    main()
