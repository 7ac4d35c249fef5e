"""Classifier: the contract every rival keeps, and how a fitted one is saved without pickle.

``__init__`` only stores its settings; ``fit`` returns self; learned state ends in ``_``.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as as_bytes

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.data.sealed_json import sealed, unsealed
from crossover.data.whole_file import write_whole
from crossover.protocol.component import Component, build
from crossover.protocol.selection.rule import Outcome, one_by_one

Arrays = dict[str, NDArray[np.generic]]
Meta = Mapping[str, Sequence[object]]

_ELSEWHERE = "save the model to another folder"


class Classifier(ABC):
    """A text classifier over a fixed, ordered set of classes.

    Attributes:
        behaviour_version: raised when the same settings come to mean something else.
        search_space: setting -> values from which tuning trials are drawn.
        selected_: settings found while fitting with validation (a step count), for the refit.
        cost_: what fitting and predicting cost beyond the clock: ``tokens``,
            ``encode_seconds`` spent now, ``encode_seconds_cold`` had no vector been cached.
        history_: one entry a training step or epoch, for models that have a course.
        parameters_: number of learned parameters.
        on_step: called with (done, total, message) while fitting, if set.
    """

    behaviour_version: ClassVar[int] = 1
    search_space: ClassVar[Mapping[str, Sequence[object]]] = {}
    on_step: Callable[[int, int, str], None] | None = None
    classes_: tuple[str, ...]
    selected_: dict[str, object]
    cost_: dict[str, float]
    history_: list[dict[str, float]]
    parameters_: int

    @property
    def wants_validation(self) -> bool:
        """Whether fitting itself reads validation rows (early stopping)."""
        return False

    @abstractmethod
    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Learn from rows; ``classes`` fixes the columns, a class absent from the rows gets 0.

        Raises:
            BadInput: fewer than two classes among the rows (where the model needs two), a label
                outside ``classes``, or no rows.
            FloatingPointError: training diverged.
        """

    @abstractmethod
    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes) probabilities, rows summing to 1, columns in the order of ``classes_``."""

    def fit_each(
        self, trials: Iterable[Self], rows: Rows, classes: Sequence[str], validation: Rows
    ) -> Iterator[tuple[Self, Outcome]]:
        """Fit tuning trials and predict ``validation``: each trial with its outcome, in their order.

        A model that can share work among trials overrides this. Its trials may then differ from a ``fit`` of
        their own within the solver's tolerance, no further, and a trial that fails costs no other.

        Args:
            trials: unfitted models of this class whose settings differ in ``search_space`` alone.
            rows: training rows.
            classes: the columns of the probabilities.
            validation: rows to predict; fitting reads them where the model ``wants_validation``.
        """
        return one_by_one(trials, rows, classes, validation)

    @abstractmethod
    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Learned state as arrays and plain JSON values."""

    @abstractmethod
    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""

    def _begin(
        self, texts: Sequence[str], labels: Sequence[str], classes: Sequence[str], least: int = 2
    ) -> None:
        """Check the rows and set the attributes every fit starts from."""
        name = type(self).__name__
        if not texts or len(texts) != len(labels):
            raise BadInput(
                f"{name}: {len(texts)} texts and {len(labels)} labels; expected equal, at least one"
            )
        unknown = set(labels) - set(classes)
        if unknown:
            raise BadInput(f"{name}: label {sorted(unknown)[0]!r} is not among the classes {list(classes)}")
        present = set(labels)
        if len(present) < least:
            raise BadInput(
                f"{name}: the {len(labels)} training rows hold only the class {sorted(present)[0]!r}; "
                "ask for more rows, a stratified subset (scheme=per_class), or model=majority"
            )
        self.classes_ = tuple(classes)
        self.selected_, self.cost_, self.history_, self.parameters_ = {}, {}, [], 0

    def _require_fitted(self) -> None:
        if not hasattr(self, "classes_"):
            raise BadInput(f"{type(self).__name__} is not fitted; call fit first or load a saved one")

    def _spread(self, probabilities: NDArray[np.float64], present: Sequence[str]) -> NDArray[np.float64]:
        """Columns of the classes seen in training, put among all classes, 0 elsewhere."""
        full = np.zeros((len(probabilities), len(self.classes_)))
        full[:, [self.classes_.index(name) for name in present]] = probabilities
        return full


def save(model: Classifier, made_from: Component, folder: Path) -> None:
    """Write a fitted classifier: ``model.json`` and ``arrays.safetensors``, with its SHA-256.

    Raises:
        OSError: the disk is full; nothing is left of the file that did not fit.
    """
    arrays, plain = model.state()
    folder.mkdir(parents=True, exist_ok=True)
    data = as_bytes({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    stored = {
        "component": made_from.to_json(),
        "classes": list(model.classes_),
        "state": plain,
        "arrays_sha256": hashlib.sha256(data).hexdigest(),
    }
    write_whole(folder / "arrays.safetensors", data, _ELSEWHERE)
    write_whole(folder / "model.json", sealed(stored), _ELSEWHERE)


def load(folder: Path) -> Classifier:
    """A classifier written by :func:`save`.

    Raises:
        BadInput: a file is gone, or its bytes are not those that were written.
    """
    stored = cast(dict[str, Any], unsealed(folder / "model.json", "save the model again"))
    file = folder / "arrays.safetensors"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); save the model again") from None
    found = hashlib.sha256(data).hexdigest()
    if found != stored["arrays_sha256"]:
        raise BadInput(
            f"{file}: SHA-256 {found[:16]}..., expected {stored['arrays_sha256'][:16]}...; "
            "save the model again"
        )
    model = cast(Classifier, build(Component.from_json(stored["component"])))
    model.classes_ = tuple(stored["classes"])
    model.selected_, model.cost_, model.history_, model.parameters_ = {}, {}, [], 0
    model.restore(from_bytes(data), stored["state"])
    return model
