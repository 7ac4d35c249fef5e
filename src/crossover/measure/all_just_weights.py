"""They are all just weights: is the worse of two models badly optimised, or wrong?

The better model's weights are put into the worse model's objective J (model/transplant.py does it
and keeps the numbers). Lower J there than at the worse model's own weights is a certificate that
its optimiser stopped short; if its optimiser is cleared, the objective or the model is at fault.
Read from a run's numbers here: nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.metric import Metric
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score

TOLERANCE = 1e-6
"""Share of |J| below which two values of an objective are one."""

CODES = ("optimisation", "regularisation", "not_lower", "inconclusive")
"""What the training rows alone say, by the code a run keeps."""

STEPS = 60
"""Thresholds tried a class and pass while tuning."""


@dataclass(frozen=True)
class Judgement:
    """What the transplant says of the worse model ("old") against the better ("new").

    ``kind`` is optimisation, regularisation, threshold, objective, inconclusive or not_better.
    ``certificate`` says that weights of lower objective than the old model's own were exhibited.
    """

    kind: str
    certificate: bool
    sentence: str
    next_step: str
    would_change: str


def code_of(numbers: Mapping[str, float]) -> int:
    """Position in :data:`CODES` of what the training rows alone say.

    A saving above the tolerance is a certificate; a gap within it clears the optimiser. Both at
    once cannot be, for the gap bounds every saving.
    """
    tolerance = numbers["tolerance"]
    if numbers["objective_scaled"] < numbers["objective_old"] - tolerance:
        return CODES.index("optimisation")
    if numbers["gap"] > tolerance:
        return CODES.index("inconclusive")
    lower = numbers["loss_new"] < numbers["loss_old"] - tolerance
    return CODES.index("regularisation" if lower else "not_lower")


def judge(
    numbers: Mapping[str, float],
    gain: Score,
    gain_tuned: Score | None = None,
    old: str = "old",
    new: str = "new",
) -> Judgement:
    """The verdict of one transplant.

    Args:
        numbers: what a Transplant run keeps in ``history[0]``.
        gain: paired difference new - old on select rows, above 0 where new is better.
        gain_tuned: the same after the old model's thresholds were tuned (:func:`threshold_tuned`);
            None where that was not tried.
        old: what to call the worse model.
        new: what to call the better one.
    """
    code = CODES[code_of(numbers)]
    certificate = code == "optimisation"
    if gain.value is None or gain.low is None or not gain.low > 0:
        return _not_better(numbers, gain, certificate, old, new)
    if certificate:
        return _optimisation(numbers, gain, old, new)
    if code == "inconclusive":
        return _inconclusive(numbers, gain, old, new)
    cleared = (
        f"{old}'s optimiser is cleared (it is within {_relative(numbers, 'gap')} of the least value of its "
        f"objective, and {new}'s weights give {numbers['objective_scaled']:.6g} against "
        f"{numbers['objective_old']:.6g})"
    )
    if code == "regularisation":
        return _regularisation(numbers, gain, cleared, old, new)
    return _threshold_or_objective(numbers, gain, gain_tuned, cleared, old, new)


def _optimisation(numbers: Mapping[str, float], gain: Score, old: str, new: str) -> Judgement:
    return Judgement(
        "optimisation",
        True,
        f"Optimisation problem: {new}'s weights, scaled, give {old}'s own objective "
        f"{numbers['objective_scaled']:.6g}, below the {numbers['objective_old']:.6g} its optimiser "
        f"reached ({_relative(numbers, 'saving')} lower; exact on the {numbers['rows']:.0f} training rows), "
        f"and {new} is better on select by {_shown(gain)}.",
        f"Give {old} more steps, a smaller tolerance or another solver, and compare again.",
        f"{old} run to the least value of its objective and still behind {new} on select: then the "
        "early stop is real but not the reason.",
    )


def _inconclusive(numbers: Mapping[str, float], gain: Score, old: str, new: str) -> Judgement:
    return Judgement(
        "inconclusive",
        False,
        f"Inconclusive: {new} is better on select by {_shown(gain)}, its weights do not lower {old}'s "
        f"objective ({numbers['objective_scaled']:.6g} against {numbers['objective_old']:.6g}), but {old} "
        f"may be up to {_relative(numbers, 'gap')} above the least value, so its optimiser is not cleared.",
        f"Give {old} a smaller tolerance until the gap is within {TOLERANCE:g} of its objective.",
        "A smaller gap.",
    )


def _regularisation(numbers: Mapping[str, float], gain: Score, cleared: str, old: str, new: str) -> Judgement:
    longer = numbers["loss_old_free"] <= numbers["loss_new"] + numbers["tolerance"]
    weak = f"; but {old}'s own weights, merely longer, fit these rows as well, so the sign is a weak one"
    return Judgement(
        "regularisation",
        False,
        f"Regularisation: {cleared}, but {new}'s weights have the lower unregularised loss on the "
        f"training rows ({numbers['loss_new']:.4g} against {numbers['loss_old']:.4g}), and {new} is "
        f"better on select by {_shown(gain)}: the penalty keeps {old} from them{weak if longer else ''}.",
        f"Tune {old}'s C upwards (a weaker penalty) with the same budget as {new}'s.",
        f"{old} no better on select at any larger C: then the features or the loss are at fault.",
    )


def _not_better(
    numbers: Mapping[str, float], gain: Score, certificate: bool, old: str, new: str
) -> Judgement:
    found = (
        f"; all the same {old}'s optimiser stopped short, for {new}'s weights lower its objective by "
        f"{_relative(numbers, 'saving')} (exact on the training rows)"
        if certificate
        else ""
    )
    return Judgement(
        "not_better",
        certificate,
        f"Nothing to explain: {new} is not shown to be better than {old} on select ({_shown(gain)}){found}.",
        f"Give {old} more steps." if certificate else "Compare on more validation rows, or keep either.",
        "A paired interval on select that lies above 0.",
    )


def _threshold_or_objective(
    numbers: Mapping[str, float], gain: Score, tuned: Score | None, cleared: str, old: str, new: str
) -> Judgement:
    higher = (
        f"{cleared}, and {new}'s weights have no lower unregularised loss on the training rows "
        f"({numbers['loss_new']:.4g} against {numbers['loss_old']:.4g})"
    )
    if _removed(gain, tuned) and tuned is not None:
        return Judgement(
            "threshold",
            False,
            f"Threshold or loss mismatch: {higher}; {new} is better on select by {_shown(gain)}, "
            f"but by {_shown(tuned)} once {old}'s thresholds are tuned.",
            f"Tune {old}'s thresholds on the calibrate half, or train it for the metric of record.",
            f"A gain of {new} over the tuned {old} whose interval lies above 0.",
        )
    if tuned is None or tuned.value is None:
        after = "tuning thresholds was not tried, so a threshold or loss mismatch is not excluded"
    elif tuned.low is not None and tuned.low > 0:
        after = f"tuning {old}'s thresholds leaves a gain of {_shown(tuned)}"
    else:
        after = f"tuning {old}'s thresholds does not settle it (gain {_shown(tuned)})"
    return Judgement(
        "objective",
        False,
        f"Model or objective: {higher}; {new} is better on select by {_shown(gain)} and {after}.",
        f"Change {old}'s objective (loss, class weights, a stronger penalty) or keep {new}.",
        f"Thresholds of {old}, or another C, that close the gap on select.",
    )


def _removed(gain: Score, tuned: Score | None) -> bool:
    """Whether tuning took the gain away: no interval above 0, and at least half of it gone.

    The second keeps a study of few rows from calling every gain removed whose interval only
    just lay above 0.
    """
    if tuned is None or tuned.value is None or tuned.low is None or gain.value is None:
        return False
    return tuned.low <= 0 and tuned.value <= gain.value / 2


def _relative(numbers: Mapping[str, float], key: str) -> str:
    whole = abs(numbers["objective_old"])
    return f"{numbers[key] / whole:.2g} of J" if whole else f"{numbers[key]:.2g}"


def _shown(score: Score) -> str:
    if score.value is None:
        return f"no value: {score.method}"
    if score.low is None or score.high is None:
        return f"{score.value:.4f}, no interval: {score.method}"
    return f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"


def threshold_tuned(tune: Predictions, apply: Predictions, metric: Metric) -> Predictions:
    """``apply`` with a log-probability shift a class (the first 0), chosen on ``tune`` for ``metric``.

    One class at a time the shift that is best on ``tune`` is taken from the quantiles of what
    that class lacks to win, until nothing improves; a shift is changed only for a better score, so
    without need all stay 0. ``tune`` and ``apply`` share no rows. Probabilities after a shift sum
    to 1; a class of probability 0 keeps it.
    """
    shifts = _shifts(tune, metric)
    return Predictions(
        apply.ids, apply.parts, apply.gold, apply.classes, _shifted(apply.probabilities, shifts)
    )


def _shifts(tune: Predictions, metric: Metric) -> NDArray[np.float64]:
    classes = len(tune.classes)
    shifts = np.zeros(classes)
    sign = 1.0 if metric.larger_is_better else -1.0

    def score(candidate: NDArray[np.float64]) -> float:
        value = metric(tune.gold_index, _shifted(tune.probabilities, candidate))
        return -np.inf if value is None else sign * value

    best = score(shifts) if len(tune) else np.inf
    with np.errstate(divide="ignore"):
        logs = np.log(tune.probabilities)
    for _ in range(10):
        before = best
        for k in range(1, classes):
            rivals = np.delete(logs + shifts, k, axis=1).max(axis=1)
            lacking = (rivals - logs[:, k])[np.isfinite(logs[:, k]) & np.isfinite(rivals)]
            if not lacking.size:
                continue
            values = np.unique(np.quantile(lacking, np.linspace(0.0, 1.0, STEPS)))
            for shift in (values[1:] + values[:-1]) / 2:
                candidate = shifts.copy()
                candidate[k] = shift
                if (found := score(candidate)) > best:
                    best, shifts = found, candidate
        if best <= before:
            break
    return shifts


def _shifted(probabilities: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = probabilities * np.exp(shifts - shifts.max())
    total = shifted.sum(axis=1, keepdims=True)
    # Only a row whose every possible class was shifted away could sum to 0: it stays as it was.
    return np.where(total > 0, shifted / np.where(total > 0, total, 1.0), probabilities)
