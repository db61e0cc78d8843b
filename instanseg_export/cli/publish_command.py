"""What ``publish`` does and shows: what is where now, or in a dry run every request."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.options import PublishOptions
from .consent import with_trust
from .console import progress, result_console, show_json

if TYPE_CHECKING:
    from ..api.publish import PublishResult
    from ..publishing.rehearsal import PlannedRequest

__all__ = ["publish_command"]

_INTERRUPTED = (
    "What was sent until now is a draft that is not public. The same command completes it; --abort removes it.\n"
)
_WORDS = {
    "created": "Created",
    "new version": "Began a new version of",
    "resumed": "Completed",
    "unchanged": "Nothing to do: the same is there already,",
    "removed": "Removed the draft of",
}


def publish_command(packages: Sequence[Path], options: PublishOptions | None, *, as_json: bool, quiet: bool) -> int:
    """Return 0."""
    options = options or PublishOptions()

    def work(trusted: bool) -> PublishResult:
        with progress(quiet=quiet) as shown:
            from ..api.publish import publish

            return publish(packages, options, trust=trusted, progress=shown)

    try:
        result = with_trust(work, options.trust)
    except KeyboardInterrupt:
        if not options.dry_run and options.output is None:
            sys.stderr.write(_INTERRUPTED)
        raise
    if as_json:
        show_json(dataclasses.asdict(result))
    elif not quiet:
        _show(result, options)
    return 0


def _show(result: PublishResult, options: PublishOptions) -> None:
    console = result_console()
    for request in result.requests:
        console.print(_written(request) + "\n", soft_wrap=True)
    for note in result.notes:
        console.print(f"Note: {note}")
    if result.outcome == "not sent":
        console.print(
            f"Nothing was sent. {len(result.requests)} requests would be; words in CAPITALS are the server's."
        )
        console.print("Next: leave --dry-run out.")
        return
    if result.outcome == "written":
        console.print(f"Written: {result.written}")
        if result.to == "folder":
            console.print(f"Next: put {result.written} on any web server, or open {result.written}/index.html.")
        else:
            console.print(f"Next: gh release create {result.id} {result.written}/* --repo {options.repository}")
        return
    state = f", which is {result.status}" if result.status else ""
    console.print(f"{_WORDS[result.outcome]} {result.id}{state}.")
    if result.uploaded or result.kept:
        console.print(f"{len(result.uploaded)} files were sent, and {result.kept} were there already.")
    if result.url:
        console.print(f"Page: {result.url}")
    if result.status == "draft":
        console.print("Next: the same command without --draft.")
    elif result.status == "in-review":
        console.print("Next: a reviewer of the zoo looks at it; remarks appear on its page.")


def _written(request: PlannedRequest) -> str:
    lines = [f"{request.method} {request.url}", *(f"  {name}: {value}" for name, value in request.headers.items())]
    if isinstance(request.body, str):
        lines.append(f"  {request.body}")
    elif request.body is not None:
        text = json.dumps(request.body, indent=2, ensure_ascii=False)
        lines += [f"  {line}" for line in text.splitlines()]
    return "\n".join(lines)
