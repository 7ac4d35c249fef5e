"""Switch: one component of an ablation, a change of the model's settings that can be on or off.

A feature block of a linear model and a setting of a transformer are the same thing here: a setting is
named by its path (``freeze_layers``, ``encoder.pooling``, ``features.char``), and null at a path inside
a mapping takes the entry out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.protocol.component import Component, component

PRIOR = "crossover.model.majority.Majority"
"""What stands where every feature block is off: the class prior."""
Settings = Mapping[str, object]


@dataclass(frozen=True)
class Switch:
    """A component by name; ``on`` and ``off`` are settings by path that stand in either case."""

    name: str
    on: Settings
    off: Settings

    @property
    def paths(self) -> set[str]:
        """Every setting it touches."""
        return {*self.on, *self.off}

    def words(self) -> dict[str, str]:
        """What on and off mean, for a table."""
        return {"on": _words(self.on, "as it is"), "off": _words(self.off, "as it is")}


def block_switches(model: Component) -> list[Switch]:
    """One switch a feature block of the model.

    Raises:
        BadInput: the model has no named feature blocks.
    """
    blocks = model.settings.get("features")
    if not isinstance(blocks, Mapping):
        raise BadInput(
            f"{model.name} names no feature blocks to ablate; name some (model.features), or say what is "
            "switched: study.components='{frozen: {on: {freeze_layers: 4}, off: {freeze_layers: 0}}, ...}'"
        )
    return [Switch(str(name), {}, {f"features.{name}": None}) for name, block in blocks.items() if block]


def without_null_blocks(model: Component) -> Component:
    """The model less the feature blocks that are null (``study.arms.model.features.char=null``)."""
    blocks = model.settings.get("features")
    if not isinstance(blocks, Mapping) or all(block is not None for block in blocks.values()):
        return model
    return model.with_settings(features={name: block for name, block in blocks.items() if block is not None})


def declared_switches(components: Mapping[str, object]) -> list[Switch]:
    """Switches from ``{name: {on: {setting: value}, off: {setting: value}}}``.

    Raises:
        BadInput: another shape, or two that touch one setting.
    """
    made = [_declared(str(name), stated) for name, stated in components.items() if stated is not None]
    owner: dict[str, str] = {}
    for switch in made:
        for path in sorted(switch.paths):
            if path in owner:
                raise BadInput(
                    f"study.components: {owner[path]!r} and {switch.name!r} both set {path!r}; "
                    "a setting belongs to one component"
                )
            owner[path] = switch.name
    return made


def coalition_model(model: Component, switches: Sequence[Switch], coalition: int) -> Component:
    """The model with the switches of the bit mask on and all others off.

    A model whose feature blocks are all off is the class prior (majority).

    Raises:
        BadInput: a setting that the model does not take.
    """
    changes: dict[str, object] = {}
    for k, switch in enumerate(switches):
        changes |= switch.on if coalition >> k & 1 else switch.off
    changed = _with_paths(model, changes)
    blocks = changed.settings.get("features")
    return component(PRIOR) if isinstance(blocks, Mapping) and not blocks else changed


def coalition_title(switches: Sequence[Switch], coalition: int) -> str:
    """``word + char``; ``all 6`` and ``none`` for the two ends."""
    inside = [switch.name for k, switch in enumerate(switches) if coalition >> k & 1]
    if len(inside) == len(switches):
        return f"all {len(switches)}"
    return " + ".join(inside) or "none"


def impossible_coalitions(switches: Sequence[Switch], rules: Sequence[object]) -> frozenset[int]:
    """Bit masks ruled out by rules ``{on: [names], off: [names]}``: all of those on, all of these off.

    Raises:
        BadInput: another shape, an unknown name, or a rule without any name.
    """
    bit = {switch.name: 1 << k for k, switch in enumerate(switches)}
    found: set[int] = set()
    for rule in rules:
        stated = _on_off(rule, "study.impossible", "[{on: [NAME, ...], off: [NAME, ...]}]")
        sides = []
        for side in ("on", "off"):
            given = stated.get(side)
            names = [given] if isinstance(given, str) else list(cast(Sequence[object], given or ()))
            unknown = [name for name in names if name not in bit]
            if unknown:
                raise BadInput(f"study.impossible names {unknown[0]!r}; the components are {sorted(bit)}")
            sides.append(sum(bit[str(name)] for name in set(names)))
        if not any(sides):
            raise BadInput(f"study.impossible: {rule!r} names no component and would exclude every run")
        every = range(1 << len(switches))
        found |= {mask for mask in every if mask & sides[0] == sides[0] and not mask & sides[1]}
    return frozenset(found)


def _declared(name: str, stated: object) -> Switch:
    sides = _on_off(stated, f"study.components.{name}", "{on: {setting: value}, off: {setting: value}}")
    for side, settings in sides.items():
        if not isinstance(settings, Mapping | None):
            raise BadInput(f"study.components.{name}.{side}={settings!r}: expected {{setting: value}}")
    on, off = (dict(cast(Settings, sides.get(side) or {})) for side in ("on", "off"))
    return Switch(name, on, off)


def _on_off(stated: object, where: str, shape: str) -> dict[str, object]:
    """The two sides of a mapping; yaml reads the words on and off as true and false."""
    known = {"on": "on", "off": "off", "true": "on", "false": "off"}
    if not isinstance(stated, Mapping) or {str(key).lower() for key in stated} - set(known):
        raise BadInput(f"{where}: {stated!r}; expected {shape}")
    return {known[str(key).lower()]: value for key, value in stated.items()}


def _with_paths(part: Component, changes: Settings) -> Component:
    """The component with settings changed by path, those inside nested parts and mappings too."""
    direct: dict[str, object] = {path: value for path, value in changes.items() if "." not in path}
    inner: dict[str, dict[str, object]] = {}
    for path, value in changes.items():
        head, dot, rest = path.partition(".")
        if dot:
            inner.setdefault(head, {})[rest] = value
    for head, within in inner.items():
        direct[head] = _within(part, head, direct.get(head, part.settings.get(head)), within)
    return part.with_settings(**direct) if direct else part


def _within(part: Component, head: str, held: object, changes: Settings) -> object:
    if isinstance(held, Component):
        return _with_paths(held, changes)
    if not isinstance(held, Mapping):
        raise BadInput(
            f"{part.target}: {head}={held!r} has no settings of its own to switch; "
            "name its entries in the model"
        )
    entries: dict[str, object] = dict(held)
    for path, value in changes.items():
        name, dot, rest = path.partition(".")
        if name not in entries and (dot or value is None):
            raise BadInput(f"{part.target}: {head} holds no {name!r}; it holds {sorted(entries)}")
        if dot:
            entries[name] = _within(part, name, entries[name], {rest: value})
        elif value is None:
            del entries[name]
        else:
            entries[name] = value
    return entries


def _words(settings: Settings, nothing: str) -> str:
    said = []
    for path, value in sorted(settings.items()):
        if isinstance(value, Component | Mapping):
            said.append(f"with {path}")
        else:
            said.append(f"without {path}" if value is None and "." in path else f"{path} = {value}")
    return ", ".join(said) or nothing
