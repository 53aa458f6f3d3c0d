"""The command line: parse, call, print. No logic lives here."""

from __future__ import annotations

from glassml.cli.app import app, main

__all__ = ["app", "main"]
