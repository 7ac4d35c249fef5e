"""A stand-in for the wandb package: what was begun, and whatever it is told to do on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest


def nothing(*_: object, **__: object) -> None:
    """What most of the package does here."""


class FakeWandb:
    def __init__(self, on_init: Callable[[], Any] = nothing, on_log: Callable[[], Any] = nothing) -> None:
        self.begun: list[dict[str, Any]] = []
        self.on_init, self.on_log = on_init, on_log
        self.summary: dict[str, object] = {}
        self.Settings = self.Table = self.Image = nothing

    def init(self, **about: Any) -> FakeWandb:
        self.begun.append(about)
        self.on_init()
        return self

    def log(self, *_: object) -> None:
        self.on_log()

    def __enter__(self) -> FakeWandb:
        return self

    def __exit__(self, *_: object) -> None: ...


def put(monkeypatch: pytest.MonkeyPatch, package: object) -> None:
    """Let the mirror find this in the package's place (None: not installed)."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setitem(sys.modules, "wandb", package)
