"""Our runtimes in Python keep what every runtime promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from instanseg_export import build_forward
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.base import SegmentationForward
from instanseg_export.targets import write_artifact
from instanseg_export.testing.runtime import Array, RuntimeSuite
from support.iaunet_models import RESNET, random_checkpoint


class TestTorchScript(RuntimeSuite):
    name = "torchscript"


class TestOnnxRuntime(RuntimeSuite):
    name = "onnxruntime"


class TestOnnxRuntimeStatic(RuntimeSuite):
    name = "onnxruntime_static"


class TestCoreMLInterpreter(RuntimeSuite):
    name = "coreml_interpreter"


@pytest.mark.slow
class TestCoreMLNetworkInterpreter(RuntimeSuite):
    name = "coreml_network_interpreter"


@pytest.mark.slow
class TestExecuTorch(RuntimeSuite):
    name = "executorch"


class TestOnnxRuntimeUnoptimised(RuntimeSuite):
    name = "onnxruntime_unoptimised"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
class TestOnnxRuntimeTf32(RuntimeSuite):
    name = "onnxruntime_tf32"
    device = "cuda"


class TestExportedProgram(RuntimeSuite):
    name = "exported_program"


@pytest.mark.slow
class TestAotInductor(RuntimeSuite):
    name = "aot_inductor"


@pytest.mark.slow
class TestAotInductorNetwork(RuntimeSuite):
    name = "aot_inductor_network"


class TestOpenVino(RuntimeSuite):
    name = "openvino"


class TestTorchEager(RuntimeSuite):
    """It rebuilds the forward of a registered family."""

    name = "torch_eager"

    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls) -> Checkpoint:
        return random_checkpoint(RESNET)

    @pytest.fixture(scope="class")
    @classmethod
    def forward(cls, checkpoint: Checkpoint) -> SegmentationForward:
        return build_forward(checkpoint)

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls) -> list[Array]:
        generator = np.random.default_rng(0)
        shapes = (2, 3, 40, 33), (1, 3, 64, 48)
        return [generator.uniform(0, 255, shape).astype(np.float32) for shape in shapes]

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> dict[str, float]:
        return {"score_threshold": 0.99}

    @pytest.fixture(scope="class")
    @classmethod
    def model(
        cls, checkpoint: Checkpoint, forward: SegmentationForward, tmp_path_factory: pytest.TempPathFactory
    ) -> Path:
        path = tmp_path_factory.mktemp("model") / "instanseg.pt"
        write_artifact("torchscript", forward, checkpoint, path)
        return path
