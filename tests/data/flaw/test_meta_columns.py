"""Four columns of numbers: a pair that says the same, one that helps, one of noise; only the truth tells."""

import numpy as np
import pytest
from planted_rows import GROUNDS, flaw_of, plain, planted, single

from crossover.data.bad_input import BadInput

NAMES = ["score_a", "score_b", "score_c", "score_d"]


def by_role(corpus):
    """Role -> the columns that have it, as numbers."""
    found = {}
    for column, role in corpus.truth.details("meta_columns").items():
        found.setdefault(role, []).append(np.array(corpus.meta_values(column)))
    return found


def told(corpus, column):
    """By how many standard deviations of a column the class lies above the rest."""
    inside = np.array([label == "phishing" for label in corpus.labels])
    return (column[inside].mean() - column[~inside].mean()) / column[~inside].std()


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("strength", [0.5, 1])
def test_the_roles_hold(strength, ground):
    corpus = single(ground, "meta_columns", strength)
    roles = by_role(corpus)
    (one, other), (useful,), (noise,) = roles["redundant"], roles["useful"], roles["noise"]
    for column in (one, other, useful):
        assert told(corpus, column) == pytest.approx(2 * strength, abs=0.4)
    assert abs(told(corpus, noise)) < 0.4
    inside = np.array([label == "phishing" for label in corpus.labels])
    assert np.corrcoef(one, other)[0, 1] > 0.99
    assert (one - other).std() == pytest.approx(0.1, rel=0.2)
    for a, b in ((one, useful), (one, noise), (useful, noise)):
        # Beyond what the class explains the columns know nothing of each other.
        assert abs(np.corrcoef(a[~inside], b[~inside])[0, 1]) < 0.2
        assert np.corrcoef(a, b)[0, 1] < 0.7


@pytest.mark.parametrize("ground", GROUNDS)
def test_at_a_strength_near_zero_none_tells_the_class(ground):
    corpus = single(ground, "meta_columns", 0.001)
    assert all(abs(told(corpus, np.array(corpus.meta_values(name)))) < 0.4 for name in NAMES)
    assert len(by_role(corpus)["redundant"]) == 2, "the pair is redundant all the same"


def test_names_and_order_do_not_tell_the_role():
    seen = {name: set() for name in NAMES}
    for seed in range(25):
        corpus = planted("inbox", {"meta_columns": flaw_of("meta_columns", strength=1, seed=seed)}, 10)
        assert list(corpus.meta)[-4:] == NAMES
        for name, role in corpus.truth.details("meta_columns").items():
            seen[name].add(role)
    assert all(roles == {"redundant", "useful", "noise"} for roles in seen.values())


@pytest.mark.parametrize("ground", GROUNDS)
def test_nothing_else_changes_and_the_columns_are_declared(ground):
    corpus = single(ground, "meta_columns", 1)
    assert {corpus.meta[name] for name in NAMES} == {"number"}
    assert corpus.table.drop_columns(NAMES).equals(plain(ground).table)
    assert corpus.truth.ids("meta_columns") == [] and corpus.truth.table.num_rows == 4
    for name in NAMES:
        values = corpus.meta_values(name)
        assert all(isinstance(value, float) and np.isfinite(value) for value in values)


def test_greater_strength_adds_to_the_same_numbers():
    half, whole = single("inbox", "meta_columns", 0.5), single("inbox", "meta_columns", 1)
    phishing = np.array([label == "phishing" for label in half.labels])
    for name, role in half.truth.details("meta_columns").items():
        gained = np.array(whole.meta_values(name)) - np.array(half.meta_values(name))
        expected = (role != "noise") * 1.0 * phishing
        assert np.abs(gained - expected).max() < 2e-4, "rounded to four places"


def test_another_seed_draws_other_numbers():
    one, other = (single("inbox", "meta_columns", 0.5, seed) for seed in (0, 1))
    assert all(one.meta_values(name) != other.meta_values(name) for name in NAMES)


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        (["a", "b", "c"], "expected four different names"),
        (["a", "b", "c", "c"], "expected four different names"),
        (["a", "b", "c", "d", "d"], "expected four different names"),
        (None, "expected four different names"),
        (["a", "b", "c", "text"], "has a column 'text' already"),
        (["a", "b", "c", "region"], "has a column 'region' already"),
    ],
)
def test_columns_that_cannot_be_added_are_refused(columns, part):
    with pytest.raises(BadInput, match=f"flaw four: .*{part}"):
        planted("inbox", {"four": flaw_of("meta_columns", strength=0.5, columns=columns)}, 20)
