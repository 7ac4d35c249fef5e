"""Transplant: the better model's weights put into the worse model's objective.

"They are all just weights": two linear models over the same features differ in numbers only, so
the objective of one can be evaluated at the weights of the other. measure/objective.py has the
mathematics, measure/all_just_weights.py the verdict.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.measure.all_just_weights import CODES, TOLERANCE, code_of
from crossover.measure.objective import LOSSES, Objective
from crossover.model.classifier import Arrays, Classifier, Meta
from crossover.model.linear_classifier import LinearClassifier, Weights
from crossover.model.linear_svm import LinearSvm
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.probe import Probe

Linear = LogisticRegression | LinearSvm | Probe
KINDS = (LogisticRegression, LinearSvm, Probe)

CLOSER = 1e-4
"""Share of the old solver's tolerance that is asked where its own does not settle the matter."""

STEPS_CLOSER = 10_000
"""Solver steps allowed then, at least."""


class Transplant(Classifier):
    """Fits ``old`` and ``new`` on the same rows, predicts like ``new``, weighs it by ``old``'s objective.

    ``history_`` holds one entry: J = mean loss + lambda · |w|²/2 of the old model's objective at
    its own weights (``_old``), at the new model's (``_raw``) and at these with the best scale and
    intercept (``_scaled``: min over s > 0, b of J(s · w_new, b), one s, or one a class where either
    model is one-vs-rest), each with its ``loss`` and ``penalty``; ``loss_new``, the unregularised
    loss to set against ``loss_old``, and ``loss_old_free``, that of the old weights freed in scale
    and intercept; ``gap``, a bound on J - min J at the old model's weights; ``saving``,
    ``tolerance`` and ``verdict``, the place in ``crossover.measure.all_just_weights.CODES`` of what
    the training rows alone say. Exact on these rows: nothing in it is estimated.

    Both models have an intercept. It follows the old objective's rule when J is minimised over it:
    LIBLINEAR's penalises it, logistic regression's does not.

    Args:
        old: the worse model: logistic_regression, linear_svm or probe.
        new: the better one, over the same features.
        seed: handed to both.
    """

    old_: Linear
    new_: Linear

    def __init__(self, old: Classifier, new: Classifier, seed: int = 0) -> None:
        self.old = old
        self.new = new
        self.seed = seed

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Fit both and compare; ``validation`` is not read.

        Raises:
            BadInput: a model that is not linear here, or the two do not read the same features.
        """
        old, new = self._inner(self.old), self._inner(self.new)
        self._begin(texts, labels, classes)
        for model in (old, new):
            model.fit(texts, labels, classes, None, meta)
        _require_same(old, new)
        self.old_, self.new_ = old, new
        for name in {**old.cost_, **new.cost_}:
            self.cost_[name] = old.cost_.get(name, 0.0) + new.cost_.get(name, 0.0)
        self.parameters_ = new.parameters_
        self.history_ = [_numbers(old, new, texts, labels, meta)]
        return self

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes) probabilities of the new model."""
        self._require_fitted()
        self.new_.cost_ = {}
        probabilities = self.new_.predict_proba(texts, meta)
        for name, cost in self.new_.cost_.items():
            self.cost_[name] = self.cost_.get(name, 0.0) + cost
        return probabilities

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """The new model's state: what predictions rest on."""
        self._require_fitted()
        return self.new_.state()

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self.new_ = self._inner(self.new)
        self.new_._begin(self.classes_, self.classes_, self.classes_)
        self.new_.restore(arrays, plain)
        self.parameters_ = self.new_.parameters_

    def _inner(self, model: Classifier) -> Linear:
        if not isinstance(model, KINDS):
            raise BadInput(
                f"Transplant: {type(model).__name__} has no weights that can be put into another model's "
                f"objective; expected {', '.join(kind.__name__ for kind in KINDS)}"
            )
        model = copy.deepcopy(model)
        model.seed = self.seed
        return model


def _require_same(old: Linear, new: Linear) -> None:
    found = [_digest(model) for model in (old, new)]
    if found[0] != found[1]:
        raise BadInput(
            f"Transplant: {type(old).__name__} reads features {found[0]}, {type(new).__name__} {found[1]}; "
            "weights can only be exchanged between models over the same features: give both the same "
            "features (or encoder) settings"
        )


def _digest(model: Linear) -> str:
    """16 hex over everything that turns a text into a row of numbers, as fitted."""
    whole = hashlib.sha256()
    if isinstance(model, Probe):
        settings: object = model.encoder.key()
        arrays: Arrays = {"mean": model.mean_, "scale": model.scale_}
        learned: object = {}
    else:
        blocks = model.features or model._default_features()
        settings = {
            name: [type(block).__qualname__, block.behaviour_version, sorted(vars(block).items())]
            for name, block in blocks.items()
        }
        arrays, learned = model.stack_.state()
    whole.update(
        json.dumps([settings, learned, model.present_], sort_keys=True, default=repr).encode("utf-8")
    )
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()[:16]


