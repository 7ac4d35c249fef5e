"""Runs of a study whose model trains many seeds together: their seeds fill stacks, one training a stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy import bayes, toy_store

from crossover.launch.in_process import InProcess
from crossover.model import many_seeds, trained_stacks
from crossover.model.many_seeds import seeds_together
from crossover.protocol.component import Component, component
from crossover.record.store import Store
from crossover.study.grid import Design
from crossover.study.seed_variance import SeedVarianceStudy
from crossover.study.study import run


def tuned(folder: Path, together: int | None) -> Component:
    encoder = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": str(folder), "max_length": 16}
    settings = {"encoder": encoder, "min_steps": 3, "max_steps": 3, "together": together}
    return component("crossover.model.finetune.Finetune", settings)


def seeds(model: Component, count: int, draw: int = 0) -> list[int]:
    design = Design("corpus", "split", "macro_f1", "inside", count, "natural", 16)
    specs = design.specs(model, 50, draw, 1, None)
    assert all(spec.seeds.initialisation == spec.seeds.order for spec in specs)
    return [spec.seeds.order for spec in specs]


def test_the_seeds_of_a_cell_are_whole_stacks_and_each_cell_has_its_own(tmp_path: Path) -> None:
    model = tuned(tmp_path, 4)
    found = seeds(model, 10)
    for start in (0, 4, 8):
        block = found[start : start + 4]
        company = [seed for seed, _ in seeds_together(block[0], block[0], 4)]
        assert block == company[: len(block)]
    assert len(set(found)) == 10 and not set(found) & set(seeds(model, 10, draw=1))
    assert found[:6] == seeds(model, 6), "more seeds of a cell leave the first as they were"


def test_a_model_trained_alone_keeps_the_seeds_it_always_had(tmp_path: Path) -> None:
    assert seeds(bayes(), 3) == [992586156, 1278122298, 1428670592]
    assert len({seed - seed % 4 for seed in seeds(tuned(tmp_path, None), 4)}) == 4


@pytest.mark.slow
def test_a_seed_variance_study_trains_a_stack_once_and_resumes_with_the_same_bits(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    real = many_seeds.train_together

    def counted(stack: many_seeds.Stack, *others: object, **named: object) -> object:
        trained.append(stack.size)
        return real(stack, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(many_seeds, "train_together", counted)
    trained_stacks.forget()
    store, corpus, split = toy_store(tmp_path / "store", 300)
    arms = {"finetune": tuned(tiny_model, 3)}
    asked = SeedVarianceStudy(
        corpus, split, arms, metric="accuracy", draws=2, seeds=3, size=40, crossed_draws=1, test_rows=40
    )
    result = run(asked, InProcess(threads=1), store)
    assert not result.failures and len(result.records) == 2 * 3 + 6
    assert trained == [3] * 4, "two draws, and the two shifts of orders against seeds that a crossing adds"
    assert len({r.predictions.probabilities.tobytes() for r in result.records.values()}) == 12
    again = Store(tmp_path / "again")
    again.save_corpus(corpus)
    again.save_split(split)
    trained_stacks.forget()
    last = asked.plan({})[5]
    (outcome,) = InProcess(threads=1).launch([last], again)
    assert outcome.record is not None
    np.testing.assert_array_equal(
        outcome.record.predictions.probabilities, result.records[last.digest].predictions.probabilities
    )
