# Compiled by torch.jit.script: annotations have to be real types here.
"""Whether a file may be run: what is ours passes, and what reads or writes files does not, however it is spelt."""

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from instanseg_export import bench, build_forward, inspect, load_checkpoint, run, validate
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.cli.consent import with_trust
from instanseg_export.errors import InstansegExportError, PackageError, UnsafeFileError, UntrustedFileError
from instanseg_export.images.named import NamedImage
from instanseg_export.targets import write_artifact
from instanseg_export.targets.torchscript.code import suspicious
from instanseg_export.targets.trust import check_trust
from support import embedseg_runs, iaunet_models, sam_models, two_stage_models
from support.paths import DEMO, DEMO_IMAGES

IMAGE = DEMO_IMAGES / "histology.png"


# Ours


def _checkpoints(folder: Path) -> dict[str, Callable[[], Checkpoint]]:
    def sam(kind: str) -> Checkpoint:
        spec = sam_models.sam_spec(kind)
        return Checkpoint(spec, sam_models.sam_network(spec), Path("random"), "0" * 64, "test")

    def made(write: Callable[[Path], Path]) -> Checkpoint:
        return load_checkpoint(write(folder))

    return {
        "instanseg": lambda: load_checkpoint(DEMO),
        "iaunet, swin": lambda: iaunet_models.random_checkpoint(),
        "iaunet, resnet": lambda: iaunet_models.random_checkpoint(iaunet_models.RESNET, normalization="percentile"),
        **{f"sam, {kind}": partial(sam, kind) for kind in sam_models.KINDS},
        "classified": lambda: made(two_stage_models.classified_recipe),
        "volumes": lambda: made(lambda place: embedseg_runs.write_volume_run(place / "run")),
    }


@pytest.mark.parametrize("family", list(_checkpoints(Path())))
def test_what_we_export_runs_without_a_question(tmp_path: Path, family: str) -> None:
    checkpoint = _checkpoints(tmp_path)[family]()
    path = tmp_path / "instanseg.pt"
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, path)
    assert suspicious(path) == []
    check_trust(path)


@pytest.mark.parametrize("variant", ["nuclei_batchnorm", "nuclei_cells_channelnet", "multihead_seeds2_coords4"])
def test_so_do_genuine_variants_with_augmentation(shared: Path, tmp_path: Path, variant: str) -> None:
    checkpoint = load_checkpoint(shared / "checkpoints" / variant)
    write_artifact("torchscript", build_forward(checkpoint, {"tta": True}), checkpoint, tmp_path / "instanseg.pt")
    assert suspicious(tmp_path / "instanseg.pt") == []


# Those of others


class Reads(nn.Module):
    """Reads a file into its result."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1] * 0 + torch.from_file("/etc/passwd", False, 4, dtype=torch.uint8).sum()


class Writes(nn.Module):
    """Writes a file where it is run."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, image: Tensor) -> Tensor:
        written = torch.from_file(self.path, True, 16, dtype=torch.uint8).fill_(65)
        return image[:, :1] * 0 + written.sum()


class Saves(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, image: Tensor) -> Tensor:
        torch.save(image, self.path)
        return image[:, :1] * 0


class SavesWhenLoaded(nn.Module):
    """Writes a file while it is loaded, before anybody runs it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return (self.path, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path = state[0]
        self.training = state[1]
        torch.save([1], self.path)

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1] * 0


class Harmless(nn.Module):
    """Finds nothing in any image."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1] * 0


def _script(module: nn.Module, path: Path, metadata: str | None = None) -> Path:
    extra = {} if metadata is None else {"instanseg_export.json": metadata}
    torch.jit.save(torch.jit.script(module), path, _extra_files=extra)
    return path


