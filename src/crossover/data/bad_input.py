"""The one error a user can mend: what was passed, what was expected, how to mend it."""

from __future__ import annotations


class BadInput(ValueError):
    """Bad input, found before anything was fitted or written; scripts exit with code 2.

    The message names the file and row where there is one, the value met, what was expected
    and a remedy.
    """
