"""Which runtimes are meant by what a user asked for, or did not."""

from __future__ import annotations

from collections.abc import Sequence

from .description import Runtime
from .probe import make_ready, probe
from .registry import find_runtime, list_runtimes

__all__ = ["preferred_runtimes", "select_runtimes"]


def select_runtimes(names: Sequence[str] | None) -> list[tuple[Runtime, str]]:
    """Return runtimes, each with what this machine lacks to run it; empty if nothing.

    Args:
        names: of runtimes, or paths of folders with a runtime.toml. One that has to be built is built, since it was
            asked for by name. None stands for all that there are, as they are.

    Raises:
        UnknownNameError: there is no runtime of a name.
        PackageError: a folder's runtime.toml is malformed.
    """
    if names is None:
        return [(runtime, probe(runtime)) for runtime in list_runtimes()]
    return [(runtime, make_ready(runtime)) for runtime in map(find_runtime, names)]


def preferred_runtimes(device: str) -> list[Runtime]:
    """Return the runtimes that may run a model for its results, in the order in which to try them on a device.

    One that needs the exporter is for proof alone, and one that is not exact for comparison.
    """
    kind = device.partition(":")[0]
    runtimes = [one for one in list_runtimes() if one.exact and not one.needs_exporter]
    return sorted(runtimes, key=lambda one: kind not in one.preferred_on)