def _numbers(
    old: Linear, new: Linear, texts: Sequence[str], labels: Sequence[str], meta: Meta | None
) -> dict[str, float]:
    codes = np.array([old.present_.index(label) for label in labels], dtype=np.int64)
    matrix = _matrix(old, texts, meta)
    objective, own = objective_of(old, matrix, codes), _own_weights(old, matrix, codes)
    theirs = (new.weights_, new.intercept_)
    one_vs_rest = isinstance(old, LinearSvm) or isinstance(new, LinearSvm)
    scales = len(new.weights_) if one_vs_rest else 1
    scaled = objective.scaled(*theirs, scales)
    places = {"old": objective.parts(*own), "raw": objective.parts(*theirs), "scaled": scaled.parts}
    numbers = {
        f"{term}_{place}": getattr(parts, "value" if term == "objective" else term)
        for place, parts in places.items()
        for term in ("objective", "loss", "penalty")
    }
    # Every model here keeps log-odds, so in a logistic loss the new model has a scale of its own.
    # Any other loss has to be given the scale that suits it best.
    logistic = objective.loss == "logistic"
    free = None if logistic else objective.unregularised().scaled(*theirs, scales).parts.loss
    numbers |= {
        "rows": float(len(codes)),
        "columns": float(new.weights_.shape[1]),
        "classes": float(len(old.present_)),
        "loss_kind": float(LOSSES.index(objective.loss)),
        "strength": objective.strength,
        "scales": float(scales),
        "scale_least": float(scaled.scale.min()),
        "scale_most": float(scaled.scale.max()),
        "loss_new": numbers["loss_raw"] if free is None else free,
        "loss_old_free": objective.unregularised().scaled(*own, scales).parts.loss,
        "gap": objective.gap(*own),
        "tolerance": TOLERANCE * abs(numbers["objective_old"]),
        "saving": numbers["objective_old"] - numbers["objective_scaled"],
    }
    if CODES[code_of(numbers)] == "inconclusive":
        numbers["gap"] = min(numbers["gap"], _sharper_gap(old, objective, places["old"].value))
    for name, model in (("old", old), ("new", new)):
        numbers |= {f"{name}_{key}": model.history_[0][key] for key in ("iterations", "converged")}
    return {**numbers, "verdict": float(code_of(numbers))}


def _matrix(model: Linear, texts: Sequence[str], meta: Meta | None) -> csr_matrix | NDArray[np.float64]:
    """The training rows as the model's solver saw them."""
    if isinstance(model, LinearClassifier):
        return model.stack_.transform(texts, meta)
    return (model._encode(texts) - model.mean_) / model.scale_


def _own_weights(
    model: Linear, matrix: csr_matrix | NDArray[np.float64], codes: NDArray[np.int64]
) -> Weights:
    """The weights the model's solver returned.

    The SVM keeps them already scaled to log-odds, so its solver, which draws nothing, is asked
    again: dividing by the scale would fail where that is 0.
    """
    if isinstance(model, LinearSvm):
        return model._margins_of(cast(csr_matrix, matrix), codes)
    return model.weights_, model.intercept_


def _sharper_gap(old: Linear, objective: Objective, value: float) -> float:
    """The gap of a solution of objective ``value``, with the dual point of a far closer solution.

    The bound from the gradient at the solution itself is up to a hundred times the true distance;
    the same solver run on gives a lower bound on min J that is nearly min J.
    """
    closer = copy.copy(old)
    closer.tol, closer.max_iter = old.tol * CLOSER, max(old.max_iter, STEPS_CLOSER)
    if isinstance(closer, LinearSvm):
        weights = closer._margins_of(cast(csr_matrix, objective.matrix), objective.codes)
    elif isinstance(closer, LogisticRegression):
        weights = closer._solve(cast(csr_matrix, objective.matrix), objective.codes, Rows([], []))
    else:
        closer._solve(cast(NDArray[np.float64], objective.matrix), objective.codes)
        weights = closer.weights_, closer.intercept_
    return max(0.0, value - objective.parts(*weights).value + objective.gap(*weights))


def objective_of(
    model: Linear, matrix: csr_matrix | NDArray[np.float64], codes: NDArray[np.int64]
) -> Objective:
    """What the model's solver minimises on (rows, features) and class numbers 0..K-1.

    scikit-learn's logistic regression minimises C · sum of weighted log losses + |w|²/2, LIBLINEAR
    C · sum of weighted squared hinges + (|w|² + b²)/2 for each class against the rest; divided by
    C · rows both are a mean loss and lambda = 1/(C · rows). With balanced class weights and more
    than two classes LIBLINEAR weighs the rows of the class of the score alone, the rest by 1.
    """
    rows, counts = len(codes), np.bincount(codes)
    balanced = model.class_weight == "balanced"
    weights = rows / (len(counts) * counts) if balanced else np.ones(len(counts))
    strength = 1.0 / (model.C * rows)
    if not isinstance(model, LinearSvm):
        return Objective(matrix, codes, "logistic", strength, weights[codes][:, None])
    if len(counts) == 2:
        row_weights = weights[codes][:, None]
    else:
        row_weights = np.where(codes[:, None] == np.arange(len(counts)), weights, 1.0)
    return Objective(matrix, codes, "squared_hinge", strength, row_weights, intercept_penalised=True)
