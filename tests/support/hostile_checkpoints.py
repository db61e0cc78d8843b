"""Files that are made to exhaust, deceive or take over the program that reads a checkpoint, each under a name.

:func:`members` yields them; ``tests/checkpoints/test_hostile_files.py`` gives them to the product, and longer campaigns
may. A member is built in a folder of its own, next to nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from support.training_runs import log_of, random_network, small_spec, upstream_state, write_log, write_run

__all__ = ["Member", "members"]

MARKER = b"encoder.0.conv0.0.weight"
"""The name by which a training run of InstanSeg is recognised."""


@dataclass(frozen=True)
class Member:
    """One hostile input.

    Attributes:
        name: unique.
        build: writes files into an empty folder and returns the path to be read.
        reader: what reads it: "checkpoint" or "card".
        spec: overrides of the command line.
        settings: settings that are baked in; the checkpoint is read first.
        harmless: it may also be read, with what is hostile in it ignored or cleaned.
    """

    name: str
    build: Callable[[Path], Path]
    reader: Literal["checkpoint", "card"] = "checkpoint"
    spec: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    harmless: bool = False


def members(canary: Path) -> Iterator[Member]:
    """Yield all members.

    Args:
        canary: a file that members would create if their code were executed.
    """
    yield from _pickles(canary)
    yield from _tensors()
    yield from _archives()
    yield from _safetensors()
    yield from _weights()
    yield from _descriptions()
    yield from _logs()
    yield from _properties()
    yield from _recipes()
    yield from _cards(canary)
    yield from _special_files()
    yield from _overrides()


# Pickles, assembled by hand


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def plain(value: Any) -> bytes:
    """The steps that push a value of plain data."""
    return pickle.dumps(value, 2)[2:-1]


def laugh(opening: bytes, closing: bytes, levels: int = 40, between: bytes = b"") -> bytes:
    """Containers of containers, each of which holds the one before ten times."""
    steps = opening + text("ha") + closing + b"q\x00"
    for level in range(1, levels):
        again = b"".join(between + b"h" + bytes([level - 1]) for _ in range(10))
        steps += opening + again + closing + b"q" + bytes([level])
    return steps


def keyed_laugh() -> bytes:
    steps = b"}q\x00"
    for level in range(1, 40):
        pairs = b"".join(text(str(place)) + b"h" + bytes([level - 1]) for place in range(10))
        steps += b"}(" + pairs + b"uq" + bytes([level])
    return steps


def storage(elements: Any = 4, key: Any = "0", kind: bytes = b"", place: Any = "cpu") -> bytes:
    steps = b"(" + text("storage") + (kind or name("torch", "FloatStorage"))
    return steps + plain(key) + plain(place) + (number(elements) if type(elements) is int else plain(elements)) + b"tQ"


def view(offset: Any, size: Any, stride: Any, data: bytes = b"") -> bytes:
    parts = (data or storage()) + plain(offset) + plain(size) + plain(stride) + b"\x89" + b"}"
    return call("torch._utils", "_rebuild_tensor_v2", parts)


def programs(canary: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Yield a name, steps that push one value, and whether a reader may take them for harmless."""
    huge = 20_000_000_000
    touch = text(f"touch {canary}")
    code = text(f"__import__('pathlib').Path({str(canary)!r}).touch()")
    for module in ("builtins", "__builtin__"):
        yield f"{module}.bytearray of a length", call(module, "bytearray", number(huge)), False
        yield f"{module}.bytes of a length", call(module, "bytes", number(huge)), False
        for function in ("eval", "exec", "compile"):
            yield f"{module}.{function}", call(module, function, code), False
        for function in ("getattr", "__import__", "open", "range", "input", "memoryview", "object", "type", "map"):
            yield f"{module}.{function}", call(module, function, text("os")), False
        yield f"{module}.set of a number", call(module, "set", number(huge)), False
        yield f"{module}.complex of texts", call(module, "complex", text("9" * 6000)), False
        yield f"{module}.list is called", call(module, "list", plain([1])), False
        yield f"{module}.int is called", call(module, "int", text("9" * 4000)), False
    for module, attribute in (
        *(("os", "system"), ("posix", "system"), ("nt", "system"), ("os", "popen"), ("subprocess", "Popen")),
        *(("subprocess", "check_output"), ("pty", "spawn"), ("webbrowser", "open"), ("runpy", "run_path")),
        *(("torch", "load"), ("torch.jit", "load"), ("torch.hub", "load"), ("torch.serialization", "os.system")),
        *(("torch.utils.model_zoo", "load_url"), ("torch.ops", "load_library"), ("torch", "hub.load")),
        *(("torch._utils", "_rebuild_tensor_v2.__globals__"), ("torch.storage", "_load_from_bytes")),
        *(("numpy", "load"), ("numpy", "fromfile"), ("numpy", "memmap"), ("numpy.testing", "runstring")),
        *(("numpy.f2py.crackfortran", "myeval"), ("collections", "namedtuple"), ("collections", "UserDict")),
        *(("_codecs", "decode"), ("codecs", "open"), ("functools", "partial"), ("operator", "attrgetter")),
        *(("torch.nn.modules.linear", "Linear"), ("pathlib", "PosixPath"), ("argparse", "Namespace")),
        *(("torch.fx.graph", "_exec"), ("torch._dynamo", "eval"), ("torch.distributed.rpc", "init_rpc")),
        *(("__torch__.Module", "eval"), ("\x1b[31m", "\x1b]0;title\x07"), ("m" * 100_000, "n"), ("", "")),
    ):
        yield f"{module[:20]!r}.{attribute!r} is called", call(module, attribute, touch), False
    for attribute in ("Tensor", "FloatTensor", "zeros", "ones", "empty", "arange", "FloatStorage", "UntypedStorage"):
        yield f"torch.{attribute} of a length", call("torch", attribute, number(2_000_000_000)), False
    yield "torch.Size of a length", call("torch", "Size", number(huge)), False
    yield "torch.nn.parameter.Parameter of nothing", call("torch.nn.parameter", "Parameter"), False
    yield "torch.device of anything", call("torch", "device", plain([1, 2])), True
    for kind in ("V2000000000", "S2000000000", "U500000000", "(1000,1000,1000)f8", "O", "f8" * 50_000):
        steps = call("numpy", "dtype", text(kind), plain(0), plain(1))
        yield f"numpy.dtype({kind[:20]})", steps, True
        for core in ("numpy.core", "numpy._core"):
            scalar = call(f"{core}.multiarray", "scalar", steps, b"U\x01a")
            yield f"{core} scalar of {kind[:20]}", scalar, True
    wrong = call("numpy.core.multiarray", "scalar", call("numpy", "dtype", text("f8")), b"C\x03abc")
    yield "a number of NumPy of three bytes", wrong, False
    array = call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), plain((0,)), b"U\x01b")
    yield "an array of NumPy of 2e9 numbers", array + plain((1, (2_000_000_000,), "f8", False, "")) + b"b", True
    yield "numpy.ndarray of a shape", call("numpy", "ndarray", plain((huge,))), False
    for attribute in ("OrderedDict", "Counter"):
        yield f"collections.{attribute} of a number", call("collections", attribute, number(huge)), False
        yield f"collections.{attribute} of no pairs", call("collections", attribute, plain([1, 2, 3])), False
        yield f"collections.{attribute} of laughs", call("collections", attribute, laugh(b"(", b"t")), False
    yield "collections.deque", call("collections", "deque", plain([]), number(huge)), False
    yield "collections.defaultdict of a call", call("collections", "defaultdict", name("os", "system")), False
    for encoding in ("utf-8", "utf-32", "zip", "bz2", "rot13", "idna", "unicode_escape"):
        yield f"_codecs.encode as {encoding}", call("_codecs", "encode", text("a" * 50), text(encoding)), False
    yield "_codecs.encode of a number", call("_codecs", "encode", number(huge)), False
    again = name("_codecs", "encode") + b"q\x01" + text("a" * 1_000_000) + text("latin1") + b"\x86q\x02"
    yield "a text encoded 20,000 times", b"]" + b"(" + again + b"0" + b"h\x01h\x02R" * 20_000 + b"e", False
    long = b"(" + b"N" * 100_000 + b"tq\x02"
    sizes = name("torch", "Size") + b"q\x01" + long + b"\x85q\x03"
    yield "a tuple copied 50,000 times", b"](" + sizes + b"0" + b"h\x01h\x03R" * 50_000 + b"e", False

    yield "laughs in lists", laugh(b"](", b"e"), False
    yield "laughs in tuples", laugh(b"(", b"t"), False
    yield "laughs in dicts", keyed_laugh(), False
    yield "laughs as a key", b"}" + laugh(b"(", b"t") + b"Ns", False
    yield "laughs in a set", b"\x8f(" + laugh(b"(", b"t") + b"\x90", False
    yield "laughs in a frozenset", b"(" + laugh(b"(", b"t") + b"\x91", False
    yield "a list in itself", b"]q\x00h\x00a", False
    yield "a dict in itself", b"}q\x00" + text("a") + b"h\x00s", False
    yield "a ring of two lists", b"]q\x00]q\x01h\x00a" + b"a", False
    yield "100,000 lists in each other", b"]" * 100_000 + b"a" * 99_999, False
    yield "100,000 tuples in each other", b")" + b"\x85" * 100_000, False
    yield "3,000,000 sets", b"](" + b"\x8f" * 3_000_000 + b"e", False
    yield "3,000,000 copies of a dict", b"](}" + b"2" * 3_000_000 + b"e", False
    colliding = b"".join(number(place * (2**61 - 1)) + b"N" for place in range(1, 50_000))
    yield "keys with one hash", b"}(" + colliding + b"u", False
    yield "a list as a key", b"}]Ns", False
    yield "a number of 8 million bits", b"\x8b" + struct.pack("<i", 1_000_000) + b"\x7f" * 1_000_000, False
    yield "a number of 6,000 digits", b"L" + b"9" * 6000 + b"L\n", False
    yield "an INT of 6,000 digits", b"I" + b"9" * 6000 + b"\n", False
    yield "a negative length", b"\x8b" + struct.pack("<i", -5), False
    for step, form in ((b"\x8e", "<Q"), (b"\x8d", "<Q"), (b"\x96", "<Q"), (b"B", "<I"), (b"X", "<I"), (b"T", "<i")):
        for claim in (2_000_000_000, huge, 2**62, 2**63 + 5):
            if claim < 2 ** (8 * struct.calcsize(form) - form.islower() * (form == "<i")):
                yield f"step {step!r} claims {claim:,} bytes", step + struct.pack(form, claim) + b"abc", False
    yield "a frame of 2**62 bytes", b"\x95" + struct.pack("<Q", 2**62) + b"N", True
    yield "a place of 2**31", b"Nr" + struct.pack("<I", 2**32 - 1), True
    yield "a place of 6,000 digits", b"Np" + b"9" * 6000 + b"\n", False
    yield "an empty place", b"h\x09", False
    for title, steps in {
        "an extension": b"\x82\x01",
        "an instance": b"(ios\nsystem\n",
        "an object": b"(" + name("os", "system") + b"o",
        "NEWOBJ_EX": name("torch", "Size") + b")}\x92",
        "NEWOBJ of code": name("os", "system") + b")\x81",
        "a buffer from elsewhere": b"\x97",
        "a read-only buffer": b"N\x98",
        "a step that there is not": b"\xff",
        "nothing on the stack": b"0" * 10,
        "no mark": b"t" * 3,
        "a call of a number": b"K\x01)R",
        "a call with a list": name("torch", "Size") + b"]R",
        "items for a number": b"K\x01Na",
        "keys for a list": b"]NNs",
        "members for a list": b"](N\x90",
        "a name of numbers": b"K\x01K\x02\x93",
        "a name on the stack": text("os") + text("system") + b"\x93" + touch + b"\x85R",
        "a dotted name on the stack": text("torch") + text("hub.os.system") + b"\x93" + touch + b"\x85R",
    }.items():
        yield title, steps, False
    yield "state for a dict", b"}" + plain({"__class__": 1, "_metadata": 2}) + b"b", True
    yield "state for a list", b"]" + plain({"__class__": 1}) + b"b", True
    for title, mark in {
        "a number": b"K\x01",
        "None": b"N",
        "a list": b"]",
        "an empty tuple": b")",
        "a short tuple": plain(("storage", 1)),
        "a module": plain(("module", 1, 2, 3, 4)),
        "a type that is text": plain(("storage", "FloatStorage", "0", "cpu", 4)),
        "a nested tuple": laugh(b"(", b"t", 5),
    }.items():
        yield f"data outside is {title}", mark + b"Q", False
    yield "data outside as text", b"Pstorage\n", False
    yield "data of code", storage(kind=name("os", "system")), False
    yield "data of a class that only starts like one", storage(kind=name("torch", "Tensor")), False
    for elements in (2_000_000_000, 10**13, -1, 2**70, 1.5, None, "4"):
        yield f"data of {elements} numbers", storage(elements), False
    for key in ("../../etc/passwd", "/etc/passwd", "\x1b[31m", "k" * 100_000, -1, 2**70, None, ["0"]):
        yield f"data called {str(key)[:20]!r}", storage(key=key), False
    yield "data on a device of a strange name", view(0, (4,), (1,), storage(place="\x1b" * 10)), True


