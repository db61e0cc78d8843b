"""The command line: descriptions and settings that it overrides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from support.hostile_checkpoints.member import Member
from support.training_runs import write_run

__all__ = ["overrides"]


def overrides() -> Iterator[Member]:
    def build(folder: Path) -> Path:
        return write_run(folder / "run")

    for key in ("pixel_size", "channels", "dim_coords", "window", "mlp_width"):
        for value in (
            "1e308",
            "-1",
            "0",
            "inf",
            "9" * 4000,
            "9" * 6000,
            "\x1b[31m",
            "x" * 100_000,
            "1e999",
            "[]",
            "''",
        ):
            yield Member(f"--spec {key}={value[:10]!r} {len(value)}", build, spec={key: value})
    for key, value in (("name", "\x1b[31m\u202e"), ("source_datasets", "\x1b[31m," * 50), ("name", "n" * 100_000)):
        yield Member(f"--spec {key}={value[:10]!r}", build, spec={key: value}, harmless=len(value) < 1000)
    for key in ("structures", "norm", "feature_engineering", "aggregation", "k" * 50_000, "\x1b[31m"):
        yield Member(f"--spec {key[:20]!r}=…", build, spec={key: "\x1b[31m" * 100})
    for key in ("seed_threshold", "min_size", "normalize", "target_segmentation", "tta", "k" * 50_000, "\x1b[31m"):
        for value in ("1e999", "nan", "-inf", "9" * 4000, "9" * 6000, "\x1b[31m", "x" * 100_000, "[[[[", "1," * 50_000):
            yield Member(f"--set {key[:20]!r}={value[:10]!r} {len(value)}", build, settings={key: value}, harmless=True)
