"""From a training checkpoint to one self-contained segmentation model per runtime, with proof that all agree.

Everything that the command line does is a function here, imported when it is first used::

    from instanseg_export import export
    result = export("checkpoint.pt", targets=["torchscript", "onnx"])
    print(result.report.summary())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    CardError,
    CheckpointError,
    ExportError,
    ImageError,
    InstansegExportError,
    OutputError,
    PackageError,
    ParityError,
    PublishError,
    RecipeError,
    RuntimeUnavailableError,
    SettingError,
    SpecError,
    TooLargeError,
    TrainingError,
    UnknownNameError,
    UnsafeFileError,
    UntrustedFileError,
)

if TYPE_CHECKING:
    from .api.bench import bench
    from .api.doctor import doctor
    from .api.evaluate import evaluate
    from .api.export import export
    from .api.export_server import export_server
    from .api.export_web import export_web
    from .api.inspect import inspect
    from .api.options import (
        BenchOptions,
        EvaluateOptions,
        ExportOptions,
        ExportWebOptions,
        PublishOptions,
        RunOptions,
        ServeOptions,
        ServerOptions,
        ValidateOptions,
    )
    from .api.publish import publish
    from .api.run import run, run_many
    from .api.segment_slide import segment_slide
    from .api.serve import serve
    from .api.validate import validate
    from .checkpoints import load_checkpoint, save_checkpoint
    from .families.registry import build_forward
    from .images import overlay, read_image, write_labels
    from .packaging import load_card, write_package, zip_package
    from .training.run import train

__version__ = "0.1.0"

__all__ = [
    "BenchOptions",
    "CardError",
    "CheckpointError",
    "EvaluateOptions",
    "ExportError",
    "ExportOptions",
    "ExportWebOptions",
    "ImageError",
    "InstansegExportError",
    "OutputError",
    "PackageError",
    "ParityError",
    "PublishError",
    "PublishOptions",
    "RecipeError",
    "RunOptions",
    "RuntimeUnavailableError",
    "ServeOptions",
    "ServerOptions",
    "SettingError",
    "SpecError",
    "TooLargeError",
    "TrainingError",
    "UnknownNameError",
    "UnsafeFileError",
    "UntrustedFileError",
    "ValidateOptions",
    "__version__",
    "bench",
    "build_forward",
    "doctor",
    "evaluate",
    "export",
    "export_server",
    "export_web",
    "inspect",
    "load_card",
    "load_checkpoint",
    "overlay",
    "publish",
    "read_image",
    "run",
    "run_many",
    "save_checkpoint",
    "segment_slide",
    "serve",
    "train",
    "validate",
    "write_labels",
    "write_package",
    "zip_package",
]

_MODULE_OF = {
    "BenchOptions": ".api.options",
    "EvaluateOptions": ".api.options",
    "ExportOptions": ".api.options",
    "ExportWebOptions": ".api.options",
    "PublishOptions": ".api.options",
    "RunOptions": ".api.options",
    "ServeOptions": ".api.options",
    "ServerOptions": ".api.options",
    "ValidateOptions": ".api.options",
    "bench": ".api.bench",
    "build_forward": ".families.registry",
    "doctor": ".api.doctor",
    "evaluate": ".api.evaluate",
    "export": ".api.export",
    "export_server": ".api.export_server",
    "export_web": ".api.export_web",
    "inspect": ".api.inspect",
    "load_card": ".packaging",
    "load_checkpoint": ".checkpoints",
    "overlay": ".images",
    "publish": ".api.publish",
    "read_image": ".images",
    "run": ".api.run",
    "run_many": ".api.run",
    "save_checkpoint": ".checkpoints",
    "segment_slide": ".api.segment_slide",
    "serve": ".api.serve",
    "train": ".training.run",
    "validate": ".api.validate",
    "write_labels": ".images",
    "write_package": ".packaging",
    "zip_package": ".packaging",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
