"""Encoding: texts a second, ours against the tools a user would pick, quality beside speed.

    python benchmarks/bench_encode.py --data sms_spam.parquet

Same texts, same MiniLM, one process, a round of each in alternation, model loaded before the clock runs;
tokenizing is inside it, and for ours hashing and the cache in memory too. The vectors of
sentence-transformers at its defaults are the reference: the largest difference of a coordinate, and the least
cosine. The share of the limit is the arithmetic of the real tokens over the matrix-product rate of this
machine in that dtype. Writes bench_encode.json into the folder --to.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from bench_rounds import Timing, alternate, headline, machine, ratio, times, write
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from crossover.data.table_file import TableFile
from crossover.model.embedding_cache import forget
from crossover.model.encoder.backbone import Backbone, load_backbone
from crossover.model.encoder.encoder import Encoder, locate
from crossover.model.encoder.machine_probe import probe

BATCH, SORTED_TOKENS = 32, 4096
Vectors = NDArray[np.float32]
Side = Callable[[Sequence[str]], Vectors]


def ours(dtype: str, budget: int) -> Side:
    """The encoder a probe uses, nothing cached."""
    encoder = Encoder(dtype=dtype, token_budget=budget)

    def work(texts: Sequence[str]) -> Vectors:
        forget()
        return encoder.encode(texts)[0]

    return work


def sentence_transformers(dtype: torch.dtype) -> Side:
    """Its ``encode`` at its defaults (batches of 32, sorted by length)."""
    model = SentenceTransformer(str(locate("minilm")), device="cpu").to(dtype)

    def work(texts: Sequence[str]) -> Vectors:
        made = model.encode(list(texts), show_progress_bar=False, convert_to_tensor=True)
        return made.float().numpy()

    return work


def plain_loop(dtype: torch.dtype, by_length: bool) -> Side:
    """A loop by hand over the transformers module: in the order given, or sorted and by tokens."""
    backbone = load_backbone(Encoder())
    module = backbone.module.to(dtype)

    @torch.inference_mode()
    def work(texts: Sequence[str]) -> Vectors:
        rows = backbone.tokenize(texts)
        found = np.zeros((len(rows), backbone.dim), np.float32)
        for members in _batches([len(row) for row in rows], by_length):
            ids, mask = backbone.collate([rows[k] for k in members])
            given = None if bool(mask.all()) else mask
            hidden = module(input_ids=ids, attention_mask=given).last_hidden_state.float()
            found[members] = _normalised((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        return found

    return work


def openvino(precision: str) -> Side | None:
    """OpenVINO's compiled module over the same sorted batches; None where it is not installed."""
    if importlib.util.find_spec("openvino") is None:
        return None
    import openvino as ov

    backbone = load_backbone(Encoder())
    example = {"input_ids": torch.ones(2, 8, dtype=torch.long), "attention_mask": torch.ones(2, 8).long()}
    model = ov.convert_model(_Hidden(backbone), example_input=example)
    compiled = ov.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    )

    def work(texts: Sequence[str]) -> Vectors:
        rows = backbone.tokenize(texts)
        found = np.zeros((len(rows), backbone.dim), np.float32)
        for members in _batches([len(row) for row in rows], by_length=True):
            ids, mask = backbone.collate([rows[k] for k in members])
            hidden = torch.from_numpy(compiled([ids.numpy(), mask.numpy()])[0]).float()
            found[members] = _normalised((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        return found

    return work


class _Hidden(torch.nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.module = backbone.module

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.module(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state
        return hidden


def _batches(lengths: Sequence[int], by_length: bool) -> list[list[int]]:
    if not by_length:
        return [list(range(k, min(k + BATCH, len(lengths)))) for k in range(0, len(lengths), BATCH)]
    batches: list[list[int]] = []
    for k in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not batches or (len(batches[-1]) + 1) * lengths[k] > SORTED_TOKENS:
            batches.append([])
        batches[-1].append(k)
    return batches


def _normalised(rows: torch.Tensor) -> Vectors:
    made: Vectors = torch.nn.functional.normalize(rows, dim=1).numpy()
    return made


def sides(budget: int) -> dict[str, Side]:
    """Every contender by name; ours in bfloat16 also at the budget this machine's probe recommends."""
    made: dict[str, Side | None] = {
        "ours float32": ours("float32", 512),
        "ours bfloat16": ours("bfloat16", 512),
        f"ours bfloat16, budget {budget}": None if budget == 512 else ours("bfloat16", budget),
        "sentence-transformers float32": sentence_transformers(torch.float32),
        "sentence-transformers bfloat16": sentence_transformers(torch.bfloat16),
        "plain loop float32": plain_loop(torch.float32, by_length=False),
        "sorted loop float32": plain_loop(torch.float32, by_length=True),
        "sorted loop bfloat16": plain_loop(torch.bfloat16, by_length=True),
        "OpenVINO float32": openvino("f32"),
        "OpenVINO bfloat16": openvino("bf16"),
    }
    return {name: side for name, side in made.items() if side is not None}


def arithmetic(texts: Sequence[str]) -> float:
    """Floating-point operations of the texts' own tokens: products of the layers, and attention."""
    backbone = load_backbone(Encoder())
    maps = sum(m.weight.numel() for m in backbone.module.modules() if isinstance(m, torch.nn.Linear))
    layers = int(backbone.config.num_hidden_layers)
    lengths = [len(row) for row in backbone.tokenize(texts)]
    return float(sum(2 * maps * n + 4 * layers * backbone.dim * n * n for n in lengths))


def compare(made: Mapping[str, Vectors], reference: str) -> dict[str, dict[str, float]]:
    """Each side's vectors against the reference's."""
    plain = made[reference]
    length = np.linalg.norm(plain, axis=1)
    told = {}
    for name, vectors in made.items():
        cosine = np.einsum("nd,nd->n", vectors, plain) / (np.linalg.norm(vectors, axis=1) * length)
        told[name] = {"largest_difference": float(abs(vectors - plain).max()), "cosine": float(cosine.min())}
    return told


def table(result: Mapping[str, object], timings: Mapping[str, Timing]) -> str:
    """The figures as Markdown."""
    lines = [
        "| encoder | texts/s | of the limit | cosine at least | ours float32 faster | ours bfloat16 faster |",
        "|---|---|---|---|---|---|",
    ]
    sides_: Mapping[str, Mapping[str, float]] = result["sides"]  # type: ignore[assignment]
    faster: Mapping[str, Mapping[str, Mapping[str, float]]] = result["faster"]  # type: ignore[assignment]
    for name in timings:
        one = sides_[name]
        told = [
            ""
            if name.startswith("ours")
            else "{ratio:.2f}x [{low:.2f}, {high:.2f}]".format(**faster[own][name])
            for own in faster
        ]
        lines.append(
            f"| {name} | {one['texts_a_second']:,.0f} | {one['of_the_limit']:.0%} | {one['cosine']:.5f} "
            f"| {' | '.join(told)} |"
        )
    return "\n".join(lines)


def headlines(result: Mapping[str, object]) -> list[dict[str, object]]:
    """What the targets ask."""
    faster: Mapping[str, Mapping[str, Mapping[str, float]]] = result["faster"]  # type: ignore[assignment]
    sides_: Mapping[str, Mapping[str, float]] = result["sides"]  # type: ignore[assignment]
    exact, quick = faster
    wanted = [
        (quick, "sentence-transformers float32", 6.0, sides_[quick]["cosine"] >= 0.999),
        (quick, "sentence-transformers bfloat16", 2.0, sides_[quick]["cosine"] >= 0.999),
        (exact, "sentence-transformers float32", 1.6, sides_[exact]["largest_difference"] <= 1e-5),
    ]
    told = []
    for own, rival, target, same in wanted:
        found, quality = faster[own][rival], sides_[own]
        near = f"cosine >= {quality['cosine']:.4f}, difference <= {quality['largest_difference']:.0e}"
        what = f"encode: {own} against {rival} encode"
        met = same and found["ratio"] >= target
        told.append(headline(what, f"{times(found)}, {near}", f"{target:g}x", met))
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="parquet or csv with text, label columns")
    parser.add_argument("--texts", type=int, default=2400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--to", type=Path, help="folder for bench_encode.json")
    given = parser.parse_args(arguments)
    texts = list(TableFile(path=str(given.data), text="text", label="label").load().texts)[: given.texts]
    recommended = probe(Encoder())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contenders = sides(recommended.token_budget)
        made = {name: side(texts) for name, side in contenders.items()}
        work = {name: lambda side=side: side(texts) for name, side in contenders.items()}
        timings = alternate(work, given.rounds, warm_up=False)
    limit, operations = machine(), arithmetic(texts)
    quality = compare(made, "sentence-transformers float32")
    told = {
        name: {
            **timing.to_json(len(texts)),
            **quality[name],
            "texts_a_second": len(texts) / statistics.median(timing.seconds),
            "of_the_limit": 1e-9
            * operations
            / statistics.median(timing.seconds)
            / float(str(limit[f"gflops_{'bfloat16' if 'bfloat16' in name else 'float32'}"])),
        }
        for name, timing in timings.items()
    }
    best = min(
        (name for name in timings if name.startswith("ours bfloat16")),
        key=lambda name: statistics.median(timings[name].seconds),
    )
    result: dict[str, object] = {
        "command": f"python benchmarks/bench_encode.py --data {given.data.name}",
        "machine": limit,
        "texts": len(texts),
        "recommended": {"dtype": recommended.dtype, "token_budget": recommended.token_budget},
        "sides": told,
        "faster": {
            own: {rival: ratio(timings, own, rival) for rival in timings if not rival.startswith("ours")}
            for own in ("ours float32", best)
        },
    }
    result["headlines"] = headlines(result)
    write(result, "bench_encode", given.to)
    print(table(result, timings))


if __name__ == "__main__":
    main()
