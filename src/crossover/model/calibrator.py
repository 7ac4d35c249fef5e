"""Calibrator: class probabilities made to keep their word, learned from rows that trained nothing.

Fit on the calibrate part, apply to any other. Where the parameters are found by maximum likelihood
(temperature, vector, beta) a normal prior of SD 1 around "no change" is added to the sum over rows:
it leaves hundreds of rows alone and keeps the answer finite where few rows are separated perfectly.
Probabilities below :data:`CLIP` count as that before a logarithm is taken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from crossover.data.bad_input import BadInput
from crossover.measure.calibration_null import check_probabilities

CLIP = 1e-12
FEWEST_ROWS = 20
"""No calibrator is fitted on fewer rows."""

Array = NDArray[np.float64]
Objective = Callable[[Array], tuple[float, Array]]


class Calibrator(ABC):
    """A map of (rows, classes) probabilities to probabilities of the same shape, rows summing to 1.

    Attributes:
        name: as in :data:`CALIBRATORS`.
        title: for people.
        fewest_rows: fitting on fewer is refused.
        fewest_of_class: as is fitting on fewer rows of any class; 0 asks for two classes only.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    fewest_rows: ClassVar[int] = FEWEST_ROWS
    fewest_of_class: ClassVar[int] = 5
    classes_: int

    def fit(self, probabilities: Array, gold: NDArray[np.int64]) -> Self:
        """Learn from (rows, classes) probabilities and (rows,) gold columns, rows that trained nothing.

        Raises:
            BadInput: no probabilities; too few rows, or too few of a class.
        """
        check_probabilities(probabilities, gold)
        rows, classes = probabilities.shape
        if rows < self.fewest_rows:
            raise BadInput(
                f"{self.title}: {rows} rows to fit on; expected at least {self.fewest_rows}: "
                "give the calibrate part more rows, or use another calibrator"
            )
        counts = np.bincount(gold, minlength=classes)
        if (counts > 0).sum() < 2:
            raise BadInput(
                f"{self.title}: all {rows} rows are of class column {int(gold[0])}; "
                "expected two classes or more"
            )
        if counts.min() < self.fewest_of_class:
            raise BadInput(
                f"{self.title}: class column {int(counts.argmin())} has {int(counts.min())} of the {rows} "
                f"rows; expected at least {self.fewest_of_class} of every class: use temperature scaling, "
                "which learns nothing of single classes, or more rows"
            )
        self.classes_ = classes
        self._learn(probabilities, gold)
        return self

    def apply(self, probabilities: Array) -> Array:
        """The (rows, classes) probabilities recalibrated.

        Raises:
            BadInput: not fitted, or on another number of classes.
        """
        if not hasattr(self, "classes_"):
            raise BadInput(f"{self.title} is not fitted; call fit with the calibrate part first")
        check_probabilities(probabilities)
        if probabilities.shape[1] != self.classes_:
            raise BadInput(
                f"{self.title}: {probabilities.shape[1]} classes; "
                f"expected the {self.classes_} it was fitted on"
            )
        given = self._map(probabilities)
        normalised: Array = given / given.sum(axis=1, keepdims=True)
        return normalised

    @abstractmethod
    def parameters(self) -> dict[str, object]:
        """What was learned, as plain JSON values."""

    @property
    @abstractmethod
    def fitted_parameters(self) -> int:
        """How many numbers were learned."""

    @abstractmethod
    def _learn(self, probabilities: Array, gold: NDArray[np.int64]) -> None: ...

    @abstractmethod
    def _map(self, probabilities: Array) -> Array:
        """Positive scores a class; :meth:`apply` divides each row by its sum."""


class Temperature(Calibrator):
    """Logits divided by one number T (Guo et al. 2017): p^(1/T), normalised. The ranking of classes stays."""

    name = "temperature"
    title = "temperature scaling"
    fewest_of_class = 0
    bounds: ClassVar[tuple[float, float]] = (0.01, 100.0)
    """Of 1/T."""

    def _learn(self, probabilities: Array, gold: NDArray[np.int64]) -> None:
        logs = _logs(probabilities)
        of_gold = logs[np.arange(len(gold)), gold]

        def slope(inverse: float) -> float:  # of minus the log posterior, which is convex in 1/T
            expected = (special.softmax(inverse * logs, axis=1) * logs).sum(axis=1)
            return float((expected - of_gold).sum()) + inverse - 1.0

        low, high = self.bounds
        if slope(low) >= 0.0:
            self.inverse_ = low
        elif slope(high) <= 0.0:
            self.inverse_ = high
        else:
            self.inverse_ = float(optimize.brentq(slope, low, high, xtol=1e-10))

    def _map(self, probabilities: Array) -> Array:
        return _softmax(self.inverse_ * _logs(probabilities))

    def parameters(self) -> dict[str, object]:
        """The temperature; above 1 the model was too sure."""
        return {"temperature": 1.0 / self.inverse_}

    @property
    def fitted_parameters(self) -> int:
        """One."""
        return 1


