"""RunSpec: plain data that fixes a run before it is fitted; its digest is the run's name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus, Rows
from crossover.protocol.component import Component
from crossover.protocol.transform import Transform
from crossover.split.nested_subsets import Subset

_TRANSFORMS = ("text_transform", "label_transform", "row_transform")


@dataclass(frozen=True)
class Seeds:
    """Where randomness enters: ``initialisation`` of weights and dropout, ``order`` of the rows."""

    initialisation: int = 0
    order: int = 0


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's result; no clock, path, device or thread count.

    ``corpus`` and ``split`` are fingerprints. ``model`` carries the encoder's weights and
    tokenizer SHA-256, dtype and batch plan among its settings. ``subset`` None trains on the
    whole train part. ``metric`` is the metric of record, ``budget`` the number of tuning trials
    (trial 0 is the published default), ``selection`` the rule that picks among them.
    ``test_rows`` caps the scored test rows by a seeded draw, the same for every arm.
    ``text_transform`` changes every text the run reads, ``label_transform`` the labels of its
    training rows and ``row_transform`` which training rows there are (both seeded by
    ``seeds.order``). ``views`` are changes of the test texts alone: each is predicted too, as a part of
    its own (:func:`view_part`), by the same fitted model, and enters no score of the run.
    """

    corpus: str
    split: str
    model: Component
    subset: Subset | None = None
    metric: str = "macro_f1"
    budget: int = 1
    selection: str = "inside"
    seeds: Seeds = field(default_factory=Seeds)
    test_rows: int | None = None
    text_transform: Transform | None = None
    label_transform: Transform | None = None
    row_transform: Transform | None = None
    views: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise BadInput(f"budget {self.budget}: at least 1 trial, the published default")
        if self.test_rows is not None and self.test_rows < 1:
            raise BadInput(f"test_rows {self.test_rows}: at least 1, or null for the whole test part")

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, fields equal to their default left out."""
        plain: dict[str, object] = {
            "corpus": self.corpus,
            "split": self.split,
            "model": self.model.to_json(),
        }
        if self.subset is not None:
            subset = asdict(self.subset)
            plain["subset"] = {k: v for k, v in subset.items() if k != "pools" or v}
        for name, default in (
            ("metric", "macro_f1"),
            ("budget", 1),
            ("selection", "inside"),
            ("test_rows", None),
        ):
            if getattr(self, name) != default:
                plain[name] = getattr(self, name)
        for name in _TRANSFORMS:
            if (transform := getattr(self, name)) is not None:
                plain[name] = transform.to_json()
        if self.views:
            plain["views"] = [view.to_json() for view in self.views]
        seeds = {key: value for key, value in asdict(self.seeds).items() if value}
        if seeds:
            plain["seeds"] = seeds
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, object], where: str = "stored spec") -> RunSpec:
        """A spec from :meth:`to_json`.

        Raises:
            BadInput: an unknown field, or a ``${`` (nothing in a stored spec is interpolated).
        """
        if "${" in json.dumps(plain):
            raise BadInput(f"{where} holds an interpolation (${{...}}); a stored spec is plain data: refused")
        unknown = set(plain) - set(cls.__dataclass_fields__)
        if unknown:
            raise BadInput(
                f"{where}: unknown field {sorted(unknown)[0]!r}; it was written by a newer version"
            )
        fields = dict(plain)
        fields["model"] = Component.from_json(cast(Mapping[str, object], plain["model"]))
        if "subset" in plain:
            fields["subset"] = Subset(**cast(dict[str, object], plain["subset"]))  # type: ignore[arg-type]
        if "seeds" in plain:
            fields["seeds"] = Seeds(**cast(dict[str, int], plain["seeds"]))
        for name in _TRANSFORMS:
            if name in plain:
                fields[name] = Transform.from_json(cast(Mapping[str, object], plain[name]))
        if "views" in plain:
            views = cast(Sequence[Mapping[str, object]], plain["views"])
            fields["views"] = tuple(Transform.from_json(view) for view in views)
        return cls(**fields)  # type: ignore[arg-type]

    def rows(self, corpus: Corpus, ids: Iterable[str]) -> Rows:
        """Rows to predict or select on, as this run reads them.

        Raises:
            BadInput: an id is unknown or has no label.
        """
        rows = corpus.rows(ids)
        return replace(rows, texts=self.text_transform.texts(rows.texts)) if self.text_transform else rows

    def training_rows(self, corpus: Corpus, ids: Iterable[str]) -> Rows:
        """Rows to fit on, as this run reads them.

        Raises:
            BadInput: an id is unknown or has no label.
        """
        rows = self.rows(corpus, ids)
        if self.row_transform is not None:
            rows = self.row_transform.rows(rows, self.seeds.order)
        change = self.label_transform
        return replace(rows, labels=change.labels(rows.labels, self.seeds.order)) if change else rows

    def scored(
        self, corpus: Corpus, scored: Sequence[tuple[str, str]]
    ) -> tuple[tuple[str, ...], tuple[str, ...], Rows, list[int]]:
        """(part, id) of the rows to predict, the test rows once more a view, each different text once.

        Returns parts and ids, the rows to predict, and which of these each (part, id) is: a view leaves
        many texts as they were.

        Raises:
            BadInput: an id is unknown or has no label.
        """
        test = [id_ for part, id_ in scored if part == "test"]
        listed = [*scored, *((view_part(k), id_) for k in range(len(self.views)) for id_ in test)]
        parts, ids = tuple(part for part, _ in listed), tuple(id_ for _, id_ in listed)
        rows = self.rows(corpus, ids)
        if self.views:
            plain = rows.texts[: len(scored)]
            seen = [text for (part, _), text in zip(scored, plain, strict=True) if part == "test"]
            views = [text for view in self.views for text in view.texts(seen)]
            rows = replace(rows, texts=plain + views)
        keys = list(zip(ids, rows.texts, strict=True))
        place = {key: k for k, key in enumerate(dict.fromkeys(keys))}
        first = {key: k for k, key in reversed(list(enumerate(keys)))}
        return parts, ids, rows.take(first[key] for key in place), [place[key] for key in keys]

    @cached_property
    def digest(self) -> str:
        """16 hex of SHA-256 of the canonical JSON: same digest, same run."""
        return digest_of(self.to_json())

    @cached_property
    def family(self) -> str:
        """Digest without seeds and draw: the group whose members differ by chance only."""
        plain = self.to_json()
        plain.pop("seeds", None)
        if self.subset is not None:
            plain["subset"] = {**cast(dict[str, object], plain["subset"]), "draw": 0}
        return digest_of(plain)


def view_part(number: int) -> str:
    """Name of the part that holds the predictions of a view."""
    return f"view_{number}"


def digest_of(plain: object) -> str:
    """16 hex of SHA-256 of canonical JSON: sorted keys, UTF-8, floats by repr, no NaN.

    Raises:
        BadInput: a number that is not finite.
    """
    _check_finite(plain)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _check_finite(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"a setting is {value!r}; a spec holds finite numbers only")
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _check_finite(inner)
