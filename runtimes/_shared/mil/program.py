"""An ML program of a saved .mlpackage: read with its weights, and executed operation by operation."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .operations import OPERATIONS

_FRAMEWORKS = ("executorch", "pandas", "sklearn", "tensorflow", "torchao", "torchvision", "xgboost")
_PROGRAM, _WEIGHTS = "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights"


class MilProgram:
    """A program with one function.

    Args:
        path: of the .mlpackage.

    Attributes:
        properties: its user-defined metadata.
        shapes: of the inputs, by name.

    Raises:
        ValueError: it holds no ML program, or one with operations that are not known here.
    """

    def __init__(self, path: Path) -> None:
        # coremltools loads, for ten seconds, every framework it finds that it could convert from, and needs none here.
        sys.modules.update({name: None for name in _FRAMEWORKS if name not in sys.modules})  # type: ignore[misc]
        from coremltools.converters.mil.frontend.milproto.load import load
        from coremltools.proto import Model_pb2

        spec = Model_pb2.Model()
        spec.ParseFromString((path / _PROGRAM).read_bytes())
        if spec.WhichOneof("Type") != "mlProgram":
            raise ValueError("the package holds no ML program")
        self.properties = dict(spec.description.metadata.userDefined)
        program = load(spec, spec.specificationVersion, str(path / _WEIGHTS))
        self._function = program.functions["main"]
        self._operations = [one for one in self._function.operations if one.op_type != "const"]
        self.shapes = {name: tuple(map(int, value.shape)) for name, value in self._function.inputs.items()}
        if unknown := sorted({one.op_type for one in self._operations} - set(OPERATIONS)):
            raise ValueError(f"the interpreter does not know the operations {', '.join(unknown)}")
        self._reads = Counter(name for one in self._operations for name in _read(one))
        self._outputs = [value.name for value in self._function.outputs]

    def run(self, feeds: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return the outputs by name.

        Args:
            feeds: an array for each input.

        Raises:
            ValueError: an operation is used in a form that is not known here, or gives what it should not.
        """
        values: dict[str, Any] = {value.name: feeds[name] for name, value in self._function.inputs.items()}
        left = self._reads.copy()
        for one in self._operations:
            inputs = {name: _value(value, values) for name, value in one.inputs.items() if value is not None}
            try:
                with np.errstate(all="ignore"):
                    found = OPERATIONS[one.op_type](inputs)
            except NotImplementedError as error:
                raise ValueError(f"the interpreter does not know {error} (operation {one.name})") from error
            for value, array in zip(one.outputs, found if isinstance(found, tuple) else (found,), strict=True):
                array = np.asarray(array)
                if array.shape != tuple(map(int, value.shape)):
                    raise ValueError(f"{one.op_type} {one.name} gives {array.shape} instead of {tuple(value.shape)}")
                values[value.name] = array
            for name in _read(one):  # free what nobody reads any more
                left[name] -= 1
                if not left[name] and name not in self._outputs:
                    values.pop(name, None)
        return {name: values[name] for name in self._outputs}


def _read(operation: Any) -> list[str]:
    """Return the names of the values that an operation reads, once for each time."""
    names = []
    for value in operation.inputs.values():
        names += [one.name for one in (value if isinstance(value, (tuple, list)) else (value,)) if one is not None]
    return names


def _value(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_value(one, values) for one in value)
    return values.get(value.name, value.val)