class Vector(Calibrator):
    """A scale and a shift of each class's logit (Guo et al. 2017): softmax(w_k ln p_k + b_k)."""

    name = "vector"
    title = "vector scaling"

    def _learn(self, probabilities: Array, gold: NDArray[np.int64]) -> None:
        logs, classes = _logs(probabilities), self.classes_
        wanted = np.eye(classes)[gold]

        def objective(theta: Array) -> tuple[float, Array]:
            scores = logs * theta[:classes] + theta[classes:]
            log_given = scores - special.logsumexp(scores, axis=1, keepdims=True)
            excess = np.exp(log_given) - wanted
            gradient = np.concatenate([(excess * logs).sum(axis=0), excess.sum(axis=0)])
            return -float(log_given[np.arange(len(gold)), gold].sum()), gradient

        theta = _most_probable(objective, np.repeat([1.0, 0.0], classes))
        self.scale_, self.shift_ = theta[:classes], theta[classes:]

    def _map(self, probabilities: Array) -> Array:
        return _softmax(_logs(probabilities) * self.scale_ + self.shift_)

    def parameters(self) -> dict[str, object]:
        """Scale and shift of each class column."""
        return {"scale": self.scale_.tolist(), "shift": self.shift_.tolist()}

    @property
    def fitted_parameters(self) -> int:
        """Two a class."""
        return 2 * self.classes_


class Platt(Calibrator):
    """A logistic curve of each class's log-odds, one class against the rest (Platt 1999), then normalised.

    Targets are Platt's, (N+ + 1)/(N+ + 2) and 1/(N- + 2), which stand in for a prior. With two classes
    the two curves are one.
    """

    name = "platt"
    title = "Platt scaling"

    def _learn(self, probabilities: Array, gold: NDArray[np.int64]) -> None:
        odds = _logs(probabilities) - _logs(_others(probabilities))
        self.curves_ = np.zeros((self.classes_, 2))
        for k in range(self.classes_):
            member = gold == k
            inside = int(member.sum())
            target = np.where(member, (inside + 1.0) / (inside + 2.0), 1.0 / (len(gold) - inside + 2.0))
            columns = np.column_stack([odds[:, k], np.ones(len(gold))])
            self.curves_[k] = _minimum(_cross_entropy(columns, target), np.array([1.0, 0.0]))

    def _map(self, probabilities: Array) -> Array:
        odds = _logs(probabilities) - _logs(_others(probabilities))
        return _sigmoid(odds * self.curves_[:, 0] + self.curves_[:, 1])

    def parameters(self) -> dict[str, object]:
        """Slope and intercept of each class column."""
        return {"slope": self.curves_[:, 0].tolist(), "intercept": self.curves_[:, 1].tolist()}

    @property
    def fitted_parameters(self) -> int:
        """Two a class; with two classes two in all."""
        return 2 if self.classes_ == 2 else 2 * self.classes_


class Isotonic(Calibrator):
    """A rising step curve of each class's probability, one class against the rest, then normalised.

    Pool-adjacent-violators (Zadrozny and Elkan 2002), linear between the probabilities met, constant
    outside. No class is given less than 1/(classes (rows + 2)): a step of no rows is no proof of 0.
    """

    name = "isotonic"
    title = "isotonic regression"
    fewest_rows = 50
    fewest_of_class = 10

    def _learn(self, probabilities: Array, gold: NDArray[np.int64]) -> None:
        self.floor_ = 1.0 / (self.classes_ * (len(gold) + 2.0))
        self.curves_: list[tuple[Array, Array]] = []
        for k in range(self.classes_):
            met, group, n = np.unique(probabilities[:, k], return_inverse=True, return_counts=True)
            share = np.bincount(group, weights=gold == k) / n
            level = optimize.isotonic_regression(share, weights=n).x
            # points inside a step say nothing that its two ends do not
            ends = np.ones(len(met), dtype=bool)
            ends[1:-1] = (level[1:-1] != level[:-2]) | (level[1:-1] != level[2:])
            self.curves_.append((met[ends], level[ends]))

    def _map(self, probabilities: Array) -> Array:
        given = [np.interp(probabilities[:, k], *curve) for k, curve in enumerate(self.curves_)]
        return np.maximum(np.column_stack(given), self.floor_)

    def parameters(self) -> dict[str, object]:
        """The curve's points of each class column: probability met and probability given."""
        return {
            "met": [met.tolist() for met, _ in self.curves_],
            "given": [y.tolist() for _, y in self.curves_],
        }

    @property
    def fitted_parameters(self) -> int:
        """Distinct levels of the curves; with two classes those of one."""
        counted = self.curves_[:1] if self.classes_ == 2 else self.curves_
        return sum(len(np.unique(level)) for _, level in counted)


