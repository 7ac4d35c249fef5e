"""Component: what may be built, how settings are normalised, what is refused and how."""

import pytest

from crossover.data.bad_input import BadInput
from crossover.protocol import component as module
from crossover.protocol.component import Component, build, component

LR = "crossover.model.logistic_regression.LogisticRegression"


def test_settings_equal_to_their_default_are_left_out() -> None:
    from crossover.model.majority import Majority

    assert component("crossover.model.majority.Majority", {}).settings == {}
    made = component(LR, {"C": 3})
    assert made.settings == {"C": 3.0} and type(made.settings["C"]) is float
    assert isinstance(build(component("crossover.model.majority.Majority")), Majority)


def test_an_unknown_setting_offers_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"no setting 'class_weigth'.*'class_weight'"):
        component(LR, {"class_weigth": "balanced"})


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.Popen.run", "builtins.eval.x", "hydra.utils.instantiate",
        "crossover.data", "crossover.model._private.X", "crossover.model.majority.np",
        "crossover.protocol.component.importlib.import_module", "logging.FileHandler.emit",
    ],
)  # fmt: skip
def test_nothing_outside_the_allowed_packages_is_built(target: str) -> None:
    with pytest.raises(BadInput):
        build(Component(target))


def test_a_stored_component_cannot_widen_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Component.from_json({"target": "json.decoder.JSONDecoder", "settings": {"allow": ["json"]}})
    with pytest.raises(BadInput, match="may not be built"):
        build(stored)
    monkeypatch.setattr(module, "_allowed", ["crossover"])
    module.allow_package("json")
    assert build(Component("json.decoder.JSONDecoder"))


def test_a_class_that_is_only_imported_there_is_refused() -> None:
    with pytest.raises(BadInput, match="is not a class of"):
        build(Component("crossover.model.majority.Classifier"))


def test_text_where_a_number_belongs_is_refused() -> None:
    with pytest.raises(BadInput, match="setting 'C'"):
        component(LR, {"C": "ten"})


def test_json_round_trip_keeps_nested_components() -> None:
    nested = {"word": {"_target_": "crossover.model.features.word_tfidf.WordTfidf", "min_df": 2}}
    made = component(LR, {"features": nested})
    again = Component.from_json(made.to_json())
    assert again.to_json() == made.to_json()
    assert isinstance(again.settings["features"]["word"], Component)


def test_another_behaviour_version_is_refused() -> None:
    with pytest.raises(BadInput, match="behaviour version"):
        build(Component("crossover.model.majority.Majority", {}, version=99))


@pytest.mark.parametrize("setting", ["C", "max_iter", "tol", "seed"])
def test_null_is_refused_where_a_plain_value_is_expected(setting):
    with pytest.raises(BadInput, match=f"{setting}.*null is no"):
        component("crossover.model.logistic_regression.LogisticRegression", {setting: None})