def checkpoint_pickle(steps: bytes, protocol: int = 2) -> bytes:
    """A pickle of a training run's dict in which ``steps`` push the weights."""
    head = b"\x80" + bytes([protocol]) + b"}(" + text("name") + text(MARKER.decode()) + text("model_state_dict")
    return head + steps + b"u."


def script_pickle(steps: bytes) -> bytes:
    """A pickle of a TorchScript module in which ``steps`` push an attribute."""
    head = b"\x80\x02c__torch__\nModule\n)\x81}(" + text("default_x")
    return head + steps + text("pixel_size") + b"G?\xe0\x00\x00\x00\x00\x00\x00" + b"ub."


def archive(path: Path, entries: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED, root: str = "x/") -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for entry, data in entries.items():
            file.writestr(root + entry, data)
    return path


def legacy(content: bytes, keys: bytes = b"", data: bytes = b"") -> bytes:
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, system))
    return head + content + (keys or pickle.dumps(["0"], 2)) + (data or struct.pack("<q", 4) + bytes(16))


def zip_form(steps: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        entries = {"data.pkl": checkpoint_pickle(steps), "version": b"3\n", "data/0": bytes(16)}
        return archive(folder / "model_weights.pth", entries)

    return build


def legacy_form(steps: bytes) -> Callable[[Path], Path]:
    return lambda folder: written(folder / "model_weights.pth", legacy(checkpoint_pickle(steps)))


def script_form(steps: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        entries = {
            "data.pkl": script_pickle(steps),
            "code/m.py": b"",
            "constants.pkl": b"\x80\x02).",
            "data/0": bytes(16),
        }
        return archive(folder / "instanseg.pt", entries)

    return build


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def _pickles(canary: Path) -> Iterator[Member]:
    for title, steps, harmless in programs(canary):
        forms: dict[str, Callable[[Path], Path]] = {"zip": zip_form(steps), "legacy": legacy_form(steps)}
        forms["script"] = script_form(steps)
        for form, build in forms.items():
            yield Member(f"pickle, {form}: {title}", build, harmless=harmless)
    for protocol in (0, 1, 3, 4, 5):
        steps = pickle.dumps({"a": _Touch(canary)}, protocol)
        yield Member(f"pickle, bare: a command in protocol {protocol}", file_form("model_weights.pth", steps))
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            entries = {"data.pkl": steps + MARKER}
            yield Member(f"pickle, zip {packing}: a command in protocol {protocol}", entries_form(entries, packing))
    for title, content in {
        "an unknown protocol": b"\x80\x09N.",
        "no end": b"\x80\x02" + b"N" * 1000,
        "zeros": b"\x80\x02" + bytes(1000),
        "a long line": b"\x80\x02c" + b"a" * 1_000_000,
        "another version": legacy(b"").replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2)),
        "another order of bytes": legacy(b"").replace(b"endianq\x02\x88", b"endianq\x02\x89"),
        "no list of data": legacy(checkpoint_pickle(view(0, (4,), (1,))), b"\x80\x02N."),
        "a list of other data": legacy(checkpoint_pickle(view(0, (4,), (1,))), pickle.dumps(["1"], 2)),
        "more numbers than described": legacy(
            checkpoint_pickle(view(0, (4,), (1,))), data=struct.pack("<q", 2**40) + bytes(16)
        ),
        "a negative number of numbers": legacy(checkpoint_pickle(view(0, (4,), (1,))), data=struct.pack("<q", -4)),
        "data that ends early": legacy(checkpoint_pickle(view(0, (4,), (1,))), data=struct.pack("<q", 4) + bytes(3)),
    }.items():
        yield Member(f"legacy: {title}", file_form("model_weights.pth", content))


