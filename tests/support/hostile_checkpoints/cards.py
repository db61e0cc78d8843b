"""Cards of models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.hostile_checkpoints.member import Member, file_form
from support.hostile_checkpoints.yamls import yaml_texts

__all__ = ["CARD", "cards"]


CARD = {"name": "my nuclei", "description": "Finds nuclei.", "authors": [{"name": "Ada"}], "license": "MIT"}


def cards(canary: Path) -> Iterator[Member]:
    for key in ("name", "description", "authors", "samples", "pixel_size"):
        rest = "".join(f"{one}: {json.dumps(value)}\n" for one, value in CARD.items() if one != key)
        for title, content in yaml_texts(key, str(canary)):
            full: bytes | str = rest + content if isinstance(content, str) else rest.encode() + content
            if title.startswith(("deep blocks", "a list", "text", "no doc")):
                full = content
            fine = key in ("name", "description") or title in ("a date", "a merge with itself")
            yield Member(f"card, {key}: {title}", file_form("card.yaml", full), "card", harmless=fine)
    wrong: tuple[dict[str, Any], ...] = (
        *({"samples": ["/etc/passwd"]}, {"samples": ["../secret.png"]}, {"samples": ["/dev/zero"]}, {"samples": ["."]}),
        *({"samples": ["\0"]}, {"samples": ["n" * 900]}, {"samples": ["x.png\x1b[31m"]}, {"license": "L" * 900}),
        *({"license": "\x1b[31m"}, {"version": "1.1.1-" + "a" * 100_000}, {"tags": ["\u202eabc"]}, {"tags": [1]}),
        *({"authors": [{"name": "A\nB"}]}, {"authors": [{"name": "A", "email": "a@" + "." * 900}]}),
        *(
            {"authors": [{"name": "A", "email": "a@" + "b." * 100_000}]},
            {"authors": [{"name": "A", "orcid": "0" * 900}]},
        ),
        *({"authors": [{"name": "A"}] * 2000}, {"pixel_size": 1e308}, {"pixel_size": -1}, {"pixel_size": "nan"}),
        *({"channel_names": []}, {"channel_names": ["\x07"]}, {"cite": [{"text": "\x1b", "doi": "10.1234/a"}]}),
        *({"documentation": "\x1b]0;title\x07"}, {"description": "\u2066a"}, {"git_repo": "https://a\x1b[31m"}),
        *({"maintainers": [{"github_user": "a" * 100_000}]}, {"k" * 100_000: 1}, {"\x1b[31m": 1}, {"name": "n" * 900}),
    )
    for fields in wrong:
        title = f"card: {str(fields)[:60]!r} {len(str(fields))}"
        yield Member(title, file_form("card.yaml", json.dumps({**CARD, **fields})), "card", harmless="email" in title)
