"""Many seeds at once: 16 fine-tunings side by side, against one Trainer run after another.

    python benchmarks/bench_many_seeds.py --data sms_spam.parquet              on a machine with a large GPU
    python benchmarks/bench_many_seeds.py --device cpu --tiny                  a check that it runs, no figure

Same training and test rows, batch size, number of steps, schedule and dtype on every side, MiniLM loaded
anew for each run of the rivals as a user's loop would. A round of each side in alternation; macro-F1 on the
test rows beside the seconds. Writes bench_many_seeds.json into the folder --to; without CUDA it says "not
measured" and why, unless told --device cpu.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_rounds import Timing, alternate, headline, machine, ratio, times, write
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from crossover.data.inbox import Inbox
from crossover.data.table_file import TableFile
from crossover.model import runtime
from crossover.model.encoder.encoder import Encoder, locate
from crossover.model.finetune import Finetune
from crossover.model.many_seeds import Stack, seeds_together, train_together
from crossover.model.trained_stacks import fresh_stack
from crossover.model.training_loop import Network, predict_logits, train

LENGTH, TARGET = 128, 8.0


@dataclass
class Task:
    """Rows, settings, and the macro-F1 of each seed that each side left behind."""

    texts: list[str]
    gold: list[int]
    test: list[str]
    test_gold: list[int]
    steps: int
    batch: int
    seeds: int
    device: str
    tiny: bool
    macro_f1: dict[str, list[float]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Classes among the rows."""
        return len({*self.gold, *self.test_gold})

    def note(self, side: str, logits: Sequence[np.ndarray]) -> None:
        """Keep the quality of one round."""
        predicted = [table.argmax(1) for table in logits]
        self.macro_f1[side] = [float(f1_score(self.test_gold, p, average="macro")) for p in predicted]

    def model(self, dtype: str) -> Finetune:
        """Our settings; only the steps are this benchmark's."""
        return Finetune(
            Encoder(max_length=LENGTH),
            epochs=1,
            min_steps=0,
            steps=self.steps,
            batch_size=self.batch,
            dtype=dtype,
        )

    def network(self, model: Finetune, seed: int) -> Network:
        """A fresh network, MiniLM's weights and a head by seed."""
        network = model._network(True, self.classes, seed)
        if self.tiny:
            del network.module.encoder.layer[1:]  # type: ignore[union-attr, operator]
            network.backbone.config.num_hidden_layers = 1
        return network

    def together(self, dtype: str, compiled: bool) -> Callable[[], None]:
        """All seeds in one training."""

        def work() -> None:
            model = self.model(dtype)
            seeds = seeds_together(0, 0, self.seeds)
            with runtime.use(runtime.Runtime(device=self.device)):
                model.present_ = tuple(map(str, range(self.classes)))
                stack = (
                    Stack(self.network(model, s) for s, _ in seeds)
                    if self.tiny
                    else fresh_stack(model, seeds)
                )
                tokens = stack.pattern.backbone.tokenize(self.texts, LENGTH)
                recipe = model._recipe(len(tokens))
                train_together(stack, tokens, self.gold, recipe, seeds, compiled=compiled)
                test = stack.pattern.backbone.tokenize(self.test, LENGTH)
                made = [predict_logits(stack.member(k), test, dtype) for k in range(self.seeds)]
            self.note(f"together {dtype}{' compiled' * compiled}", made)

        return work

    def one_by_one(self, dtype: str) -> Callable[[], None]:
        """Our plain loop, a seed at a time."""

        def work() -> None:
            model, made = self.model(dtype), []
            with runtime.use(runtime.Runtime(device=self.device)):
                for seed in range(self.seeds):
                    network = self.network(model, seed)
                    tokens = network.backbone.tokenize(self.texts, LENGTH)
                    train(network, tokens, self.gold, model._recipe(len(tokens)), seed, seed)
                    made.append(predict_logits(network, network.backbone.tokenize(self.test, LENGTH), dtype))
            self.note(f"plain loop {dtype}", made)

        return work

    def trainer(self, dtype: str) -> Callable[[], None]:
        """Transformers' Trainer, a seed at a time."""

        def work() -> None:
            self.note(f"Trainer {dtype}", [self._trainer_logits(dtype, seed) for seed in range(self.seeds)])

        return work

    def _trainer_logits(self, dtype: str, seed: int) -> np.ndarray:
        folder = str(locate("minilm"))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        layers = {"num_hidden_layers": 1} if self.tiny else {}
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=self.classes, **layers)
        with tempfile.TemporaryDirectory() as out:
            settings = TrainingArguments(
                output_dir=out, max_steps=self.steps, per_device_train_batch_size=self.batch, seed=seed,
                per_device_eval_batch_size=256, learning_rate=5e-5, warmup_steps=round(0.1 * self.steps),
                weight_decay=0.01, bf16=dtype == "bfloat16", use_cpu=self.device == "cpu", report_to="none",
                save_strategy="no", logging_strategy="no", disable_tqdm=True,
            )  # fmt: skip
            own = Trainer(
                model, settings, processing_class=tokenizer,
                train_dataset=encoded(tokenizer, self.texts, self.gold),
            )  # fmt: skip
            own.remove_callback(PrinterCallback)
            own.train()
            return np.asarray(own.predict(encoded(tokenizer, self.test, self.test_gold)).predictions)


