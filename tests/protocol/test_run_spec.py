"""RunSpec: the digest is the run's name, so it may not drift; GOLDEN holds twenty names."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec, Seeds, digest_of
from crossover.split.nested_subsets import Subset

GOLDEN = Path(__file__).with_name("golden_digests.json")
C, S = "0123456789abcdef", "fedcba9876543210"
MODELS = "crossover.model."
ENCODER = {
    "_target_": MODELS + "encoder.encoder.Encoder",
    "name": "minilm",
    "weights_sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer_sha256": "ab" * 32,
}


def twenty() -> dict[str, RunSpec]:
    """One spec for every way a spec can differ."""
    lr = component(MODELS + "logistic_regression.LogisticRegression")
    probe = component(MODELS + "probe.Probe", {"encoder": ENCODER})
    tune = component(MODELS + "finetune.Finetune", {"encoder": ENCODER})
    char = {"char": {"_target_": MODELS + "features.char_tfidf.CharTfidf"}}
    at = Subset("natural", 200, 3, 16)
    return {
        "whole train": RunSpec(C, S, lr),
        "majority": RunSpec(C, S, component(MODELS + "majority.Majority")),
        "naive bayes": RunSpec(C, S, component(MODELS + "naive_bayes.NaiveBayes")),
        "svm": RunSpec(C, S, component(MODELS + "linear_svm.LinearSvm")),
        "subset": RunSpec(C, S, lr, at),
        "another draw": RunSpec(C, S, lr, Subset("natural", 200, 4, 16)),
        "no pools": RunSpec(C, S, lr, Subset("natural", 200, 3)),
        "per class": RunSpec(C, S, lr, Subset("per_class", 8, 0)),
        "metric": RunSpec(C, S, lr, at, metric="mcc"),
        "budget": RunSpec(C, S, lr, at, budget=8),
        "shared": RunSpec(C, S, lr, at, selection="shared"),
        "seeds": RunSpec(C, S, lr, at, seeds=Seeds(5, 6)),
        "order alone": RunSpec(C, S, lr, at, seeds=Seeds(0, 6)),
        "test rows": RunSpec(C, S, lr, at, test_rows=2000),
        "setting": RunSpec(C, S, lr.with_settings(C=3), at),
        "block": RunSpec(
            C, S, component(MODELS + "logistic_regression.LogisticRegression", {"features": char})
        ),
        "probe": RunSpec(C, S, probe, at),
        "pooling": RunSpec(
            C, S, component(MODELS + "probe.Probe", {"encoder": {**ENCODER, "pooling": "cls"}}), at
        ),
        "finetune": RunSpec(C, S, tune, at),
        "from scratch": RunSpec(C, S, tune.with_settings(pretrained=False), at),
    }


def test_twenty_specs_keep_their_names() -> None:
    """A failure here renames every stored run: raise a behaviour_version instead, or mean it."""
    assert {name: spec.digest for name, spec in twenty().items()} == json.loads(GOLDEN.read_text())


def test_specs_that_differ_have_different_names() -> None:
    assert len({spec.digest for spec in twenty().values()}) == 20


@pytest.mark.parametrize("name", sorted(twenty()))
def test_json_round_trip_is_the_same_spec(name: str) -> None:
    spec = twenty()[name]
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again.digest == spec.digest and again.subset == spec.subset and again.seeds == spec.seeds


def test_a_default_said_aloud_changes_no_name() -> None:
    lr = component(MODELS + "logistic_regression.LogisticRegression")
    assert RunSpec(C, S, lr).digest == RunSpec(C, S, lr, None, "macro_f1", 1, "inside", Seeds(), None).digest
    said = component(MODELS + "logistic_regression.LogisticRegression", {"class_weight": None})
    assert RunSpec(C, S, said).digest == RunSpec(C, S, lr).digest


def test_one_and_one_point_nought_are_one_setting() -> None:
    target = MODELS + "logistic_regression.LogisticRegression"
    assert component(target, {"C": 3}).to_json() == component(target, {"C": 3.0}).to_json()


def test_a_family_forgets_seeds_and_draw_and_nothing_else() -> None:
    specs = twenty()
    assert specs["subset"].family == specs["another draw"].family == specs["seeds"].family
    assert len({specs[name].family for name in ("subset", "metric", "budget", "test rows", "setting")}) == 5


def test_interpolation_and_unknown_fields_are_refused() -> None:
    plain = twenty()["subset"].to_json()
    with pytest.raises(BadInput, match="interpolation"):
        RunSpec.from_json({**plain, "metric": "${oc.env:SECRET}"})
    with pytest.raises(BadInput, match="unknown field 'colour'"):
        RunSpec.from_json({**plain, "colour": 1})


def test_a_number_that_is_not_finite_has_no_name() -> None:
    with pytest.raises(BadInput, match="finite"):
        digest_of({"C": [float("nan")]})


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_the_order_of_keys_changes_no_name(plain: dict) -> None:
    assert digest_of(plain) == digest_of(dict(reversed(plain.items())))
    assert digest_of(plain) == digest_of(json.loads(json.dumps(plain)))