class _Touch:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def file_form(file: str, content: bytes | str) -> Callable[[Path], Path]:
    return lambda folder: written(folder / file, content)


def entries_form(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Callable[[Path], Path]:
    return lambda folder: archive(folder / "model_weights.pth", entries, compression=compression)


# Tensors


def _tensors() -> Iterator[Member]:
    for offset, size, stride in (
        *((0, (5,), (1,)), (1, (4,), (1,)), (0, (2, 3), (3, 1)), (0, (10**12,), (0,)), (0, (10**6, 10**6), (0, 0))),
        *((0, (2, 2), (10**15, 1)), (2**63, (1,), (1,)), (-1, (2,), (1,)), (0, (-2,), (1,)), (0, (2,), (-1,))),
        *((0, (2,), (1, 1)), (0, ("2",), (1,)), (None, (2,), (1,)), (0, (2**62, 2**62), (0, 0)), (0, (4.0,), (1,))),
        *((0, [4], [1]), (0, (1,) * 100, (1,) * 100), (0, (0, 2**61, 2**61), (1, 1, 1)), (0, (True,), (1,))),
        *((2**61, (0,), (1,)), (0, (2**63,), (0,)), (0, (3,), (2**62,)), (0, None, None), (0, (), (1,))),
    ):
        steps = b"}" + text(MARKER.decode()) + view(offset, size, stride) + b"s"
        shown = f"{offset} {size} {stride}"[:80]
        for form, build in (("zip", zip_form), ("legacy", legacy_form), ("script", script_form)):
            yield Member(f"tensor, {form}: {shown}", build(steps))
    many = b"(" + b"".join(text(f"w{place}") + view(0, (1 + place % 4,), (0,)) for place in range(5000)) + b"u"
    yield Member("tensor, zip: 5,000 views of one datum", zip_form(b"}" + many))
    for title, steps in {
        "sparse": call("torch._utils", "_rebuild_sparse_tensor", b"NN"),
        "quantised": call("torch._utils", "_rebuild_qtensor", b"N" * 7),
        "without data": call("torch._utils", "_rebuild_meta_tensor_no_storage", b"N", plain((10**9, 10**9))),
        "of a wrapper": call("torch._utils", "_rebuild_wrapper_subclass", b"N" * 5),
        "of a derived type": call(
            "torch._tensor", "_rebuild_from_type_v2", name("torch._tensor", "_rebuild_from_type_v2"), b"N)N"
        ),
        "a parameter of a parameter": call("torch.nn.parameter", "Parameter", call("torch.nn.parameter", "Parameter")),
        "of an unknown type": call(
            "torch._utils", "_rebuild_tensor_v3", storage(), plain(0), plain((4,)), plain((1,)), b"\x89}N"
        ),
        "with no data": call("torch._utils", "_rebuild_tensor_v2", b"N", plain(0), plain((4,)), plain((1,)), b"\x89}"),
    }.items():
        weights = b"}" + text(MARKER.decode()) + steps + b"s"
        yield Member(f"tensor, zip: {title}", zip_form(weights))
        yield Member(f"tensor, script: {title}", script_form(weights), harmless=False)


# Zip archives


def _archives() -> Iterator[Member]:
    good = {
        "data.pkl": checkpoint_pickle(b"}" + text(MARKER.decode()) + view(0, (4,), (1,)) + b"s"),
        "data/0": bytes(16),
    }
    bomb = bytes(100_000_000)

    def archived(title: str, change: Callable[[Path], None]) -> Member:
        def build(folder: Path) -> Path:
            path = archive(folder / "model_weights.pth", good)
            change(path)
            return path

        return Member(f"zip: {title}", build)

    def adding(entry: str, data: bytes = b"x", compression: int = 0) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            with zipfile.ZipFile(path, "a") as file:
                file.writestr(entry, data, compress_type=compression)

        return change

    def patching(place: int, form: str, value: int, magic: bytes = b"PK\x01\x02") -> Callable[[Path], None]:
        def change(path: Path) -> None:
            data = bytearray(path.read_bytes())
            at = data.find(magic)
            while at >= 0:
                struct.pack_into(form, data, at + place, value)
                at = data.find(magic, at + 4)
            path.write_bytes(data)

        return change

    for entry in ("../outside", "x/../../outside", "/absolute", "..\\outside", "C:\\outside", "\\\\host\\share", "//x"):
        yield archived(f"an entry {entry}", adding(entry))
    yield archived("two entries of one name", adding("x/data.pkl"))
    yield archived("an entry with colours", adding("x/\x1b[31m"))
    yield archived("an entry of a long name", adding("x/" + "n" * 60_000))
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Member(f"zip: a bomb, {compression}", entries_form({"data.pkl": bomb}, compression))
        yield archived(f"data in a bomb, {compression}", adding("x/data/1", bomb, compression))
    for place, form, title in (
        *((20, "<I", "packed size"), (24, "<I", "size"), (42, "<I", "offset"), (8, "<H", "flags")),
        *(
            (10, "<H", "method"),
            (28, "<H", "length of the name"),
            (30, "<H", "length of extras"),
            (16, "<I", "checksum"),
        ),
    ):
        for value in (1, 2 ** (8 * struct.calcsize(form)) - 1, 2 ** (8 * struct.calcsize(form) - 1) + 3):
            yield archived(f"{title} is {value}", patching(place, form, value))
    for place, form, title in (
        (8, "<H", "entries"),
        (10, "<H", "all entries"),
        (12, "<I", "directory"),
        (16, "<I", "start"),
    ):
        for value in (0, 2 ** (8 * struct.calcsize(form)) - 1):
            member = archived(f"the end says {title} {value}", patching(place, form, value, b"PK\x05\x06"))
            yield Member(member.name, member.build)

    def crowded(folder: Path) -> Path:
        record = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
        directory = b"".join(record + b"x/%06d" % place for place in range(400_000))
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 4, 0)
        return written(folder / "model_weights.pth", b"PK\x03\x04" + directory + end)

    yield Member("zip: 400,000 entries", crowded)
    for entries, title in (
        ({"data/0": bytes(16)}, "no pickle"),
        ({"data.pkl": good["data.pkl"]}, "no data"),
        ({**good, "byteorder": b"big"}, "another order of bytes"),
        ({**good, "data/0": b""}, "empty data"),
        ({**good, "data/0": bytes(3)}, "data of three bytes"),
        ({"data.pkl": b"", "code/x": b""}, "an empty pickle"),
        ({}, "nothing"),
    ):
        yield Member(f"zip: {title}", entries_form(entries))
    yield Member("zip: only a head", file_form("model_weights.pth", b"PK\x03\x04" + bytes(100)))
    for elements in (10_000_000, 70_000_000):
        steps = checkpoint_pickle(b"](" + b"N" * elements + b"e")
        yield Member(f"zip: a pickle of {elements:,} steps", entries_form({"data.pkl": steps}))


