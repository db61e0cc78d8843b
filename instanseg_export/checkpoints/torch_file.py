"""Loading what ``torch.save`` wrote, with nothing in it executed."""

from __future__ import annotations

import pickle
import re
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

from ..errors import UnsafeFileError
from .archive import TorchArchive, damaged, first_line, kind_of
from .inert import check_pickle, code_error

__all__ = ["load_tensors"]


def load_tensors(path: Path) -> Any:
    """Load what ``torch.save`` wrote, in its present or its legacy form, refusing everything but plain data.

    Returns:
        Containers, numbers, strings and tensors on the CPU.

    Raises:
        UnsafeFileError: it refers to code, or is built to exhaust the machine.
        CheckpointError: it is damaged or no file of torch.
    """
    import torch

    _refuse_code(path)
    try:
        with torch.serialization.safe_globals(_numpy_scalars()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols that torch reads in part
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if name := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise code_error(path, name[1]) from error
        raise damaged(path, "it is no plain data in a pickle protocol that torch reads") from error
    except MemoryError as error:
        raise UnsafeFileError(
            f"{path} claims more data than fits into the memory.", hint="Get the file again, from a source you trust."
        ) from error
    except Exception as error:  # torch raises nearly every type on broken bytes
        raise damaged(path, f"torch cannot read it ({first_line(error)})") from error


def _refuse_code(path: Path) -> None:
    """Look at the pickles first: torch names what it refuses only in some protocols."""
    if kind_of(path) == "zip":
        with TorchArchive(path) as archive:
            archive.require_stored()
            check_pickle(BytesIO(archive.read("data.pkl")), path)
    else:
        with path.open("rb") as stream:
            check_pickle(stream, path)


def _numpy_scalars() -> list[Any]:
    """Training scripts save their scores as numpy scalars; these rebuild them and can do nothing else."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "?")]
    return [*((scalar, name) for name in names), np.dtype, *kinds]
