"""A pair that cannot be transplanted is known from its settings, with the reason."""

from crossover.protocol.component import component
from crossover.study.transplantable import comparable

LR = "crossover.model.logistic_regression.LogisticRegression"
SVM = "crossover.model.linear_svm.LinearSvm"


def test_a_pair_is_judged_from_its_settings_before_anything_is_fitted(tiny_model):
    encoder = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": str(tiny_model)}
    probe = component("crossover.model.probe.Probe", {"encoder": encoder})
    word = {"word": {"_target_": "crossover.model.features.word_tfidf.WordTfidf"}}
    char = {"word": {"_target_": "crossover.model.features.char_tfidf.CharTfidf"}}
    assert comparable(component(LR), component(SVM, {"features": word, "C": 3.0})) == ""
    assert comparable(probe, probe.with_settings(C=7.0)) == ""
    assert "same features" in comparable(component(LR), component(SVM, {"features": char}))
    assert "same features" in comparable(component(LR), probe)
    assert "same features" in comparable(probe, probe.with_settings(encoder={**encoder, "max_length": 32}))
    assert comparable(component("crossover.model.majority.Majority"), component(LR)).startswith("majority is")