# safetensors


def _safetensors() -> Iterator[Member]:
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}

    def file(header: Any, data: bytes = bytes(16), length: int | None = None) -> Callable[[Path], Path]:
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        size = struct.pack("<Q", len(raw) if length is None else length)
        return file_form("weights.safetensors", size + raw + data)

    name = MARKER.decode()
    for length in (2**63, 2**40, 99_999_999, 2_000, 5):
        yield Member(f"safetensors: a header of {length:,} bytes", file({name: tensor}, length=length))
    yield Member("safetensors: a header of 10 MB", file({name: tensor, "__metadata__": {"a": "b" * 10_000_000}}))
    headers: dict[str, dict[str, Any]] = {
        "an unknown type": {"dtype": "F77"},
        "offsets beyond the end": {"data_offsets": [0, 10**12]},
        "offsets that turn": {"data_offsets": [16, 0]},
        "negative offsets": {"data_offsets": [-16, 0]},
        "a shape too large": {"shape": [10**12]},
        "a shape that overflows": {"shape": [2**40, 2**40]},
        "a negative shape": {"shape": [-4]},
        "a shape of fractions": {"shape": [4.0]},
        "no shape": {"shape": None},
        "whole numbers": {"dtype": "I32"},
        "a NaN": {"shape": [float("nan")]},
    }
    for title, change in headers.items():
        yield Member(f"safetensors: {title}", file({name: {**tensor, **change}}))
    yield Member("safetensors: overlapping data", file({name: tensor, "b": tensor}))
    yield Member("safetensors: a gap", file({name: {**tensor, "data_offsets": [16, 32]}}, bytes(32)))
    yield Member("safetensors: deep nests", file(b'{"a":' + b"[" * 100_000))
    yield Member("safetensors: no text", file(b'{"\xff\xfe": 1}'))
    many = {f"t{place}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for place in range(40_000)}
    yield Member("safetensors: 40,000 tensors", file({name: tensor, **many}))
    yield Member(
        "safetensors: a name of 1 MB",
        file({name: tensor, "n" * 1_000_000: {**tensor, "shape": [0], "data_offsets": [16, 16]}}),
    )
    ours = "instanseg-export checkpoint"
    for title, said in {
        "no JSON": ours,
        "deep JSON": '{"format": "' + ours + '", "spec": ' + "[" * 10_000,
        "a number too large": f'{{"format": "{ours}", "version": 1e999}}',
        "6,000 digits": f'{{"format": "{ours}", "version": {"9" * 6000}}}',
        "a key twice": f'{{"format": "{ours}", "format": "{ours}"}}',
        "a list": f'["{ours}"]',
        "another version": f'{{"format": "{ours}", "version": "\\u001b[31m"}}',
        "no description": f'{{"format": "{ours}", "version": 1}}',
        "half a surrogate pair": f'{{"format": "{ours}", "version": 1, "spec": "\\ud800"}}',
    }.items():
        header = {"__metadata__": {"instanseg_export": said}, name: tensor}
        yield Member(f"safetensors, description: {title}", file(header))


# Weights that torch itself saved


def run_with(change: Callable[[dict[str, Any]], Any], **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        write_run(folder)
        state = upstream_state(random_network(small_spec()))
        state = change(state) or state
        torch.save({"model_state_dict": state}, folder / "model_weights.pth", **options)
        return folder

    return build


def _weights() -> Iterator[Member]:
    first = MARKER.decode()
    shape = (4, 3, 3, 3)
    for title, value in {
        "NaN": lambda: torch.full(shape, torch.nan),
        "infinity": lambda: torch.full(shape, torch.inf),
        "too large for float32": lambda: torch.full(shape, 1e300, dtype=torch.float64),
        "sparse": lambda: torch.ones(shape).to_sparse(),
        "compressed": lambda: torch.ones(4, 3).to_sparse_csr(),
        "complex": lambda: torch.ones(shape, dtype=torch.complex64),
        "quantised": lambda: torch.quantize_per_tensor(torch.ones(shape), 0.1, 0, torch.qint8),
        "meta": lambda: torch.empty((10**6, 10**6), device="meta"),
        "whole numbers": lambda: torch.ones(shape, dtype=torch.int64),
        "booleans": lambda: torch.ones(shape, dtype=torch.bool),
        "one number, expanded": lambda: torch.ones(1).expand(shape),
        "one number, expanded to 1e12": lambda: torch.ones(1).expand(10**6, 10**6, 1, 1),
        "empty": lambda: torch.ones(0, 3, 3, 3),
        "no dimension": lambda: torch.tensor(1.0),
        "another shape": lambda: torch.ones(4, 3, 3),
        "a list": lambda: [1.0, 2.0],
        "a number": lambda: 1.0,
        "None": lambda: None,
    }.items():

        def replace(state: dict[str, Any], value: Callable[[], Any] = value) -> None:
            state[first] = value()

        for form in (True, False):
            yield Member(f"weights, {form}: {title}", run_with(replace, _use_new_zipfile_serialization=form))
    for key, shown in (
        (3, "a number"),
        ("\x1b[31m", "colours"),
        ("n" * 1_000_000, "1 MB"),
        ("encoder.999.conv0.0.weight", "level 999"),
    ):

        def add(state: dict[str, Any], key: Any = key) -> None:
            state[key] = torch.ones(1)

        yield Member(f"weights: a name of {shown}", run_with(add))

    def crowd(state: dict[str, Any]) -> None:
        one = torch.ones(1000, 1000, dtype=torch.float16)
        state.update({f"w{place}": one for place in range(20_000)})

    yield Member("weights: one tensor under 20,000 names", run_with(crowd))

    def immense(state: dict[str, Any], part: str, value: float) -> None:
        for key in state:
            if key.endswith(part):
                state[key] = torch.full_like(state[key], value)

    for part, number in (
        (".1.running_var", -1.0),
        (".1.running_var", -1e-5),
        (".1.weight", 3e38),
        (".1.running_mean", 3e38),
    ):
        title = f"batch norm: {part} is {number}"
        change = partial(immense, part=part, value=number)
        yield Member(title, run_with(change), settings={"seed_threshold": "0.5"}, harmless=part == ".1.running_mean")


# Descriptions in files of ours


ODD_NUMBERS: tuple[Any, ...] = (10**9, -1, 1e308, float("nan"), "nan", 10**400, [], {}, "\x1b[31m")
ODD_TEXTS: tuple[Any, ...] = (
    "\x1b[31mred", "a\nb", "\u202eabc", "n" * 1_000_000, ["n"] * 100_000, {"a": [[[1]]]}, None, [1],
)  # fmt: skip


def _descriptions() -> Iterator[Member]:
    def file(change: dict[str, Any] | str, backbone: dict[str, Any] | None = None) -> Callable[[Path], Path]:
        def build(folder: Path) -> Path:
            spec = small_spec().model_dump(mode="json")
            if isinstance(change, dict):
                spec |= change
                spec["backbone"] |= backbone or {}
            state = random_network(small_spec()).state_dict()
            weights = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
            said = change if isinstance(change, str) else json.dumps(spec)
            content = {"format": "instanseg-export checkpoint", "version": 1, "spec": said, "weights": weights}
            path = folder / "checkpoint.pt"
            torch.save(content, path)
            return path

        return build

    for key in ("channels", "dim_coords", "n_sigma", "dim_seeds", "mlp_width", "pixel_size"):
        for value in ODD_NUMBERS:
            yield Member(f"description: {key} is {type(value).__name__} {str(value)[:20]!r}", file({key: value}))
    for key in ("name", "family", "structures", "source_datasets", "settings"):
        for value in ODD_TEXTS:
            yield Member(
                f"description: {key} is {type(value).__name__} {str(value)[:20]!r}", file({key: value}), harmless=True
            )
    backbones: tuple[dict[str, Any], ...] = (
        *({"in_channels": 10**9}, {"layers": [10**9]}, {"layers": [4] * 60}, {"layers": []}, {"layers": [65536] * 8}),
        *({"heads": [[10**9]]}, {"heads": [[1] * 5000]}, {"heads": []}, {"norm": "layer"}, {"kind": "\x1b[31m"}),
        *({"kind": "cellsam"}, {"layers": [[4]]}, {"layers": "4"}, {"in_channels": None}),
    )
    for change in backbones:
        yield Member(f"description: backbone {str(change)[:50]}", file({}, change))
    encoder = {"in_channels": 3, "patch": 8, "grid": 4, "width": 8, "head_width": 4, "mlp_width": 8, "neck": 4}
    for depth, extra in ((1_000_000, {}), (200, {"width": 65536}), (1, {"grid": 10**9}), (1, {"patch": 10**9})):
        vit = {**encoder, "attention_windows": [0] * depth, **extra}
        yield Member(
            f"description: an encoder of {depth} blocks {extra}",
            file({"backbone": {"kind": "cellposesam", "vit": vit, "heads": [[5]]}}),
        )
    swin = {"kind": "swin", "dim": 96, "depths": [2, 2, 6, 2], "heads": [3, 6, 12, 24], "window": 7}
    iaunets: dict[str, dict[str, Any]] = {
        "many blocks": {"blocks_per_level": 10**9},
        "many queries": {"queries": 10**9},
        "a large hidden layer": {"hidden": 65536, "dim": 65536},
        "a deep encoder": {"encoder": {**swin, "depths": [10**9] * 4}},
        "a fairly deep encoder": {"encoder": {**swin, "depths": [256] * 4}},
        "a wide encoder": {"encoder": {**swin, "dim": 49152}},
        "a large window": {"encoder": {**swin, "window": 1024}},
        "classes with colours": {"classes": ["\x1b[31ma", "\u202eb"]},
    }
    for title, fields in iaunets.items():
        spec = {"family": "iaunet", "name": "x", "channels": 3, "encoder": swin, **fields}
        yield Member(f"description of an IAUNet: {title}", file(json.dumps(spec)))
    embedsegs: dict[str, dict[str, Any]] = {
        "a large grid": {"grid": [10**18, 10**18]},
        "an endless extent": {"extent": [1e308, 1e308]},
        "no extent": {"extent": [None, 1]},
        "an extent of nan": {"extent": ["nan", 1]},
        "three axes": {"grid": [2, 2, 2]},
    }
    for title, fields in embedsegs.items():
        spec = {"family": "embedseg", "name": "x", "channels": 1, "grid": [64, 64], "extent": [1, 1], **fields}
        yield Member(f"description of an EmbedSeg: {title}", file(json.dumps(spec)))
    for title, said in {
        "deep": "[" * 100_000,
        "NaN": '{"family": NaN}',
        "a key twice": '{"family": "instanseg", "family": "embedseg"}',
        "6,000 digits": '{"family": ' + "9" * 6000 + "}",
        "empty": "",
        "a long family": json.dumps({"family": "f" * 1_000_000}),
        "a family with colours": json.dumps({"family": "\x1b[31m"}),
        "many values": "[" + "0," * 2_000_000 + "0]",
        "half a surrogate pair": '{"family": "\\ud800"}',
    }.items():
        yield Member(f"description: {title}", file(said))


# What lies beside weights


def with_file(relative: str, content: bytes | str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        write_run(folder)
        (folder / relative).parent.mkdir(exist_ok=True)
        written(folder / relative, content)
        return folder

    return build


HOSTILE_TEXTS: dict[str, bytes | str] = {
    "zeros": bytes(1000),
    "UTF-16": "a,b".encode("utf-16"),
    "no text": b"\xff\xfe\xfa",
    "2 MB": "a,b\n" * 500_000,
    "an open quote": 'model_str,"' + "x" * 200_000,
    "a field of 500 kB": "model_str," + "x" * 500_000,
    "colours": "model_str,\x1b[31m\x1b]0;t\x07\n",
    "colours in a name": "\x1b[31m,1\n\x1b[31m,2\n",
    "a mark of order": "\ufeffmodel_str\n",
    "many cells": "a," * 100_000,
    "carriage returns": "a\rb\rc",
}


def _logs() -> Iterator[Member]:
    for title, content in HOSTILE_TEXTS.items():
        yield Member(f"log: {title}", with_file("experiment_log.csv", content))
        yield Member(f"best params: {title}", with_file("Results/best_params.csv", content), harmless=True)

    def logged(key: str, value: Any) -> Callable[[Path], Path]:
        def build(folder: Path) -> Path:
            write_run(folder)
            write_log(folder, {**log_of(small_spec()), key: value})
            return folder

        return build

    for key in (
        "dim_in",
        "dim_coords",
        "layers",
        "requested_pixel_size",
        "multihead",
        "norm",
        "mlp_width",
        "model_str",
    ):
        for value in (
            *("9" * 6000, "1e308", "-1e308", "1e999", "inf", "-inf", "-nan", "[" * 3000, "-" * 3000 + "1", "\x1b[31m"),
            *("[1" + ",1" * 60_000 + "]", "9**9**9", "'a'*10**10", "{" * 100, "0x" + "f" * 3000, "\u0661\u0662", "1_0"),
        ):
            yield Member(f"log: {key} is {value[:12]!r}, {len(value)}", logged(key, value), harmless=len(value) < 4)
    for value in (
        "['\x1b[31m']",
        "[" * 90_000,
        "['n'" + ",'n'" * 20_000 + "]",
        "\u202e",
        "n" * 100_000,
        "{1: 2}",
        "-" * 1000,
    ):
        yield Member(f"log: source_dataset is {value[:12]!r}", logged("source_dataset", value), harmless=True)
    for name_ in ("seed_threshold", "peak_distance", "min_size", "cleanup_fragments", "unknown"):
        for value in (
            "1e999",
            "-1e999",
            "nan",
            "9" * 4000,
            "'\x1b[31m'",
            "[[1]]",
            "{}",
            "None",
            "1e308",
            "1j",
            "b'x'",
            "()",
        ):
            build = with_file("Results/best_params.csv", f'{name_},"{value}"\n')
            yield Member(f"best params: {name_} is {value[:10]!r}", build, harmless=True)


def embedseg(folder: Path, properties: bytes | str) -> Path:
    from instanseg_export.families.embedseg.network import BranchedERFNet

    state = BranchedERFNet(1, (4, 1), 2).state_dict()
    torch.save(
        {"model_state_dict": {"encoder.initial_block.conv.weight": torch.ones(13, 1, 3, 3), **state}},
        folder / "best_iou_model.pth",
    )
    written(folder / "data_properties.json", properties)
    return folder


def _properties() -> Iterator[Member]:
    for title, content in {
        **{key: value for key, value in HOSTILE_TEXTS.items() if "mark" not in key},
        "deep": "[" * 100_000,
        "deep keys": '{"a":' * 50_000,
        "1e999": '{"n_x": 1e999}',
        "6,000 digits": '{"n_x": ' + "9" * 6000 + "}",
        "300 digits": '{"n_x": ' + "9" * 300 + "}",
        "NaN": '{"n_x": NaN}',
        "a key twice": '{"n_x": 1, "n_x": 2}',
        "many values": "[" + "0," * 500_000 + "0]",
        "a norm with colours": '{"norm": "\\u001b[31m"}',
        "a norm of lists": '{"norm": [[[[1]]]]}',
        "a negative size": '{"n_x": -5}',
        "a text for a size": '{"n_x": "nan"}',
        "half a surrogate pair": '{"norm": "\\ud800"}',
        "true": '{"n_x": true}',
        "nothing": "",
        "null": "null",
    }.items():
        yield Member(f"data properties: {title}", partial(embedseg, properties=content))


YAMLS: dict[str, bytes | str] = {
    "a date that there is not": "KEY: 2001-99-99",
    "a date": "KEY: 2001-01-01",
    "an empty number": "KEY: !!int ''",
    "a number of text": "KEY: !!float x",
    "6,000 digits": "KEY: " + "9" * 6000,
    "sixty in sixty": "KEY: " + ":".join(["1"] * 5000),
    "1e999": "KEY: 1e999",
    ".inf": "KEY: .inf",
    "a list as a key": "[a]: 1",
    "a dict as a key": "{a: 1}: 2",
    "binary": "KEY: !!binary " + base64.b64encode(bytes(100)).decode(),
    "a set": "KEY: !!set {a, b}",
    "pairs": "KEY: !!omap [a: 1]",
    "code": "KEY: !!python/object/apply:os.system ['touch CANARY']",
    "a name of code": "KEY: !!python/name:os.system",
    "a new object": "KEY: !!python/object/new:os.system ['touch CANARY']",
    "a key twice": "KEY: 1\nKEY: 2",
    "a tab": "\tKEY: 1",
    "zeros": "KEY: a\0b",
    "UTF-16": "KEY: a".encode("utf-16"),
    "no text": b"KEY: \xff",
    "an escape": 'KEY: "\\e[31m"',
    "half a surrogate pair": 'KEY: "\\ud800"',
    "a list in itself": "KEY: &a [*a]",
    "a dict in itself": "KEY: &a {b: *a}",
    "a merge with itself": "KEY: &a {<<: *a}",
    "deep lists": "KEY: " + "[" * 50_000,
    "deep blocks": "- " * 50_000,
    "deep dicts": "KEY: " + "{a: " * 10_000,
    "too large": "KEY: " + "x" * 2_000_000,
    "many values": "KEY: [" + "0," * 400_000 + "]",
    "two documents": "KEY: a\n---\nKEY: b",
    "no document": "",
    "a list": "- a\n- b",
    "text": "hello",
    "an unknown version": "%YAML 9.9\n---\nKEY: a",
    "an unknown tag": "KEY: !mine a",
    "an alias of nothing": "KEY: *b",
    "150 aliases": "a: &a 1\nKEY: [" + "*a ," * 150 + "]",
    "a long text": "KEY: " + "x" * 500_000,
    "a long key": "x" * 900_000 + ": 1",
    "a key with colours": '"\\e[31m": 1',
    "many entries": "KEY: [" + "a," * 50_000 + "]",
    "many wrong entries": "KEY: [" + "{b: 1}," * 50_000 + "]",
}


def yaml_laugh(merge: bool) -> str:
    lines = ["l0: &l0 " + ("{k: ha}" if merge else "[ha, ha]")]
    for level in range(1, 12):
        again = ",".join([f"*l{level - 1}"] * 8)
        lines.append(f"l{level}: &l{level} " + (f"{{<<: [{again}], k{level}: 1}}" if merge else f"[{again}]"))
    return "\n".join([*lines, "KEY: *l11"])


def _yaml_texts(key: str, canary: str) -> Iterator[tuple[str, bytes | str]]:
    laughs = {"laughs": yaml_laugh(False), "laughs by merging": yaml_laugh(True)}
    for title, content in {**YAMLS, **laughs}.items():
        if isinstance(content, str):
            yield title, content.replace("KEY", key).replace("CANARY", canary)
        else:
            yield title, content


def _recipes() -> Iterator[Member]:
    for title, content in _yaml_texts("name", "nothing"):
        yield Member(f"recipe: {title}", file_form("recipe.yaml", content))
    whole = {"family": "classified", "segmentation": "seg.pt", "classifier": "c.pth", "classes": ["a", "b"]}
    for key, value in {
        "pixel_size": 1e308,
        "segmentation_pixel_size": "nan",
        "crop_size": 10**12,
        "heads": 10**12,
        "divisor": 1e999,
        "name": "n" * 100_000,
        "classes": ["c"] * 50_000,
        "segmentation": "recipe.json",
        "classifier": "/dev/zero",
        "settings": {"a": [[[[]]]]},
        "family": "\x1b[31m",
        "\x1b[31m": 1,
        "k" * 100_000: 1,
    }.items():
        yield Member(
            f"recipe: {key[:20]!r} is {str(value)[:20]}", file_form("recipe.json", json.dumps({**whole, key: value}))
        )
    for path in (
        "/dev/zero",
        "/dev/null",
        "/dev/stdin",
        "../..",
        ".",
        "/proc/self/mem",
        "\0",
        "n" * 5000,
        "/etc/passwd",
    ):
        content = json.dumps({**whole, "segmentation": path})
        yield Member(f"recipe: the segmentation is {path[:20]!r}", file_form("recipe.json", content))


CARD = {"name": "my nuclei", "description": "Finds nuclei.", "authors": [{"name": "Ada"}], "license": "MIT"}


def _cards(canary: Path) -> Iterator[Member]:
    for key in ("name", "description", "authors", "samples", "pixel_size"):
        rest = "".join(f"{one}: {json.dumps(value)}\n" for one, value in CARD.items() if one != key)
        for title, content in _yaml_texts(key, str(canary)):
            full: bytes | str = rest + content if isinstance(content, str) else rest.encode() + content
            if title.startswith(("deep blocks", "a list", "text", "no doc")):
                full = content
            fine = key in ("name", "description") or title in ("a date", "a merge with itself")
            yield Member(f"card, {key}: {title}", file_form("card.yaml", full), "card", harmless=fine)
    wrong: tuple[dict[str, Any], ...] = (
        *({"samples": ["/etc/passwd"]}, {"samples": ["../secret.png"]}, {"samples": ["/dev/zero"]}, {"samples": ["."]}),
        *({"samples": ["\0"]}, {"samples": ["n" * 900]}, {"samples": ["x.png\x1b[31m"]}, {"license": "L" * 900}),
        *({"license": "\x1b[31m"}, {"version": "1.1.1-" + "a" * 100_000}, {"tags": ["\u202eabc"]}, {"tags": [1]}),
        *({"authors": [{"name": "A\nB"}]}, {"authors": [{"name": "A", "email": "a@" + "." * 900}]}),
        *(
            {"authors": [{"name": "A", "email": "a@" + "b." * 100_000}]},
            {"authors": [{"name": "A", "orcid": "0" * 900}]},
        ),
        *({"authors": [{"name": "A"}] * 2000}, {"pixel_size": 1e308}, {"pixel_size": -1}, {"pixel_size": "nan"}),
        *({"channel_names": []}, {"channel_names": ["\x07"]}, {"cite": [{"text": "\x1b", "doi": "10.1234/a"}]}),
        *({"documentation": "\x1b]0;title\x07"}, {"description": "\u2066a"}, {"git_repo": "https://a\x1b[31m"}),
        *({"maintainers": [{"github_user": "a" * 100_000}]}, {"k" * 100_000: 1}, {"\x1b[31m": 1}, {"name": "n" * 900}),
    )
    for fields in wrong:
        title = f"card: {str(fields)[:60]!r} {len(str(fields))}"
        yield Member(title, file_form("card.yaml", json.dumps({**CARD, **fields})), "card", harmless="email" in title)


# What is no regular file


def _special_files() -> Iterator[Member]:
    def pipe(path: Path) -> None:
        os.mkfifo(path)

    def folder(path: Path) -> None:
        path.mkdir()

    def gone(path: Path) -> None:
        path.symlink_to(path.parent / "gone")

    def ring(path: Path) -> None:
        path.symlink_to(path)

    def zero(path: Path) -> None:
        path.symlink_to("/dev/zero")

    def listening(path: Path) -> None:
        here = Path.cwd()
        os.chdir(path.parent)  # for the path of a socket may have a hundred characters
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)

    kinds = {
        "pipe": pipe,
        "folder": folder,
        "link to nothing": gone,
        "ring of links": ring,
        "device": zero,
        "socket": listening,
    }
    for kind, make in kinds.items():

        def alone(place: Path, make: Callable[[Path], None] = make, file: str = "x.pt") -> Path:
            make(place / file)
            return place / file

        for file in ("x.pt", "model_weights.pth", "x.safetensors", "recipe.yaml", "best_iou_model.pth"):
            yield Member(f"{kind}: {file}", partial(alone, file=file))
        yield Member(f"{kind}: the card", partial(alone, file="card.yaml"), "card")

        def beside(place: Path, file: str, make: Callable[[Path], None] = make) -> Path:
            write_run(place)
            (place / "Results").mkdir()
            (place / file).unlink(missing_ok=True)
            make(place / file)
            return place

        for file in ("model_weights.pth", "experiment_log.csv", "Results/best_params.csv"):
            yield Member(f"{kind}: {file} in a run", partial(beside, file=file))

        def properties(place: Path, make: Callable[[Path], None] = make) -> Path:
            embedseg(place, "{}")
            (place / "data_properties.json").unlink()
            make(place / "data_properties.json")
            return place

        yield Member(f"{kind}: data properties", properties)

        def sample(place: Path, make: Callable[[Path], None] = make) -> Path:
            make(place / "a.png")
            return written(place / "card.yaml", json.dumps({**CARD, "samples": ["a.png"]}))

        yield Member(f"{kind}: a sample", sample, "card")

        def part(place: Path, make: Callable[[Path], None] = make, key: str = "segmentation") -> Path:
            recipe = {
                "family": "classified",
                "segmentation": "run",
                "classifier": "c.pth",
                "classes": ["a", "b"],
                key: "odd.pt",
            }
            write_run(place / "run")
            make(place / "odd.pt")
            return written(place / "recipe.json", json.dumps(recipe))

        for key in ("segmentation", "classifier"):
            yield Member(f"{kind}: the {key} of a recipe", partial(part, key=key))


# The command line


def _overrides() -> Iterator[Member]:
    def build(folder: Path) -> Path:
        return write_run(folder / "run")

    for key in ("pixel_size", "channels", "dim_coords", "window", "mlp_width"):
        for value in (
            "1e308",
            "-1",
            "0",
            "inf",
            "9" * 4000,
            "9" * 6000,
            "\x1b[31m",
            "x" * 100_000,
            "1e999",
            "[]",
            "''",
        ):
            yield Member(f"--spec {key}={value[:10]!r} {len(value)}", build, spec={key: value})
    for key, value in (("name", "\x1b[31m\u202e"), ("source_datasets", "\x1b[31m," * 50), ("name", "n" * 100_000)):
        yield Member(f"--spec {key}={value[:10]!r}", build, spec={key: value}, harmless=len(value) < 1000)
    for key in ("structures", "norm", "feature_engineering", "aggregation", "k" * 50_000, "\x1b[31m"):
        yield Member(f"--spec {key[:20]!r}=…", build, spec={key: "\x1b[31m" * 100})
    for key in ("seed_threshold", "min_size", "normalize", "target_segmentation", "tta", "k" * 50_000, "\x1b[31m"):
        for value in ("1e999", "nan", "-inf", "9" * 4000, "9" * 6000, "\x1b[31m", "x" * 100_000, "[[[[", "1," * 50_000):
            yield Member(f"--set {key[:20]!r}={value[:10]!r} {len(value)}", build, settings={key: value}, harmless=True)