def encoded(tokenizer: object, texts: list[str], gold: list[int]) -> list[dict[str, object]]:
    """Rows as Trainer wants them."""
    rows = tokenizer(texts, truncation=True, max_length=LENGTH)  # type: ignore[operator]
    return [{**{name: rows[name][k] for name in rows}, "labels": label} for k, label in enumerate(gold)]


def read(data: Path | None, rows: int, test_rows: int) -> tuple[list[str], list[int], list[str], list[int]]:
    """Training and test rows by a seeded draw, labels as columns."""
    wanted = rows + test_rows
    corpus = (
        Inbox(rows=wanted).load()
        if data is None
        else TableFile(path=str(data), text="text", label="label").load()
    )
    order = np.random.default_rng(0).permutation(len(corpus))[:wanted]
    texts = [corpus.texts[k] for k in order]
    gold = [corpus.classes.index(str(corpus.labels[k])) for k in order]
    return texts[:rows], gold[:rows], texts[rows:], gold[rows:]


def graphics() -> dict[str, object]:
    """The GPU and its rate of bf16 matrix products (TFLOP/s, the limit); empty without one."""
    if not torch.cuda.is_available():
        return {}
    a = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    rates = []
    for _ in range(10):
        torch.cuda.synchronize()
        began = time.perf_counter()
        a @ a
        torch.cuda.synchronize()
        rates.append(2e-12 * 8192**3 / (time.perf_counter() - began))
    return {"gpu": torch.cuda.get_device_name(), "tflops_bfloat16": max(rates)}


def table(result: dict[str, object], timings: dict[str, Timing], task: Task) -> str:
    """Seconds and quality of each side as Markdown."""
    lines = [f"| {task.seeds} seeds, {task.steps} steps of {task.batch} | seconds | macro-F1 | ours faster |"]
    lines.append("|---|---|---|---|")
    faster = result["faster"]
    for side, timing in timings.items():
        scores = task.macro_f1[side]
        times = f"{faster[side]['ratio']:.1f}x" if side in faster else ""  # type: ignore[operator, index]
        seconds = statistics.median(timing.seconds)
        lines.append(f"| {side} | {seconds:.1f} | {statistics.mean(scores):.3f} | {times} |")
    return "\n".join(lines)


def sides(task: Task, given: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """The contenders asked for, ours first."""
    made = {
        "together bfloat16": task.together("bfloat16", False),
        "together bfloat16 compiled": task.together("bfloat16", True),
        "together float32": task.together("float32", False),
        "plain loop bfloat16": task.one_by_one("bfloat16"),
        "Trainer bfloat16": task.trainer("bfloat16"),
        "Trainer float32": task.trainer("float32"),
    }
    return {name: work for name, work in made.items() if name in given.sides.split(",")}


def measure(given: argparse.Namespace, device: str) -> dict[str, object]:
    """Both sides in alternation."""
    rows = 16 if given.tiny else given.rows
    task = Task(
        *read(given.data, rows, 8 if given.tiny else given.test_rows),
        steps=2 if given.tiny else -(-given.epochs * rows // given.batch),
        batch=given.batch,
        seeds=given.seeds,
        device=device,
        tiny=given.tiny,
    )
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Two steps of two seeds: libraries are loaded and kernels chosen before the clock runs.
        for work in sides(replace(task, steps=2, seeds=2), given).values():
            work()
        timings = alternate(sides(task, given), rounds=given.rounds, warm_up=False, again=0)
    ours = next(iter(timings))
    result: dict[str, Any] = {
        "measured": device == "cuda" and not given.tiny,
        "rows": rows,
        "steps": task.steps,
        "batch": task.batch,
        "seeds": task.seeds,
        "target": TARGET,
        "machine": {**machine(), **graphics()},
        "timings": {side: timing.to_json() for side, timing in timings.items()},
        "faster": {side: ratio(timings, ours, side) for side in timings if side != ours},
        "macro_f1": task.macro_f1,
    }
    rivals = [side for side in result["faster"] if side.startswith("Trainer")]
    best = min(rivals, key=lambda side: result["faster"][side]["ratio"])
    found = result["faster"][best]
    result["headlines"] = [_headline(f"{times(found)} against {best}", found["ratio"] >= TARGET)]
    result["table"] = table(result, timings, task)
    print(result["table"])
    return result


def _headline(measured: str, met: bool | None) -> dict[str, object]:
    return headline("16 seeds of MiniLM side by side on one GPU", measured, f"{TARGET:g}x", met)


def main() -> None:
    """Measure, or say why not, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="parquet or csv with text, label columns; else a made inbox"
    )
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--test-rows", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--tiny", action="store_true", help="one layer, 16 rows, 2 steps: does it run?")
    parser.add_argument(
        "--sides",
        default="together bfloat16,together float32,plain loop bfloat16,Trainer bfloat16,Trainer float32",
        help="also: together bfloat16 compiled",
    )
    parser.add_argument("--to", type=Path, help="folder for bench_many_seeds.json")
    given = parser.parse_args()
    named = f"--data {given.data.name} " if given.data else ""
    result: dict[str, object] = {"command": f"python benchmarks/bench_many_seeds.py {named}".strip()}
    if given.device != "cpu" and not torch.cuda.is_available():
        why = "not measured: torch sees no CUDA device; the target is set for one large GPU"
        print(why)
        result |= {"measured": False, "why": why, "target": TARGET, "headlines": [_headline(why, None)]}
    else:
        result |= measure(given, "cpu" if given.device == "cpu" else "cuda")
    if given.tiny:
        return  # a check has no figure to publish
    write(result, "bench_many_seeds", given.to)


if __name__ == "__main__":
    main()
