"""What every design promises: stated probabilities that are true, and estimates that rest on them."""

from collections import Counter

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.measure.predictions import Predictions
from crossover.measure.weighted_mean import Drawn, estimate
from crossover.sample.importance import Importance
from crossover.sample.sample import Design, Population, of_corpus, of_run
from crossover.sample.stratified import Stratified
from crossover.sample.uniform import Uniform

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def population(rows: int = 12) -> Population:
    kinds = ["rare" if k % 4 == 0 else "common" for k in range(rows)]
    doubts = [0.05 + (k % 5) ** 2 / 10 for k in range(rows)]
    ids = tuple(f"r{k:03d}" for k in range(rows))
    return Population(ids, {"kind": kinds, "doubt": doubts}, "rows made for tests")


DESIGNS = {
    "uniform": lambda seed, size=5: Uniform(size, seed),
    "proportional": lambda seed, size=5: Stratified(size, "kind", seed=seed),
    "equal": lambda seed, size=5: Stratified(size, "kind", "equal", seed=seed),
    "neyman": lambda seed, size=5: Stratified(size, "kind", "neyman", {"rare": 3, "common": 1}, seed=seed),
    "importance": lambda seed, size=5: Importance(size, "doubt", 0.2, seed),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_the_size_is_as_asked_and_the_same_seed_draws_the_same(name: str) -> None:
    drawn = DESIGNS[name](3).draw(population())
    assert len(drawn) == 5 and len(set(drawn.ids)) == 5
    assert all(0 < pi <= 1 for pi in drawn.inclusion)
    again = DESIGNS[name](3).draw(population())
    assert (again.ids, again.inclusion) == (drawn.ids, drawn.inclusion)
    assert len({DESIGNS[name](seed).draw(population()).ids for seed in range(10)}) > 3
    assert drawn.design["population"] == 12 and drawn.design["settings"]["seed"] == 3


@pytest.mark.parametrize("name", DESIGNS)
def test_a_row_is_drawn_as_often_as_its_probability_says(name: str) -> None:
    times, stated, repeats = Counter(), {}, 3_000
    rows = population()
    for seed in range(repeats):
        drawn = DESIGNS[name](seed).draw(rows)
        times.update(drawn.ids)
        for id_, pi in zip(drawn.ids, drawn.inclusion, strict=True):
            assert stated.setdefault(id_, pi) == pi, "a probability is the design's, not the draw's"
    assert sum(stated.values()) == pytest.approx(5)
    z = [
        (times[id_] - repeats * pi) / np.sqrt(repeats * pi * (1 - pi)) for id_, pi in stated.items() if pi < 1
    ]
    assert len(stated) == 12 and max(abs(v) for v in z) < 4


@pytest.mark.parametrize("name", DESIGNS)
def test_the_estimate_is_unbiased_its_interval_covers_and_the_naive_mean_does_not(name: str) -> None:
    """600 rows whose value goes with doubt and kind; 90 drawn, 400 times."""
    rows = population(600)
    rng = np.random.default_rng(1)
    truth = 3 * np.array(rows.columns["doubt"]) + [4 * (v == "rare") for v in rows.columns["kind"]]
    truth = dict(zip(rows.ids, truth + 0.3 * rng.standard_normal(600), strict=True))
    mean = np.mean(list(truth.values()))
    found: dict[str, list[float]] = {"horvitz_thompson": [], "hajek": [], "naive": []}
    covered = Counter()
    for seed in range(400):
        sample = DESIGNS[name](seed, 90).draw(rows)
        values = np.array([truth[id_] for id_ in sample.ids])
        strata = np.unique(sample.strata, return_inverse=True)[1]
        drawn = Drawn(np.array(sample.inclusion), 600, strata)
        found["naive"].append(values.mean())
        for method in ("horvitz_thompson", "hajek"):
            score = estimate("mean", values, drawn, method)
            found[method].append(score.value)
            covered[method] += score.low <= mean <= score.high
    for method in ("horvitz_thompson", "hajek"):
        spread = np.std(found[method])
        assert abs(np.mean(found[method]) - mean) < 4 * spread / np.sqrt(400) + 0.05 * spread, method
        assert covered[method] / 400 >= 0.93 - 0.01, method  # .93, less a standard error of the simulation
    if name in ("importance", "equal", "neyman"):
        naive = np.array(found["naive"])
        assert abs(naive.mean() - mean) > 1.5 * naive.std(), "the plain mean is off by more than its noise"


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("size", [0, 13])
def test_a_size_that_cannot_be_drawn_is_refused(name: str, size: int) -> None:
    with pytest.raises(BadInput, match=rf"sample\.size={size}"):
        DESIGNS[name](0, size).draw(population())


@pytest.mark.parametrize("name", DESIGNS)
def test_the_whole_population_is_drawn_with_certainty_and_known_exactly(name: str) -> None:
    sample = DESIGNS[name](0, 12).draw(population())
    assert sample.inclusion == pytest.approx([1.0] * 12)
    score = estimate("mean", np.arange(12.0), Drawn(np.array(sample.inclusion), 12))
    assert (score.low, score.value, score.high) == pytest.approx((5.5, 5.5, 5.5))


def corpus() -> Corpus:
    labels = ["a", "b", None, "a", None, "b"]
    days = [f"2020-0{1 + k // 3}-0{k + 1}T00:00:00+00:00" for k in range(6)]
    return Corpus.from_columns(
        "made", [f"text {k}" for k in range(6)], labels, CARD, [f"r{k}" for k in range(6)],
        {"date": ("time", days)},
    )  # fmt: skip


def test_what_is_drawn_from_are_the_rows_without_a_label_or_all() -> None:
    assert of_corpus(corpus()).ids == ("r2", "r4")
    every = corpus().select(["r5", "r0", "r1", "r3"])
    assert of_corpus(every).ids == ("r0", "r1", "r3", "r5"), "in an order of their own"


def test_a_runs_doubts_and_answers_are_columns_of_the_rows_it_scored() -> None:
    scored = Predictions(
        ("r3", "r0"), ("test", "test"), ("a", "a"), ("a", "b"), np.array([[0.3, 0.7], [0.9, 0.1]])
    )
    rows = of_run(corpus(), scored)
    assert rows.ids == ("r0", "r3") and rows.column("predicted") == ["a", "b"]
    assert rows.column("uncertainty") == pytest.approx([0.1, 0.3])
    with pytest.raises(BadInput, match=r"no column 'uncertainty'.*of=RUN"):
        Importance(1).draw(of_corpus(corpus()))


def test_a_sample_of_a_sample_with_unequal_probabilities_is_refused() -> None:
    held = ("inclusion", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    again = Corpus.from_columns("made", list("abcdef"), [None] * 5 + ["x"], CARD, meta={"pi": held})
    with pytest.raises(BadInput, match=r"0\.1 to 0\.5"):
        of_corpus(again)


def test_designs_are_of_the_folder_and_time_is_cut_to_periods() -> None:
    design: Design = Stratified(4, "date", period="month")
    drawn = design.draw(of_corpus(corpus().select(["r0", "r1", "r3", "r5"])))
    assert drawn.strata == ("2020-01", "2020-01", "2020-02", "2020-02")
