"""YAML that exhausts, deceives or runs code."""

from __future__ import annotations

import base64
from collections.abc import Iterator

__all__ = ["YAMLS", "yaml_laugh", "yaml_texts"]


YAMLS: dict[str, bytes | str] = {
    "a date that there is not": "KEY: 2001-99-99",
    "a date": "KEY: 2001-01-01",
    "an empty number": "KEY: !!int ''",
    "a number of text": "KEY: !!float x",
    "6,000 digits": "KEY: " + "9" * 6000,
    "sixty in sixty": "KEY: " + ":".join(["1"] * 5000),
    "1e999": "KEY: 1e999",
    ".inf": "KEY: .inf",
    "a list as a key": "[a]: 1",
    "a dict as a key": "{a: 1}: 2",
    "binary": "KEY: !!binary " + base64.b64encode(bytes(100)).decode(),
    "a set": "KEY: !!set {a, b}",
    "pairs": "KEY: !!omap [a: 1]",
    "code": "KEY: !!python/object/apply:os.system ['touch CANARY']",
    "a name of code": "KEY: !!python/name:os.system",
    "a new object": "KEY: !!python/object/new:os.system ['touch CANARY']",
    "a key twice": "KEY: 1\nKEY: 2",
    "a tab": "\tKEY: 1",
    "zeros": "KEY: a\0b",
    "UTF-16": "KEY: a".encode("utf-16"),
    "no text": b"KEY: \xff",
    "an escape": 'KEY: "\\e[31m"',
    "half a surrogate pair": 'KEY: "\\ud800"',
    "a list in itself": "KEY: &a [*a]",
    "a dict in itself": "KEY: &a {b: *a}",
    "a merge with itself": "KEY: &a {<<: *a}",
    "deep lists": "KEY: " + "[" * 50_000,
    "deep blocks": "- " * 50_000,
    "deep dicts": "KEY: " + "{a: " * 10_000,
    "too large": "KEY: " + "x" * 2_000_000,
    "many values": "KEY: [" + "0," * 400_000 + "]",
    "two documents": "KEY: a\n---\nKEY: b",
    "no document": "",
    "a list": "- a\n- b",
    "text": "hello",
    "an unknown version": "%YAML 9.9\n---\nKEY: a",
    "an unknown tag": "KEY: !mine a",
    "an alias of nothing": "KEY: *b",
    "150 aliases": "a: &a 1\nKEY: [" + "*a ," * 150 + "]",
    "a long text": "KEY: " + "x" * 500_000,
    "a long key": "x" * 900_000 + ": 1",
    "a key with colours": '"\\e[31m": 1',
    "many entries": "KEY: [" + "a," * 50_000 + "]",
    "many wrong entries": "KEY: [" + "{b: 1}," * 50_000 + "]",
}


def yaml_laugh(merge: bool) -> str:
    lines = ["l0: &l0 " + ("{k: ha}" if merge else "[ha, ha]")]
    for level in range(1, 12):
        again = ",".join([f"*l{level - 1}"] * 8)
        lines.append(f"l{level}: &l{level} " + (f"{{<<: [{again}], k{level}: 1}}" if merge else f"[{again}]"))
    return "\n".join([*lines, "KEY: *l11"])


def yaml_texts(key: str, canary: str) -> Iterator[tuple[str, bytes | str]]:
    laughs = {"laughs": yaml_laugh(False), "laughs by merging": yaml_laugh(True)}
    for title, content in {**YAMLS, **laughs}.items():
        if isinstance(content, str):
            yield title, content.replace("KEY", key).replace("CANARY", canary)
        else:
            yield title, content
