"""What is added to a verdict when it is written: arms fitted by another system are named as such."""

from types import SimpleNamespace

from crossover.protocol.component import component
from crossover.report.study_report import fitted_elsewhere


def study(**arms):
    return SimpleNamespace(settings=lambda: {"arms": {name: arm.to_json() for name, arm in arms.items()}})


BAYES = component("crossover.model.naive_bayes.NaiveBayes")
OTHER = component("crossover.model.external.External", {"path": "llm.csv"})


def test_predictions_from_elsewhere_are_said_to_be_unseen_from_here() -> None:
    (found,) = fitted_elsewhere(study(bayes=BAYES, llm=OTHER))
    assert found.severity == "info" and found.evidence == {"arms": ["llm"]}
    assert "llm" in found.title and "cannot be seen from here" in found.title


def test_what_is_fitted_here_needs_no_such_word() -> None:
    assert fitted_elsewhere(study(bayes=BAYES)) == []