class Beta(Calibrator):
    """Beta calibration (Kull, Silva Filho and Flach 2017), one class against the rest, then normalised.

    1/(1 + exp(-(a ln p - b ln(1 - p) + c))), a and b at least 0: unlike a logistic curve it holds the
    identity for probabilities skewed either way. With two classes the two curves are one.
    """

    name = "beta"
    title = "beta calibration"

    def _learn(self, probabilities: Array, gold: NDArray[np.int64]) -> None:
        inside, outside = _logs(probabilities), -_logs(_others(probabilities))
        self.curves_ = np.zeros((self.classes_, 3))
        for k in range(self.classes_):
            columns = np.column_stack([inside[:, k], outside[:, k], np.ones(len(gold))])
            loss = _cross_entropy(columns, (gold == k).astype(np.float64))
            self.curves_[k] = _most_probable(
                loss, np.array([1.0, 1.0, 0.0]), [(0.0, None), (0.0, None), (None, None)]
            )

    def _map(self, probabilities: Array) -> Array:
        a, b, c = self.curves_.T
        return _sigmoid(a * _logs(probabilities) - b * _logs(_others(probabilities)) + c)

    def parameters(self) -> dict[str, object]:
        """a, b and c of each class column."""
        return dict(zip("abc", self.curves_.T.tolist(), strict=True))

    @property
    def fitted_parameters(self) -> int:
        """Three a class; with two classes three in all."""
        return 3 if self.classes_ == 2 else 3 * self.classes_


CALIBRATORS: dict[str, type[Calibrator]] = {
    kind.name: kind for kind in (Temperature, Vector, Platt, Isotonic, Beta)
}


def _logs(probabilities: Array) -> Array:
    logs: Array = np.log(np.maximum(probabilities, CLIP))
    return logs


def _others(probabilities: Array) -> Array:
    """Sum of the other classes' probabilities, added up: 1 - p would lose what is left beside a p near 1."""
    below = np.zeros_like(probabilities)
    below[:, 1:] = np.cumsum(probabilities[:, :-1], axis=1)
    above = np.zeros_like(probabilities)
    above[:, :-1] = np.cumsum(probabilities[:, :0:-1], axis=1)[:, ::-1]
    return below + above


def _softmax(scores: Array) -> Array:
    given: Array = special.softmax(scores, axis=1)
    return given


def _sigmoid(scores: Array) -> Array:
    given: Array = np.maximum(special.expit(scores), CLIP)
    return given


def _cross_entropy(columns: Array, target: Array) -> Objective:
    """Sum over rows of the cross-entropy of targets in [0, 1] and a logistic model, with its gradient."""

    def objective(theta: Array) -> tuple[float, Array]:
        score = columns @ theta
        loss = np.logaddexp(0.0, score) - target * score
        return float(loss.sum()), columns.T @ (special.expit(score) - target)

    return objective


def _most_probable(
    loss: Objective, identity: Array, bounds: list[tuple[float | None, float | None]] | None = None
) -> Array:
    """Minimum of a summed loss plus half the squared distance from the parameters that change nothing."""

    def posterior(theta: Array) -> tuple[float, Array]:
        value, gradient = loss(theta)
        away = theta - identity
        return value + 0.5 * float(away @ away), gradient + away

    return _minimum(posterior, identity, bounds)


def _minimum(
    objective: Objective, start: Array, bounds: list[tuple[float | None, float | None]] | None = None
) -> Array:
    """Minimum of a convex function that gives its gradient."""
    options = {"maxiter": 1000, "maxfun": 5000, "ftol": 1e-15, "gtol": 1e-8}
    found = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    theta: Array = found.x
    return theta
