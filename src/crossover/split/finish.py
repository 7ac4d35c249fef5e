"""Finish: the last steps common to every way to split, and the recipe a split keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.predictions import PARTS
from crossover.split.clusters import Parts
from crossover.split.split import Split


def check_seen(
    labels: Mapping[str, str], parts: Mapping[str, Sequence[str]], policy: str
) -> tuple[Parts, int]:
    """Rows of later parts whose label no training row has: refused, or put in reserve.

    Raises:
        BadInput: such a label under ``refuse``, with its rows; an unknown policy.
    """
    if policy not in ("refuse", "reserve"):
        raise BadInput(f"split.unseen_labels={policy!r}: expected 'refuse' or 'reserve'")
    seen = {labels[id_] for id_ in parts["train"]}
    unseen = [(part, id_) for part, ids in parts.items() for id_ in sorted(ids) if labels[id_] not in seen]
    if unseen and policy == "refuse":
        part, first = unseen[0]
        same = [id_ for _, id_ in unseen if labels[id_] == labels[first]]
        raise BadInput(
            f"the label {labels[first]!r} is in the {part} part ({len(same)} rows, first {same[:3]}) but not "
            f"in train ({len({labels[id_] for _, id_ in unseen})} such labels in all); no model can learn "
            "it: put those rows in reserve (split.unseen_labels=reserve) or move the cut"
        )
    gone = {id_ for _, id_ in unseen}
    return {part: [id_ for id_ in ids if id_ not in gone] for part, ids in parts.items()}, len(gone)


def finish(
    corpus: Corpus,
    parts: Mapping[str, Sequence[str]],
    groups: Mapping[str, str],
    method: str,
    settings: Mapping[str, object],
    asked: Mapping[str, object],
    reserve: Mapping[str, int],
) -> Split:
    """The Split of these parts, ids sorted, with a recipe a person can rerun.

    ``reserve`` counts the rows of the corpus that are in no part, by reason. A part ``sealed`` is set
    aside (sealed.py) and counted there too; without one the recipe does not speak of it.
    """
    sealed = tuple(sorted(parts.get("sealed", ())))
    obtained = (*PARTS, "sealed") if sealed else PARTS
    return Split(
        corpus.fingerprint,
        {part: tuple(sorted(parts.get(part, ()))) for part in PARTS},
        dict(groups),
        {
            "method": method,
            "settings": {name: value for name, value in settings.items() if name != "sealed" or value},
            "asked": dict(asked),
            "obtained": {part: len(parts.get(part, ())) for part in obtained},
            "reserve": {reason: rows for reason, rows in {**reserve, "sealed": len(sealed)}.items() if rows},
        },
        sealed,
    )