@pytest.fixture(scope="module")
def own_words(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a file of ours says of itself, which anybody can copy."""
    path = tmp_path_factory.mktemp("ours") / "instanseg.pt"
    checkpoint = load_checkpoint(DEMO)
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, path)
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("instanseg_export.json")]
        return archive.read(name).decode()


@pytest.mark.parametrize("forged", [False, True])
@pytest.mark.parametrize("kind", [Reads, Writes, Saves, SavesWhenLoaded])
def test_a_file_that_touches_files_is_not_run_whatever_it_says_of_itself(
    tmp_path: Path, own_words: str, kind: type[nn.Module], forged: bool
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("x" * 16)
    module = kind() if kind is Reads else kind(str(victim))
    path = _script(module, tmp_path / "instanseg.pt", own_words if forged else None)
    for work in (
        lambda: run(path, IMAGE, output=tmp_path / "out"),
        lambda: validate(path, runtimes=["torchscript"]),
        lambda: bench([path], runtimes=["torchscript"], size=64, turns=1),
    ):
        with pytest.raises(UntrustedFileError, match=r"from_file|save") as caught:
            work()
        assert "--trust" in caught.value.hint
    assert victim.read_text() == "x" * 16
    assert not (tmp_path / "out").exists()


def test_a_harmless_file_of_others_is_run_once_it_is_trusted(tmp_path: Path) -> None:
    path = _script(Harmless(), tmp_path / "instanseg.pt")
    with pytest.raises(UntrustedFileError, match="names only operators that compute"):
        run(path, IMAGE, output=tmp_path / "out")
    result = run(path, IMAGE, output=tmp_path / "out", trust=True)
    assert [found.instances for found in result.found] == [0]
    assert any("copy" in note for note in result.notes)


class WritesToItsInput(nn.Module):
    """Clamps the caller's tensor in place, as InstanSeg's own file does."""

    def forward(self, image: Tensor) -> Tensor:
        return (image.clamp_(-0.5, 0.5)[:, :1] > 0.4).float()


def test_a_file_that_writes_to_its_input_gets_a_copy(tmp_path: Path) -> None:
    path = _script(WritesToItsInput(), tmp_path / "instanseg.pt")
    result = run(path, IMAGE, output=tmp_path / "out", trust=True, settings={"normalize": "never"})
    assert result.found[0].instances == 1
    assert any("given a copy" in note for note in result.notes)
    image = NamedImage("noise", np.random.default_rng(0).normal(0, 9, (3, 20, 20)).astype(np.float32), "drawn")
    assert "given copies" in validate(path, images=[image], trust=True).summary()


SPELLINGS = {
    "operator": "torch.from_file(p, True, 4)",
    "in a namespace": "ops.aten.from_file(p, True, 4)",
    "overload": "ops.aten.save(x, p)",
    "method of a text": "(p).from_file(True, 4)",
    "method of a tensor": "x.save(p)",
    "alias": "f(p, True, 4)",
    "alias of the module": "t.from_file(p, True, 4)",
    "by name": 'getattr(p, "from_file")(True, 4)',
    "by name, aliased": 'getattr(p, "from_file")',
    "result of a call": "g()(p)",
    "deeper": "torch.jit.load(p)",
    "foreign namespace": "ops.image.read_file(p)",
    "class of libtorch": "__torch__.torch.classes.rpc.Thing(p)",
    "unknown function": "open(p)",
    "unknown operator": "torch.brand_new(p)",
    "remote": "ops.prim.rpc_sync(p)",
    "thread": "fork(x)",
}


def _with_code(source: Path, path: Path, change: Callable[[str], str], **members: str) -> Path:
    """Copy a TorchScript file and change its code."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data.decode()) if name.endswith(".py") else data)
        for name, text in members.items():
            new.writestr(name, text)
    return path


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("defined", [False, True])
def test_every_way_to_name_an_operator_is_seen(tmp_path: Path, spelling: str, defined: bool) -> None:
    """Also where the file defines something of the same name."""
    source = _script(Harmless(), tmp_path / "harmless.pt")
    assert suspicious(source) == []
    body = f'    p = "x"\n    t = torch\n    f = torch.from_file\n    y = {SPELLINGS[spelling]}\n'
    own = "".join(f"  def {name}(self) -> int:\n    return 1\n" for name in ("from_file", "save", "load", "rpc_sync"))

    def change(code: str) -> str:
        assert "def forward" in code
        code = re.sub(r"(  def forward\(.*?\) -> Tensor:\n)", lambda found: found[1] + body, code, flags=re.DOTALL)
        return code + own if defined else code

    alone = SPELLINGS[spelling].startswith(("f(", "t."))
    if not alone:
        body = f'    p = "x"\n    y = {SPELLINGS[spelling]}\n'
    assert suspicious(_with_code(source, tmp_path / "changed.pt", change))


def test_every_operator_of_this_pytorch_that_may_touch_files_is_known() -> None:
    """Names that speak of files, among all operators that every value has as methods."""
    names = {schema.name for schema in torch._C._jit_get_all_schemas()}
    of_values = {name.removeprefix("aten::") for name in names if name.startswith("aten::")}
    speaking = {
        name for name in of_values if re.search(r"(^|_)(file|files|save|load|open|path|socket|exec|system)(_|$)", name)
    }
    assert speaking == {"from_file", "save"}


def _containers(source: Path) -> Iterator[tuple[str, bytes]]:
    data = source.read_bytes()
    yield "flatbuffer in front", b"\0\0\0\0PTMF" + data
    yield "something behind", data + b"\0" * 40
    yield "a comment", _rezip(source, comment=b"PK\5\6" + b"\0" * 18)
    yield "two of a name", _rezip(source, twice=True)
    yield "the old format", _rezip(source, extra={"archive/model.json": "{}"})
    yield "code of another kind", _rezip(source, extra={"archive/code/x.so": "code"})
    yield "nothing", b"PK\5\6" + b"\0" * 18
    yield "a class of libtorch", _rezip(source, extra={"archive/more.pkl": "c__torch__.torch.classes.x\nY\n."})


def _rezip(source: Path, comment: bytes = b"", twice: bool = False, extra: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
            if twice and name.endswith(".py"):
                with pytest.warns(UserWarning, match="Duplicate"):
                    new.writestr(name, old.read(name))
        for name, text in (extra or {}).items():
            new.writestr(name, text)
        new.comment = comment
    return stream.getvalue()


def test_a_container_that_others_may_read_differently_is_not_trusted(tmp_path: Path) -> None:
    source = _script(Harmless(), tmp_path / "harmless.pt")
    for what, data in _containers(source):
        (tmp_path / "changed.pt").write_bytes(data)
        assert suspicious(tmp_path / "changed.pt"), what


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\x80\x02." * 40, b"PK\3\4" + b"\0" * 100])
def test_what_is_no_torchscript_is_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "instanseg.pt").write_bytes(data)
    with pytest.raises(PackageError, match=r"instanseg\.pt"):
        suspicious(tmp_path / "instanseg.pt")
    with pytest.raises(InstansegExportError):
        run(tmp_path / "instanseg.pt", IMAGE, output=tmp_path / "out")


def test_inspect_runs_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    path = _script(Writes(str(victim)), tmp_path / "instanseg.pt")
    with pytest.raises(InstansegExportError):
        inspect(path)
    assert not victim.exists()


# ONNX


def test_an_onnx_file_with_operators_of_its_own_is_refused(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["b", 3, "h", "w"])
    labels = helper.make_tensor_value_info("instance_segmentation", TensorProto.FLOAT, None)
    node = helper.make_node("Segment", ["image"], ["instance_segmentation"], domain="com.evil")
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.evil", 1)]
    model = helper.make_model(helper.make_graph([node], "g", [image], [labels]), opset_imports=opsets)
    onnx.save(model, tmp_path / "model.onnx")
    for trust in (False, True):
        with pytest.raises(UnsafeFileError, match=r"com\.evil"):
            run(tmp_path / "model.onnx", IMAGE, output=tmp_path / "out", trust=trust)


# On the command line


def test_the_command_line_names_the_option_and_asks_at_a_terminal(tmp_path: Path) -> None:
    path = _script(Harmless(), tmp_path / "instanseg.pt")
    call = [sys.executable, "-m", "instanseg_export", "run", str(path), str(IMAGE), "--output", str(tmp_path / "out")]
    done = subprocess.run(call, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "--trust" in done.stderr
    document = subprocess.run([*call, "--trust", "--json"], capture_output=True, text=True, check=False)
    assert document.returncode == 0, document.stderr
    assert json.loads(document.stdout)["found"][0]["instances"] == 0


@pytest.mark.parametrize(("answer", "runs"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_a_person_at_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch, answer: str, runs: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    asked: list[bool] = []

    def work(trusted: bool) -> str:
        asked.append(trusted)
        if not trusted:
            raise UntrustedFileError("model.pt is a program from elsewhere.", hint="--trust")
        return "done"

    if runs:
        assert with_trust(work, False) == "done"
    else:
        with pytest.raises(UntrustedFileError):
            with_trust(work, False)
    assert asked == [False, True][: 1 + runs]
    assert "Run it all the same? [y/N]" in terminal.getvalue()
