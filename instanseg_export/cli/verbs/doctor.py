"""The verb ``doctor``: what it takes."""

from __future__ import annotations

__all__ = ["doctor"]


def doctor(*, build_runtimes: bool = False, json: bool = False) -> int:
    """Show what this machine can export and run, and how to install the rest.

    Parameters
    ----------
    build_runtimes
        First build the runtimes that have to be built. Those in Java need a JDK, Maven, a network and a few minutes.
    json
        Print one JSON document.
    """
    from ..commands import doctor_command

    return doctor_command(build_runtimes=build_runtimes, as_json=json)
