"""A session around machine code of AOTInductor."""

from __future__ import annotations

import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from runner_protocol import METADATA_KEY, Request, Session, UnavailableError, read_facts

if TYPE_CHECKING:
    from torch import Tensor


def open_compiled(request: Request, *further: object) -> Session:
    """Load a compiled program.

    Args:
        request: what the command line asks for.
        *further: arguments that the program takes beside the image.

    Raises:
        UnavailableError: settings are asked for, which are fixed here.
    """
    for name in request.settings:
        raise UnavailableError(f"the setting {name} is fixed at export in this format")
    import torch._inductor
    from torch_session import TorchSession, torch_device

    with zipfile.ZipFile(request.model) as archive:
        names = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA_KEY}.json")]
        text = archive.read(names[0]).decode() if names else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call = torch._inductor.aoti_load_package(str(request.model))

    def module(image: Tensor) -> Any:
        result = call(image, *further)
        return tuple(result) if isinstance(result, list) else result

    return TorchSession(module, torch_device(request.device), request, read_facts(text))
