"""Fixtures of the command-line tests; what they do is in commands_given.py."""

from commands_given import command, home, mail

__all__ = ["command", "home", "mail"]
