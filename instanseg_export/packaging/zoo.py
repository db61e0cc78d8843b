"""The BioImage Model Zoo's own test of a package, run here."""

from __future__ import annotations

import contextlib
import gc
import io
import warnings
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PackageError
from ..untrusted.boundary import present
from ..untrusted.yaml_texts import load_yaml
from .rdf_file import RDF_FILE, quiet_reader, without_lookups

__all__ = ["ZooCheck", "load_libraries", "zoo_test"]

_DEVICES = {"torchscript": ["cpu"], "onnx": ["CPUExecutionProvider"]}

_ORT_WARNINGS, _ORT_ERRORS = 2, 3


@dataclass(frozen=True)
class ZooCheck:
    """The zoo's verdict on one weights entry.

    Attributes:
        weights: the name of the entry, as in rdf.yaml.
        passed: whether every check passed.
        failures: what went wrong, one text per finding.
        warnings: what the zoo would rather have otherwise.
    """

    weights: str
    passed: bool
    failures: tuple[str, ...]
    warnings: tuple[str, ...]


def _texts(entries: Any, name: str) -> list[str]:
    return [f"{'.'.join(map(str, entry.loc)) or name}: {entry.msg}" for entry in entries]


def _verdict(weights: str, summary: Any) -> ZooCheck:
    # 30 is the zoo's level "warning"; below are remarks, as that all elements agree.
    failures, notes = [], []
    for detail in summary.details:
        failures += _texts(detail.errors, detail.name)
        notes += _texts((entry for entry in detail.warnings if entry.severity >= 30), detail.name)
    passed = summary.status == "passed" and not failures
    return ZooCheck(weights, passed, tuple(dict.fromkeys(failures)), tuple(dict.fromkeys(notes)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence prints, Python's warnings, remarks on axes, and ONNX Runtime's on settings that can be overridden."""
    import onnxruntime

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), quiet_reader():
        warnings.simplefilter("ignore")
        onnxruntime.set_default_logger_severity(_ORT_ERRORS)
        try:
            yield
        finally:
            onnxruntime.set_default_logger_severity(_ORT_WARNINGS)


@contextlib.contextmanager
def _set_aside() -> Iterator[None]:
    """Keep Python's search for garbage from what is there already: the test asks for six, and an export leaves much."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def load_libraries() -> None:
    """Load what the zoo's test needs, which takes two seconds."""
    with contextlib.suppress(Exception):  # it is raised again where they are needed
        import bioimageio.core  # noqa: F401


def zoo_test(folder: Path, *, lookups: bool = False) -> list[ZooCheck]:
    """Let bioimageio.core test each weights entry of a package, on the CPU and to the end.

    Each entry must reproduce the test output and take every declared batch size and image size. Nothing is printed.

    Args:
        folder: of the package.
        lookups: whether to ask the web for the addresses and GitHub for the names in the card, as the zoo does.

    Raises:
        PackageError: the folder has no rdf.yaml that describes a model.
    """
    from bioimageio.core import test_model
    from bioimageio.spec import InvalidDescr, ValidationContext, build_description

    path = folder / RDF_FILE
    if not present(path, PackageError):
        raise PackageError(f"{folder} has no {RDF_FILE}.", hint="Give the folder of a package that was exported.")
    content = load_yaml(path, "a description of a model", PackageError, hint="Export the model again.")
    if not isinstance(content, dict) or content.get("type") != "model":
        raise PackageError(f"{path} does not describe a model.", hint="Export the model again.")
    if not lookups:
        content = without_lookups(content)
    untested = [output.get("id") for output in content.get("outputs", []) if "test_tensor" not in output]
    if untested:
        reason = (
            f"the zoo takes no test output of zeros, and {' and '.join(map(str, untested))} is zero all over the "
            f"samples of this package: export it with --samples in which it is not"
        )
        return [ZooCheck(name, False, (reason,), ()) for name in content.get("weights", {})]
    checks = []
    with _quiet(), _set_aside():
        for name in content.get("weights", {}):
            # A fresh description for each entry: the test appends its findings to it.
            with ValidationContext(root=folder.resolve(), file_name=RDF_FILE, perform_io_checks=True):
                description = build_description(deepcopy(content))
            if isinstance(description, InvalidDescr):
                return [_verdict(entry, description.validation_summary) for entry in content["weights"]]
            devices = _DEVICES.get(name)
            summary = test_model(description, weight_format=name, devices=devices, stop_early=False)
            checks.append(_verdict(name, summary))
    return checks
