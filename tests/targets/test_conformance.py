"""Targets keep what every target promises: ours, and one that can do nothing that a target may leave out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from instanseg_export.testing.target import TargetSuite
from support.folder_target import write_runtime

_PLUGIN = """
from pathlib import Path
from support.folder_target import FolderTarget
TARGET = FolderTarget(whole={whole})
RUNTIME = Path({runtime!r})
"""
_ENTRY_POINTS = """
[instanseg_export.targets]
folder = {module}:TARGET
[instanseg_export.runtimes]
folder = {module}:RUNTIME
"""


class TestTorchScript(TargetSuite):
    name = "torchscript"


class TestStaticOnnx(TargetSuite):
    name = "onnx_static"


class TestCoreML(TargetSuite):
    name = "coreml"


@pytest.mark.slow
class TestCoreMLNetwork(TargetSuite):
    name = "coreml_network"


@pytest.mark.slow
class TestExecuTorch(TargetSuite):
    name = "executorch"


class TestOnnx(TargetSuite):
    name = "onnx"


class TestExportedProgram(TargetSuite):
    name = "exported_program"


@pytest.mark.slow
class TestAotInductor(TargetSuite):
    name = "aot_inductor"

    def test_another_process_writes_the_same_bytes(self, *_: object, **__: object) -> None:
        pytest.skip("what a compiler writes has its time and place in it")

    def test_nothing_of_this_machine_is_in_it(self, *_: object, **__: object) -> None:
        pytest.skip("it is for this machine alone, as docs/embedseg.md says")


@pytest.mark.slow
class TestAotInductorNetwork(TestAotInductor):
    name = "aot_inductor_network"


class TestFolder(TargetSuite):
    """A format of another package, with all flags False but that it holds the whole forward."""

    name = "folder"
    whole = True

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def plugin(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Install the package, for processes that the tests start too."""
        place = tmp_path_factory.mktemp("plugin")
        runtime = write_runtime(place / "runtime")
        module = f"plugin_of_{cls.__name__}"  # Python keeps the module of another class under its name
        (place / f"{module}.py").write_text(_PLUGIN.format(whole=cls.whole, runtime=str(runtime)))
        metadata = place / "folder_plugin-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-plugin\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(_ENTRY_POINTS.format(module=module))
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(place)
            yield


class TestFolderOfNetwork(TestFolder):
    """The same, with the network alone."""

    whole = False
