"""Measures what the parity action adds to the validation that it runs.

    python tests/benchmarks/action.py nuclei_dsb2018
    python tests/benchmarks/action.py nuclei_dsb2018 --install

README.md beside this file says what the rows mean, and what was measured when.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.action_steps import run_action

ROOT = Path(__file__).resolve().parents[2]
GOAL = 20.0
RUNTIMES = "torchscript onnxruntime"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="an exported package")
    parser.add_argument("--install", action="store_true", help="measure the installation, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = folder / "instanseg-export"
        command.write_text(f'#!/bin/bash\nexec {shlex.quote(sys.executable)} -m instanseg_export "$@"\n')
        command.chmod(0o755)
        package = str(given.package.resolve())
        alone = _alone(command, package, folder)
        inputs = {"model": package, "runtimes": RUNTIMES, "command": "" if given.install else str(command)}
        inputs["baseline"] = str(folder / "baseline/report.json")
        (folder / "action").mkdir()
        start = time.perf_counter()
        ran = run_action(
            ROOT / ".github/actions/parity",
            inputs,
            workspace=folder,
            temporary=folder / "action",
            environment={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        total = time.perf_counter() - start
    for step, seconds in ran.seconds.items():
        print(f"{step:<28}{seconds:8.1f} s")  # noqa: T201
    installed = ran.seconds.get("Install instanseg-export", 0.0)
    others = total - installed - ran.seconds["Compare runtimes"]
    reached = "reached" if others + ran.seconds["Compare runtimes"] - alone <= GOAL else "not reached"
    print(  # noqa: T201
        f"outcome {ran.outputs['outcome']}; validate alone {alone:.1f} s, in the action "
        f"{ran.seconds['Compare runtimes']:.1f} s; all other steps without the installation {others:.1f} s "
        f"(goal: at most {GOAL:.0f} s more than validate alone, {reached})"
    )


def _alone(command: Path, package: str, folder: Path) -> float:
    start = time.perf_counter()
    words = [str(command), "validate", package, "--runtimes", *RUNTIMES.split(), "--output", str(folder / "baseline")]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
