"""How the options of a verb become flags of its command."""

from __future__ import annotations

from cyclopts import Parameter

__all__ = ["FLAT"]

FLAT = Parameter(name="*")
"""The fields of an options object are flags of the command, with the help that the class gives."""
