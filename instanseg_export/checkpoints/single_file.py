"""Our own checkpoint in one file: weights and description, tensors and text only, the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..archives.safetensors_file import load_safetensors
from ..archives.torch_archive import damaged, kind_of, peek
from ..archives.torch_file import load_tensors
from ..errors import CheckpointError, InstansegExportError, OutputError, SpecError, UnknownNameError
from ..families.checkpoint import Checkpoint, Load
from ..families.registry import FAMILIES
from ..families.spec import ModelSpec, first_finding
from ..files import sha256_of, staged_file
from ..untrusted.boundary import plain
from ..untrusted.json_texts import load_json_text

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["READER", "SingleFileReader", "parse_spec", "write"]

_FORMAT = "instanseg-export checkpoint"
_VERSION = 1


class SingleFileReader:
    """Reads ``checkpoint.pt`` and ``checkpoint.safetensors`` as :func:`write` leaves them."""

    name = "single-file"
    describes = "a checkpoint.pt or .safetensors that this package saved"

    def recognises(self, path: Path) -> bool:
        return kind_of(path) in ("zip", "safetensors") and _FORMAT.encode() in peek(path)

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        content = _read_safetensors(path) if kind_of(path) == "safetensors" else _read_torch(path)
        spec = parse_spec(content["spec"], path)
        return FAMILIES.get(spec.family).restore(
            spec, content["weights"], overrides, path, sha256=sha256_of(path), reader=self.name
        )


def parse_spec(text: Any, path: Path) -> ModelSpec:
    """Read an embedded description.

    Args:
        text: JSON, or what it holds.
        path: of the file, for messages.

    Raises:
        SpecError: it is no JSON, of an unknown family, or a field is missing or wrong.
    """
    hint = "Save the checkpoint again."
    try:
        fields = load_json_text(text, path, "its description", SpecError, hint=hint) if isinstance(text, str) else text
        return FAMILIES.get(plain(fields["family"], 100)).spec.model_validate(fields)
    except ValidationError as error:
        fact = first_finding(error)
    except UnknownNameError as error:
        raise SpecError(f"The description in {path} is of no known family: {error}", hint=error.hint) from error
    except (KeyError, TypeError):
        fact = "it names no family"
    raise SpecError(f"The description in {path} is malformed: {fact}.", hint=hint)


def _checked(content: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
        raise damaged(path, "it holds no checkpoint of this package")
    if content.get("version") != _VERSION:
        raise CheckpointError(
            f"{path} has version {plain(content.get('version'), 40)} of the checkpoint format; this program reads "
            f"{_VERSION}.",
            hint="Update instanseg-export.",
        )
    if not isinstance(content.get("weights"), Mapping) or "spec" not in content:
        raise damaged(path, "its weights or its description are missing")
    return content


def _read_torch(path: Path) -> Mapping[str, Any]:
    return _checked(load_tensors(path), path)


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    weights, texts = load_safetensors(path)
    text = texts.get("instanseg_export", "{}")
    content = load_json_text(text, path, "its description", CheckpointError, hint="Save the checkpoint again.")
    return _checked({**content, "weights": weights} if isinstance(content, dict) else content, path)


def _is_ours(path: Path) -> bool:
    """Tell whether a file is a whole checkpoint as :func:`write` leaves it."""
    try:
        kind = kind_of(path)
        if kind == "safetensors":
            return bool(_read_safetensors(path))
        return kind == "zip" and bool(_read_torch(path))
    except InstansegExportError:
        return False


def write(checkpoint: Checkpoint, path: Path, *, overwrite: bool) -> None:
    """Write a checkpoint; see :func:`instanseg_export.checkpoints.save_checkpoint`."""
    if path.suffix not in (".pt", ".safetensors"):
        raise OutputError(
            f"A checkpoint cannot be saved as {path.name}.", hint="End its name with .pt or .safetensors."
        )
    weights = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in sorted(checkpoint.network.state_dict().items())
        if not name.endswith(".num_batches_tracked")
    }
    spec = checkpoint.spec.model_dump_json()
    data = _torch_bytes(weights, spec) if path.suffix == ".pt" else _safetensors_bytes(weights, spec)
    with staged_file(path, overwrite=overwrite, ours=_is_ours) as staged:
        staged.write_bytes(data)


def _torch_bytes(weights: dict[str, Tensor], spec: str) -> bytes:
    import torch

    stream = BytesIO()  # a stream, for torch writes a file's name into its archive
    torch.save({"format": _FORMAT, "version": _VERSION, "spec": spec, "weights": weights}, stream)
    return stream.getvalue()


def _safetensors_bytes(weights: dict[str, Tensor], spec: str) -> bytes:
    from safetensors.torch import save

    header = json.dumps({"format": _FORMAT, "version": _VERSION, "spec": spec})
    return save(weights, {"instanseg_export": header})


READER = SingleFileReader()
