"""Counts the faults that were injected and survived."""

from collections.abc import Callable

import pytest


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """``tally("F13")``: one fault of this name was injected and survived."""

    def note(fault: str, survived: bool = True) -> None:
        record_property(fault, survived)

    return note
