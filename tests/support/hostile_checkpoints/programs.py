"""Pickles that call, unpack or claim what they should not, as steps that push one value."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from support.hostile_checkpoints.steps import call, keyed_laugh, laugh, name, number, plain, storage, text, view

__all__ = ["programs"]


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
