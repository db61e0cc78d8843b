"""The reference: rebuilds the forward in Python from the weights and the description in a TorchScript file.

The only runner that imports the exporter, by its nature: it runs the source that every file was made from.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import FileFacts, Form, Request, Session, serve


def open_session(request: Request) -> Session:
    from torch_session import TorchSession, torch_device

    from instanseg_export.checkpoints import load_checkpoint
    from instanseg_export.families.registry import build_forward
    from instanseg_export.targets import require_metadata

    device = torch_device(request.device)
    metadata = require_metadata(request.model)
    forward = build_forward(load_checkpoint(request.model), metadata.baked)
    facts = FileFacts(
        outputs=tuple(output.name for output in metadata.outputs),
        settings={row.name: Form(row.kind, row.choices) for row in metadata.setting_rows},
        convolves_after_network=metadata.convolves_after_network,
    )
    return TorchSession(forward.to(device), device, request, facts)


if __name__ == "__main__":
    raise SystemExit(serve("torch_eager", open_session))
