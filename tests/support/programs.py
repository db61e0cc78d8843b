"""A runtime's program in a few lines of Python, and what goes wrong in it."""

from __future__ import annotations

__all__ = ["program"]

# A sound program in the fewest lines that the protocol takes: every value above 100 is instance 1.
_PROGRAM = """
import argparse, json, os, signal, sys, time
import numpy as np
parser = argparse.ArgumentParser()
for name in ("model", "device", "repeat", "settings"):
    parser.add_argument("--" + name)
for name in ("input", "output"):
    parser.add_argument("--" + name, nargs="+")
parser.add_argument("--stages", action="store_true")
parser.add_argument("--stream", action="store_true")
arguments = parser.parse_args()
{before}
def images():
    if not arguments.stream:
        yield from zip(arguments.input, arguments.output)
        return
    print(json.dumps({{"ready": True, "version": "1"}}), flush=True)
    for line in sys.stdin:
        yield tuple(json.loads(line)[name] for name in ("input", "output"))
for source, destination in images():
    image = np.load(source)
    labels = (image[:, :1] > 100).astype(np.float32)
    {during}
    np.savez(destination, instance_segmentation=labels)
    print(json.dumps({{"input": source, "version": "1", "device": "cpu", "load_s": 0.0, "run_s": [0.0]}}), flush=True)
"""


def program(before: str = "", during: str = "") -> str:
    """Return a program with more lines: ``before`` at its start, ``during`` between labels and output."""
    return _PROGRAM.format(before=before, during=during)
