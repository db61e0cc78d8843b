"""Measures the exported files against upstream's own TorchScript file, on the same weights and images, in one run.

    python tests/benchmarks/run.py
    python tests/benchmarks/run.py --only post-750 post-3300 --turns 5 --json figures.json

Needs the extra ``peer``. README.md beside this file says what each row means, and what was measured when.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":  # as pytest does for tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers import Peers
from benchmarks.rows import ROWS, Line, Session, say
from instanseg_export.benchmark.floor import matrix_peak
from instanseg_export.benchmark.measure import WARM_UP, threads_of_environment
from support.paths import SHARED


def main() -> int:
    """Measure and print; the exit status is 0 whatever was reached, since a figure is no defect."""
    parser = argparse.ArgumentParser(description="Prints the table of goals, each with what this machine measures.")
    parser.add_argument("--only", nargs="+", choices=[*ROWS], metavar="ROW", help=f"of: {', '.join(ROWS)}")
    parser.add_argument("--turns", type=int, default=3, help="counted turns of each program")
    parser.add_argument("--threads", type=int, help="of each program; by default all cores, or OMP_NUM_THREADS")
    parser.add_argument("--time-limit", type=float, default=900.0, help="seconds for one program in one turn")
    parser.add_argument("--int8", type=Path, help="a quantised ONNX file of the model of the end-to-end row")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    args = parser.parse_args()
    if args.turns < 1 or (args.threads is not None and args.threads < 1):
        parser.error("--turns and --threads must be 1 or more")
    if args.int8 is not None and not args.int8.is_file():
        parser.error(f"there is no {args.int8}")

    threads = args.threads or threads_of_environment()
    peak = matrix_peak(threads)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "turns": args.turns,
        "warm_up": WARM_UP,
        "matrix_peak_gflops": round(peak, 1),
    }
    lines: list[tuple[str, Line]] = []
    with tempfile.TemporaryDirectory() as folder:
        peers = Peers(Path(folder), SHARED)
        session = Session(peers, turns=args.turns, threads=threads, time_limit=args.time_limit, int8=args.int8)
        try:
            for name in args.only or ROWS:
                say(f"{name}: {(ROWS[name].__doc__ or '').strip()}")
                lines += [(name, line) for line in ROWS[name](session)]
        except KeyboardInterrupt:
            say("Interrupted: these are the rows that were finished.")
    print(", ".join(f"{key} {value}" for key, value in machine.items()))  # noqa: T201
    show(lines)
    if args.json:
        rows = [{"row": row, **dataclasses.asdict(line)} for row, line in lines]
        args.json.write_text(json.dumps({"machine": machine, "lines": rows}, indent=1) + "\n")
    return 0


def show(lines: list[tuple[str, Line]]) -> None:
    """Print the table."""
    heads = ("measure", "program", "result", "goal", "", "detail")
    verdict = {True: "reached", False: "NOT REACHED", None: ""}
    table = [heads]
    for _, line in lines:
        table.append((line.measure, line.program, line.result, line.goal, verdict[line.reached], line.detail))
    widths = [max(len(row[column]) for row in table) for column in range(len(heads) - 1)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
