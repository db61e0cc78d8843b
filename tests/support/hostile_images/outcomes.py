"""What reading every hostile image comes to.

``HOSTILE`` is a table of (name, builder, pattern of the message). As a program this reads every one in a process with
little memory, and prints a JSON object: name -> [kind of outcome, message].
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

from support.hostile_images import no_files, ome_tiffs, pictures, tiffs, zarrs

__all__ = ["HOSTILE", "ROOM", "outcomes"]


ROOM = 1_500_000_000
SECONDS = 20
HOSTILE = [row for module in (tiffs, ome_tiffs, pictures, zarrs, no_files) for row in module.HOSTILE]


def outcomes(names: list[str] | None = None) -> dict[str, tuple[str, str]]:
    """Try every hostile file: "refused", "read", or what else came of it; and the message."""
    from instanseg_export.errors import ImageError
    from instanseg_export.images import probe_image, read_image

    found = {}
    for name, builder, _ in HOSTILE:
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = builder(Path(folder))
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
            signal.alarm(SECONDS)
            started = time.perf_counter()
            try:
                with contextlib.suppress(ImageError):
                    probe_image(path)
                read_image(path)
                result = ("read", "")
            except ImageError as error:
                result = ("refused", error.message)
            except Exception as error:
                result = (type(error).__name__, str(error))
            signal.alarm(0)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if (Path(folder) / "EXECUTED").exists():
                result = ("executed", "")
            if time.perf_counter() - started > 5:
                print(name, "took", time.perf_counter() - started, file=sys.stderr)  # noqa: T201
        found[name] = result
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(outcomes(sys.argv[1:])))  # noqa: T201
