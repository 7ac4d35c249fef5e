"""Component: a part of a run as plain data (dotted name, settings, version), and its builder.

A dotted name may only lead into an allowed package; the list is extended in code or on the
command line, never by a config or a stored record.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import types
import typing
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossover.data.bad_input import BadInput

_allowed: list[str] = ["crossover"]


def allow_package(name: str) -> None:
    """Let components name classes of another package; for the user's own code only."""
    _allowed.append(name)


def allowed_packages() -> list[str]:
    """Packages whose classes a component may name, this one first."""
    return list(_allowed)


@dataclass(frozen=True)
class Component:
    """A class by dotted name with the settings that differ from its defaults.

    ``settings`` holds plain JSON values and nested components; numbers have the type of the
    signature's annotation. ``version`` is the class's ``behaviour_version``: it is raised when
    the same settings come to mean something else, so that old records keep their name.
    """

    target: str
    settings: Mapping[str, object] = field(default_factory=dict)
    version: int = 1

    @property
    def name(self) -> str:
        """The module's last name: ``logistic_regression``."""
        return self.target.split(".")[-2]

    def with_settings(self, **changes: object) -> Component:
        """The same component with other settings, normalised again."""
        return component(self.target, {**self.settings, **changes})

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; the version is left out at 1."""
        plain: dict[str, object] = {"target": self.target}
        if self.settings:
            plain["settings"] = {key: _plain(value) for key, value in self.settings.items()}
        if self.version != 1:
            plain["version"] = self.version
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> Component:
        """A component as stored, without importing or checking its class."""
        settings = typing.cast(Mapping[str, object], plain.get("settings", {}))
        return cls(
            str(plain["target"]),
            {key: _component_or_value(value) for key, value in settings.items()},
            int(typing.cast(int, plain.get("version", 1))),
        )


def component(target: str, settings: Mapping[str, object] | None = None) -> Component:
    """Bind settings to the class's signature and normalise them.

    Numbers take the annotated type (1 becomes 1.0 for a float), settings equal to their default
    are left out, mappings that hold ``_target_`` become nested components.

    Raises:
        BadInput: the class is not allowed or not found, or a setting is unknown (the nearest
            name is offered), missing or of the wrong type.
    """
    cls = resolve(target)
    parameters = inspect.signature(cls).parameters
    hints = typing.get_type_hints(cls.__init__)  # type: ignore[misc]
    kept: dict[str, object] = {}
    for key, value in (settings or {}).items():
        if key not in parameters:
            near = difflib.get_close_matches(key, parameters, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {sorted(parameters)}"
            raise BadInput(f"{target} has no setting {key!r}; {hint}")
        _check_null(value, hints.get(key, object), f"{target}, setting {key!r}")
        _check_list(value, hints.get(key, object), f"{target}, setting {key!r}")
        value = _normalise(value, hints.get(key, object), f"{target}, setting {key!r}")
        if not _equal(value, _normalise(parameters[key].default, hints.get(key, object), target)):
            kept[key] = value
    missing = [
        key
        for key, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and key not in (settings or {})
    ]
    if missing:
        raise BadInput(
            f"{target} needs the setting {missing[0]!r}; give it in the yaml or on the command line"
        )
    return Component(target, kept, int(getattr(cls, "behaviour_version", 1)))


def build(part: Component, **extra: object) -> object:
    """Construct the component, nested ones first; ``extra`` are settings that are no identity.

    Raises:
        BadInput: not allowed, not found, or made by another behaviour version.
    """
    cls = resolve(part.target)
    version = int(getattr(cls, "behaviour_version", 1))
    if version != part.version:
        raise BadInput(
            f"{part.target} is at behaviour version {version}, the record was made by {part.version}; "
            "run it again under the present version, or check out the older code"
        )
    settings = {key: _build_value(value) for key, value in part.settings.items()}
    accepted = {key: value for key, value in extra.items() if key in inspect.signature(cls).parameters}
    return cls(**settings, **accepted)


def resolve(target: str) -> type:
    """The class of a dotted name inside the allowed packages.

    Raises:
        BadInput: another package, or nothing of that name.
    """
    parts = target.split(".")
    if (
        parts[0] not in _allowed
        or len(parts) < 3
        or any(p.startswith("_") or not p.isidentifier() for p in parts)
    ):
        raise BadInput(
            f"{target!r} may not be built: a _target_ names a class inside {', '.join(_allowed)} "
            "(your own package is added in code with allow_package)"
        )
    module_name, class_name = target.rsplit(".", 1)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            raise BadInput(f"{target!r}: there is no module {error.name!r}") from None
        raise BadInput(f"{target!r} needs the package {error.name!r}, which is not installed") from None
    except AttributeError:
        raise BadInput(f"{target!r}: {module_name} has no class {class_name!r}") from None
    if not inspect.isclass(found) or found.__module__ != module_name:
        raise BadInput(f"{target!r} is not a class of {module_name}")
    return found


def _check_null(value: object, hint: object, where: str) -> None:
    if value is None and hint in (bool, int, float, str):
        raise BadInput(f"{where}: null is no {hint.__name__}; leave the setting out for its default")  # type: ignore[attr-defined]


def _check_list(value: object, hint: object, where: str) -> None:
    if value is None or isinstance(value, list | tuple):
        return
    if all(typing.get_origin(wanted) in (list, tuple, abc.Sequence) for wanted in _allowed_types(hint)):
        raise BadInput(f"{where}: {value!r} is no list; write [{value}]")


def _normalise(value: object, hint: object, where: str) -> object:
    if value is inspect.Parameter.empty:
        return value
    if isinstance(value, Mapping) and "_target_" in value:
        rest = {str(k): v for k, v in value.items() if k != "_target_"}
        return component(str(value["_target_"]), rest)
    if isinstance(value, Mapping):
        return {str(key): _normalise(item, object, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        inner = [a for a in _allowed_types(hint) if typing.get_args(a)]
        item_hint = typing.get_args(inner[0])[0] if inner else object
        return [_normalise(item, item_hint, where) for item in value]
    wanted = _allowed_types(hint)
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and str in wanted
        and not {int, float} & {*wanted}
    ):
        return str(value)  # a column named 2024 arrives from yaml as a number
    if isinstance(value, bool) or value is None or isinstance(value, str | Component):
        plain_types = {t for t in wanted if t in (bool, int, float, str)}
        if isinstance(value, bool | str) and plain_types and type(value) not in plain_types:
            raise BadInput(f"{where}: {value!r} is a {type(value).__name__}, expected {hint}")
        return value
    if isinstance(value, int) and float in wanted and int not in wanted:
        return float(value)
    if isinstance(value, float) and int in wanted and float not in wanted:
        if not value.is_integer():
            raise BadInput(f"{where}: {value!r} is no whole number")
        return int(value)
    return value


def _allowed_types(hint: object) -> tuple[object, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(arg for arg in typing.get_args(hint) if arg is not type(None))
    return (hint,)


def _equal(left: object, right: object) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return list(left) == list(right)
    return type(left) is type(right) and left == right


def _plain(value: object) -> object:
    if isinstance(value, Component):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _component_or_value(value: object) -> object:
    if isinstance(value, Mapping) and "target" in value:
        return Component.from_json(value)
    if isinstance(value, Mapping):
        return {key: _component_or_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_component_or_value(item) for item in value]
    return value


def _build_value(value: object) -> object:
    if isinstance(value, Component):
        return build(value)
    if isinstance(value, Mapping):
        return {key: _build_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_build_value(item) for item in value]
    return value
