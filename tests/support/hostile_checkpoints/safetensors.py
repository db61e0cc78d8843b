"""Files of safetensors: their headers, and descriptions in them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.hostile_checkpoints.member import MARKER, Member, file_form

__all__ = ["safetensors"]


def safetensors() -> Iterator[Member]:
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}

    def file(header: Any, data: bytes = bytes(16), length: int | None = None) -> Callable[[Path], Path]:
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        size = struct.pack("<Q", len(raw) if length is None else length)
        return file_form("weights.safetensors", size + raw + data)

    name = MARKER.decode()
    for length in (2**63, 2**40, 99_999_999, 2_000, 5):
        yield Member(f"safetensors: a header of {length:,} bytes", file({name: tensor}, length=length))
    yield Member("safetensors: a header of 10 MB", file({name: tensor, "__metadata__": {"a": "b" * 10_000_000}}))
    headers: dict[str, dict[str, Any]] = {
        "an unknown type": {"dtype": "F77"},
        "offsets beyond the end": {"data_offsets": [0, 10**12]},
        "offsets that turn": {"data_offsets": [16, 0]},
        "negative offsets": {"data_offsets": [-16, 0]},
        "a shape too large": {"shape": [10**12]},
        "a shape that overflows": {"shape": [2**40, 2**40]},
        "a negative shape": {"shape": [-4]},
        "a shape of fractions": {"shape": [4.0]},
        "no shape": {"shape": None},
        "whole numbers": {"dtype": "I32"},
        "a NaN": {"shape": [float("nan")]},
    }
    for title, change in headers.items():
        yield Member(f"safetensors: {title}", file({name: {**tensor, **change}}))
    yield Member("safetensors: overlapping data", file({name: tensor, "b": tensor}))
    yield Member("safetensors: a gap", file({name: {**tensor, "data_offsets": [16, 32]}}, bytes(32)))
    yield Member("safetensors: deep nests", file(b'{"a":' + b"[" * 100_000))
    yield Member("safetensors: no text", file(b'{"\xff\xfe": 1}'))
    many = {f"t{place}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for place in range(40_000)}
    yield Member("safetensors: 40,000 tensors", file({name: tensor, **many}))
    yield Member(
        "safetensors: a name of 1 MB",
        file({name: tensor, "n" * 1_000_000: {**tensor, "shape": [0], "data_offsets": [16, 16]}}),
    )
    ours = "instanseg-export checkpoint"
    for title, said in {
        "no JSON": ours,
        "deep JSON": '{"format": "' + ours + '", "spec": ' + "[" * 10_000,
        "a number too large": f'{{"format": "{ours}", "version": 1e999}}',
        "6,000 digits": f'{{"format": "{ours}", "version": {"9" * 6000}}}',
        "a key twice": f'{{"format": "{ours}", "format": "{ours}"}}',
        "a list": f'["{ours}"]',
        "another version": f'{{"format": "{ours}", "version": "\\u001b[31m"}}',
        "no description": f'{{"format": "{ours}", "version": 1}}',
        "half a surrogate pair": f'{{"format": "{ours}", "version": 1, "spec": "\\ud800"}}',
    }.items():
        header = {"__metadata__": {"instanseg_export": said}, name: tensor}
        yield Member(f"safetensors, description: {title}", file(header))
