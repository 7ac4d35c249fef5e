r"""Fine-tuning: ours against transformers' Trainer, examples a second at batch 16, and what both learn.

    python benchmarks/bench_finetune.py --data sms_spam.parquet
    python benchmarks/bench_finetune.py --data sms_spam.parquet --test-rows 100 --rounds 1 --steps 2 \
        --quality-steps 2 --seeds 2                                                 does it run?

The same 800 training rows, batch size, number of steps, length limit, learning rate, warm-up, weight decay,
clipping and dropout rates on every side; MiniLM. Timed is training alone, tokenized and loaded beforehand, in
alternation; prediction of 1,500 rows apart. Macro-F1 on these after --quality-steps steps over paired seeds,
each side's model loaded anew, differences tested for equivalence (two one-sided tests, margin one point).
Our rows with frozen layers (what they make of a text is kept after the warm-up) and with adapters do less
and are told beside, not compared. Prints a table.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_many_seeds import encoded, read
from bench_rounds import AGAIN, Timing, alternate, headline, machine, ratio, times, write
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from crossover.measure.paired import equivalence_over_draws
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder, locate
from crossover.model.finetune import Finetune
from crossover.model.training_loop import Network, predict_logits, train

LENGTH, BATCH, MARGIN = 128, 16, 0.01
DTYPES = ("float32", "bfloat16")
TARGETS = {"float32": 4.0, "bfloat16": 2.5}
VARIANTS: dict[str, dict[str, Any]] = {
    "ours": {},
    "ours, 3 layers frozen": {"freeze_layers": 3},
    "ours, adapters": {"lora_rank": 8, "learning_rate": 1e-3},
}


@dataclass
class Task:
    """Rows and settings; ``macro_f1`` of each seed that each side leaves behind."""

    texts: list[str]
    gold: list[int]
    test: list[str]
    test_gold: list[int]
    steps: int
    macro_f1: dict[str, list[float]] = field(default_factory=dict)

    def model(self, dtype: str, steps: int, changes: Mapping[str, Any]) -> Finetune:
        """Our settings; only the steps are this benchmark's."""
        model = Finetune(
            Encoder(max_length=LENGTH),
            epochs=1,
            min_steps=0,
            max_steps=steps,
            steps=steps,
            batch_size=BATCH,
            dtype=dtype,
            **changes,
        )
        model.classes_ = model.present_ = tuple(str(k) for k in sorted({*self.gold, *self.test_gold}))
        return model

    def ours(self, dtype: str, changes: Mapping[str, Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """Training a network that is there, and predicting with it."""
        model = self.model(dtype, self.steps, changes)
        network = model._trainable(0)
        tokens, test = (network.backbone.tokenize(texts, LENGTH) for texts in (self.texts, self.test))
        recipe = model._recipe(len(tokens))
        return (
            lambda: train(network, tokens, self.gold, recipe),
            lambda: predict_logits(network, test, dtype),
        )

    def our_quality(self, side: str, dtype: str, changes: Mapping[str, Any], steps: int, seeds: int) -> None:
        """Macro-F1 of one training a seed."""
        model, scores = self.model(dtype, steps, changes), []
        for seed in range(seeds):
            network: Network = model._trainable(seed)
            tokens, test = (network.backbone.tokenize(texts, LENGTH) for texts in (self.texts, self.test))
            train(network, tokens, self.gold, model._recipe(len(tokens)), seed, seed)
            scores.append(self._score(predict_logits(network, test, dtype)))
        self.macro_f1[side] = scores

    def trainer(self, dtype: str, steps: int, seed: int, folder: str) -> tuple[Trainer, Any]:
        """A Trainer with its model loaded, and the test rows as it reads them."""
        source = str(locate("minilm"))
        tokenizer = AutoTokenizer.from_pretrained(source)
        torch.manual_seed(seed)
        classes = len({*self.gold, *self.test_gold})
        model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=classes)
        settings = TrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=BATCH, seed=seed,
            per_device_eval_batch_size=32, learning_rate=5e-5, warmup_steps=max(1, round(0.1 * steps)),
            weight_decay=0.01, bf16=dtype == "bfloat16", use_cpu=True, report_to="none",
            save_strategy="no", logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        made = Trainer(
            model, settings, processing_class=tokenizer,
            train_dataset=encoded(tokenizer, self.texts, self.gold),
        )  # fmt: skip
        made.remove_callback(PrinterCallback)
        return made, encoded(tokenizer, self.test, self.test_gold)

    def trainer_quality(self, side: str, dtype: str, steps: int, seeds: int) -> None:
        """Macro-F1 of one training a seed."""
        scores = []
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(seeds):
                made, test = self.trainer(dtype, steps, seed, folder)
                made.train()
                scores.append(self._score(np.asarray(made.predict(test).predictions)))
        self.macro_f1[side] = scores

    def _score(self, logits: np.ndarray) -> float:
        return float(f1_score(self.test_gold, logits.argmax(1), average="macro"))


def arithmetic(texts: list[str], examples: int) -> float:
    """Floating-point operations of training on so many of these texts: their own tokens, there and back."""
    backbone = load_backbone(Encoder(max_length=LENGTH))
    maps = sum(m.weight.numel() for m in backbone.module.modules() if isinstance(m, torch.nn.Linear))
    layers, lengths = int(backbone.config.num_hidden_layers), map(len, backbone.tokenize(texts, LENGTH))
    one_pass = sum(2 * maps * n + 4 * layers * backbone.dim * n * n for n in lengths)
    return 3.0 * one_pass * examples / len(texts)


def speed(task: Task, rounds: int) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """Training and prediction of every side, in alternation."""
    training: dict[str, Callable[[], Any]] = {}
    predicting: dict[str, Callable[[], Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for dtype in DTYPES:
            for name, changes in VARIANTS.items():
                side = f"{name} {dtype}"
                training[side], predicting[side] = task.ours(dtype, changes)
            made, test = task.trainer(dtype, task.steps, 0, folder)
            training[f"Trainer {dtype}"] = made.train
            predicting[f"Trainer {dtype}"] = partial(made.predict, test)
        again = AGAIN if rounds > 1 else 0
        return alternate(training, rounds, again=again), alternate(predicting, rounds, False, again)


def quality(task: Task, steps: int, seeds: int) -> dict[str, Any]:
    """Macro-F1 of every side and seed, and ours against Trainer's, pair by pair."""
    for dtype in DTYPES:
        for name, changes in VARIANTS.items():
            task.our_quality(f"{name} {dtype}", dtype, changes, steps, seeds)
        task.trainer_quality(f"Trainer {dtype}", dtype, steps, seeds)
    told = {}
    for dtype in DTYPES:
        pairs = zip(task.macro_f1[f"ours {dtype}"], task.macro_f1[f"Trainer {dtype}"], strict=True)
        found = equivalence_over_draws([own - theirs for own, theirs in pairs], MARGIN)
        told[dtype] = {**asdict(found), "sentence": found.sentence}
    return told


def told(task: Task, timings: Mapping[str, Timing], limit: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each side's rate, and its share of what the machine's products allow where it does all of them."""
    examples = BATCH * task.steps
    work = arithmetic(task.texts, examples)
    sides: dict[str, dict[str, Any]] = {}
    for side, timing in timings.items():
        seconds = statistics.median(timing.seconds)
        rate = float(limit["gflops_bfloat16" if side.endswith("bfloat16") else "gflops_float32"])
        whole = side.startswith(("ours f", "ours b", "Trainer"))
        sides[side] = {
            **timing.to_json(examples),
            "examples_a_second": examples / seconds,
            "of_the_limit": 1e-9 * work / seconds / rate if whole else None,
        }
    return sides


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"| batch {BATCH}, {result['steps']} steps a round | examples/s | ours faster | of the limit "
        f"| seconds to predict {result['test_rows']} | macro-F1, {result['seeds']} seeds |",
        "|---|---|---|---|---|---|",
    ]
    for side, one in result["sides"].items():
        faster = result["faster"].get(side)
        share = "" if one["of_the_limit"] is None else f"{one['of_the_limit']:.0%}"
        scores = result["macro_f1"][side]
        lines.append(
            f"| {side} | {one['examples_a_second']:.0f} | {times(faster) if faster else ''} | {share} "
            f"| {result['prediction'][side]['median_seconds']:.2f} "
            f"| {statistics.mean(scores):.4f} ({min(scores):.4f} to {max(scores):.4f}) |"
        )
    lines += ["", *(f"{dtype}: {found['sentence']}." for dtype, found in result["equivalence"].items())]
    return "\n".join(lines)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="parquet or csv with text, label columns")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--test-rows", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="a round")
    parser.add_argument("--quality-steps", type=int, default=80, help="a seed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--to", type=Path, help="folder for bench_finetune.json")
    given = parser.parse_args()
    task = Task(*read(given.data, given.rows, given.test_rows), steps=given.steps)
    quality_steps = given.quality_steps
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training, prediction = speed(task, given.rounds)
        equivalent = quality(task, quality_steps, given.seeds)
    limit = machine()
    result: dict[str, Any] = {
        "command": f"python benchmarks/bench_finetune.py --data {given.data.name}",
        "machine": limit,
        "rows": given.rows,
        "test_rows": given.test_rows,
        "steps": given.steps,
        "quality_steps": quality_steps,
        "seeds": given.seeds,
        "sides": told(task, training, limit),
        "prediction": {side: timing.to_json(given.test_rows) for side, timing in prediction.items()},
        "faster": {f"Trainer {d}": ratio(training, f"ours {d}", f"Trainer {d}") for d in DTYPES},
        "faster_prediction": {f"Trainer {d}": ratio(prediction, f"ours {d}", f"Trainer {d}") for d in DTYPES},
        "macro_f1": task.macro_f1,
        "equivalence": equivalent,
    }
    result["headlines"] = [
        headline(
            f"fine-tune: ours against Trainer, {dtype}",
            f"{times(result['faster'][f'Trainer {dtype}'])}, {equivalent[dtype]['sentence']}",
            f"{target:g}x, equal macro-F1",
            result["faster"][f"Trainer {dtype}"]["ratio"] >= target and equivalent[dtype]["equivalent"],
        )
        for dtype, target in TARGETS.items()
    ]
    write(result, "bench_finetune", given.to)
    print(table(result))


if __name__ == "__main__":
    main()
