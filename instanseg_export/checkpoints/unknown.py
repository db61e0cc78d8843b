"""Explaining why a file is no checkpoint that we can read."""

from __future__ import annotations

from pathlib import Path

from ..archives.safetensors_file import check_safetensors
from ..archives.script_module import read_script_module
from ..archives.torch_archive import TorchArchive, is_script_file, kind_of, peek
from ..archives.torch_file import load_tensors
from ..errors import CheckpointError
from ..families.registry import FAMILIES
from ..families.signatures import network_of
from ..untrusted.boundary import parsing, regular_file
from .readers import READERS

__all__ = ["explain"]

_MAGIC = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\x93NUMPY": "a NumPy array",
    b"\x08": "perhaps an ONNX model",
    b"\x1f\x8b": "a gzip archive",
}


def _known() -> str:
    return "Known are: " + "; ".join(reader.describes for reader in READERS) + "."


def _is_there(path: Path) -> bool:
    try:
        return path.is_symlink() or path.exists()
    except (OSError, ValueError):  # a name that none can have
        return False


def explain(path: Path) -> CheckpointError:
    """Return the error that says best why no reader recognises ``path``.

    Raises:
        CheckpointError: in place of returning it, where looking closer shows that the file is damaged or unsafe.
    """
    kind = kind_of(path)
    if kind == "missing":
        if _is_there(path):
            return CheckpointError(
                f"{path} cannot be opened.", hint="Check its permissions, and that it is no link to what is gone."
            )
        return CheckpointError(f"There is no file or folder {path}.", hint="Check the spelling and the current folder.")
    if kind == "special":
        regular_file(path, CheckpointError)
    if kind == "folder":
        return _explain_folder(path)
    if kind == "empty":
        return CheckpointError(f"{path} is empty (0 bytes).", hint="Copy or download the file again.")
    names = peek(path)
    networks = (network_of(names, family.signatures) for family in FAMILIES)
    if (network := next(filter(None, networks), None)) is not None:
        return CheckpointError(f"{path} belongs to a network of another family: {network}.", hint=_known())
    if is_script_file(path):
        with TorchArchive(path) as archive:
            read_script_module(archive)
        return CheckpointError(f"{path} is a TorchScript file, but of no network that we know.", hint=_known())
    if kind == "zip":
        with TorchArchive(path) as archive:
            if "data.pkl" not in archive:
                return CheckpointError(f"{path} is a zip file, but none that torch wrote.", hint=_known())
    if kind in ("zip", "pickle"):
        content = type(load_tensors(path)).__name__
        return CheckpointError(f"{path} holds a {content}, not the weights of a network that we know.", hint=_known())
    if kind == "safetensors":
        return _explain_safetensors(path)
    with path.open("rb") as stream:
        head = stream.read(16)
    looks = next((f": it looks like {text}" for magic, text in _MAGIC.items() if head.startswith(magic)), "")
    return CheckpointError(f"{path} is not a checkpoint{looks}.", hint=_known())


def _explain_folder(path: Path) -> CheckpointError:
    run_files = list(dict.fromkeys(name for family in FAMILIES for name in family.run_files))
    for name in run_files:
        if kind_of(path / name) not in ("missing", "folder") and not _is_recognised(path / name):
            return explain(path / name)
    fact = f"The folder {path} holds no training run: no {', '.join(run_files[:-1])} or {run_files[-1]} that fits."
    with parsing(path, "the folder", CheckpointError):
        files = sorted(entry for entry in path.iterdir() if entry.suffix in (".pt", ".pth", ".safetensors"))
    if not files:
        return CheckpointError(fact, hint="Give the folder of a training run, or a file.")
    if len(files) == 1 and not _is_recognised(files[0]):
        return explain(files[0])
    return CheckpointError(
        fact, hint=f"If you meant one of its files, name it: {', '.join(str(file) for file in files[:3])}."
    )


def _is_recognised(path: Path) -> bool:
    return any(reader.recognises(path) for reader in READERS)


def _explain_safetensors(path: Path) -> CheckpointError:
    check_safetensors(path)
    return CheckpointError(f"{path} has no description of a network that we know.", hint=_known())
