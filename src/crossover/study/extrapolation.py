"""How the curves of a crossover study would go on: one extrapolation for each arm that ran in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crossover.measure.extrapolation import extrapolate
from crossover.measure.metric.metric import metric_named

if TYPE_CHECKING:
    from crossover.study.crossover import CrossoverStudy

Json = dict[str, object]


def extrapolated_curves(study: CrossoverStudy, arms: Mapping[str, Json]) -> Json:
    """The extrapolation of each arm's curve, by arm; arms with limits (illustrations, pilots) have none.

    ``arms`` is ``numbers["arms"]`` of the verdict: the draws of each point of a curve are those it shows.
    """
    metric = metric_named(study.metric)
    found: Json = {}
    for arm, entry in arms.items():
        curve = entry["curve"]
        if arm in study.limits or not isinstance(curve, list):
            continue
        found[arm] = extrapolate(
            [point["size"] for point in curve],
            [point["draws"] for point in curve],
            larger_is_better=metric.larger_is_better,
            bounds=metric.bounds,
        ).to_json()
    return found
