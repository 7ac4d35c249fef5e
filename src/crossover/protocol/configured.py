"""Plain config values to Components and to the project's own plain classes, checked on the way."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TypeVar, cast

from crossover.data.bad_input import BadInput
from crossover.protocol.component import Component, build, component, resolve

Made = TypeVar("Made")


def part(plain: object, where: str) -> Component:
    """A config group's values as a Component: files it names are pinned by SHA-256 first.

    Raises:
        BadInput: no ``_target_``, or one outside the allowed packages; an unknown setting.
    """
    if not isinstance(plain, Mapping) or "_target_" not in plain:
        raise BadInput(f"{where} has no _target_; choose one of its group with {where}=NAME")
    pinned = cast(Mapping[str, object], _pin(plain))
    return component(str(pinned["_target_"]), {k: v for k, v in pinned.items() if k != "_target_"})


def made_of(cls: type[Made], plain: object, where: str) -> Made:
    """One of the project's own plain classes from a mapping of its settings.

    Raises:
        BadInput: no mapping, an unknown or missing setting, a value of a wrong type.
    """
    if not isinstance(plain, Mapping):
        names = ", ".join(f"{name}: ..." for name in inspect.signature(cls).parameters)
        raise BadInput(f"{where}={plain!r}: expected '{where}={{{names}}}'")
    return cast(Made, build(component(f"{cls.__module__}.{cls.__name__}", plain)))


def whole(value: object, where: str) -> int:
    """A setting that must be a whole number.

    Raises:
        BadInput: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"{where}={value!r}: expected a whole number")
    return value


def _pin(value: object) -> object:
    """Fill in the SHA-256 of files that a setting names, for classes that offer ``pin``."""
    if isinstance(value, list):
        return [_pin(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    settings = {str(key): _pin(item) for key, item in value.items()}
    if "_target_" not in settings:
        return settings
    pin = getattr(resolve(str(settings["_target_"])), "pin", None)
    if pin is None:
        return settings
    target = settings.pop("_target_")
    return {"_target_": target, **pin(settings)}
