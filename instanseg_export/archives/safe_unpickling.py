"""Unpickling without executing anything: a pickle is a program, and this machine knows the steps that build plain data.

Python's own unpickler calls what a file names. Here a name is a mark, and what may be made of it stands in a table of
exact names, each with a function of ours that checks its arguments (:mod:`.pickle_rules`).
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..limits import MAX_PICKLE_DEPTH, MAX_PICKLE_VALUES
from ..untrusted.boundary import allowed, plain

__all__ = ["Global", "InertObject", "MalformedPickleError", "Opaque", "Rules", "unpickle"]

_LONGEST_INTEGER = 4096
"""Bits. Generators of random numbers keep their state in a few hundred; some billion cannot even be printed."""

_LARGEST_KEY = 2**61 - 1
"""Larger numbers as keys share their hashes, and a dict of such keys takes hours."""


class MalformedPickleError(ValueError):
    """What is wrong with a pickle, in words that follow "its pickle cannot be read"."""


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


@dataclass(frozen=True)
class Global:
    """A name of a class, a function or a constant, which stands for itself alone."""

    module: str
    name: str

    def __str__(self) -> str:
        return plain(f"{self.module}.{self.name}", 120)


@dataclass(frozen=True, eq=False)
class Opaque:
    """What stands for data of which no network of ours is made, such as a sparse tensor.

    Attributes:
        what: in words, with an article.
    """

    what: str


class InertObject:
    """What stands in for an object of a class that the file defines: its attributes, and no behaviour at all.

    Attributes:
        attributes: name to value; values are plain data, tensors or further inert objects.
    """

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}


class Rules(Protocol):
    """What names and marks of a file become."""

    def check(self, name: Global) -> None:
        """Refuse a name that stands for code."""
        ...

    def call(self, name: Global, arguments: tuple[Any, ...]) -> Any:
        """Return what a call would have made."""
        ...

    def persistent(self, mark: Any) -> Any:
        """Return what stands outside of the pickle: the data of tensors."""
        ...


def unpickle(stream: _Stream, rules: Rules) -> Any:
    """Return what the pickle that starts here holds: plain data, and whatever ``rules`` make.

    It is limited in steps, in size and depth of what it builds, and in what may be a key, so that neither building nor
    walking through the result takes long.

    Args:
        stream: is read up to the end of this pickle; ``read`` must not reserve memory for more than there is.
        rules: for names and marks.

    Raises:
        MalformedPickleError: it is damaged, has a step that no data needs, or too many.
        Exception: of nearly every type: bytes that are no pickle make the parser of the steps stumble.
    """
    value = _Machine(rules).run(stream)
    _check_nesting(value)
    return value


class _Machine:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, stream: _Stream) -> Any:
        most = allowed(MAX_PICKLE_VALUES)
        for count, (step, argument, _) in enumerate(pickletools.genops(stream)):  # type: ignore[arg-type]
            if count >= most:
                raise MalformedPickleError(f"it has more than {most:,} steps")
            if step.name == "STOP":
                return self._pop()
            if step.name in _CONSTANTS:
                self._push_constant(argument)
            else:
                action = _STEPS.get(step.name)
                if action is None:
                    raise MalformedPickleError(f"the step {step.name} builds no plain data")
                action(self, argument)
        raise MalformedPickleError("it has no end")

    # The stack

    def _pop(self) -> Any:
        if not self._stack:
            raise MalformedPickleError("a value is missing")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise MalformedPickleError("a value is missing")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        if not self._below:
            raise MalformedPickleError("the start of a list is missing")
        items, self._stack = self._stack, self._below.pop()
        return items

    def _push_constant(self, value: Any) -> None:
        if type(value) is int and value.bit_length() > _LONGEST_INTEGER:
            raise MalformedPickleError(f"a number has {value.bit_length():,} bits")
        self._stack.append(value)

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _drop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_to_mark()

    def _drop_to_mark(self, _: Any) -> None:
        self._pop_to_mark()

    # Containers

    def _append(self, _: Any) -> None:
        item = self._pop()
        self._extend([item])

    def _appends(self, _: Any) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise MalformedPickleError(f"items are added to {_kind(target)}")
        target.extend(items)

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def _set_items(self, _: Any) -> None:
        self._update(self._pop_to_mark())

    def _update(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is not dict:
            raise MalformedPickleError(f"keys are added to {_kind(target)}")
        target.update(_pairs(items))

    def _add_items(self, _: Any) -> None:
        items, target = self._pop_to_mark(), self._top()
        if type(target) is not set:
            raise MalformedPickleError(f"members are added to {_kind(target)}")
        target.update(map(as_key, items))

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise MalformedPickleError("a value is missing")
        items = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        self._stack.append(tuple(items))

    def _collect(self, kind: Callable[[list[Any]], Any]) -> None:
        items = self._pop_to_mark()
        self._stack.append(kind(items))

    # The memo

    def _get(self, place: Any) -> None:
        if place not in self._memo:
            raise MalformedPickleError(f"nothing was put at place {place}")
        self._stack.append(self._memo[place])

    def _put(self, place: Any) -> None:
        self._memo[place] = self._top()

    # Names

    def _name(self, argument: Any) -> None:
        module, _, name = str(argument).partition(" ")
        self._push_name(module, name)

    def _stack_name(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise MalformedPickleError("a name is no text")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        found = Global(module, name)
        self._rules.check(found)
        self._stack.append(found)

    def _call(self, _: Any) -> None:
        arguments, called = self._pop(), self._pop()
        if not isinstance(called, Global) or not isinstance(arguments, tuple):
            raise MalformedPickleError(f"{_kind(called)} is called")
        self._stack.append(self._rules.call(called, arguments))

    def _build(self, _: Any) -> None:
        """Set the state of an object: that of objects of ours; what torch and numpy keep there is not needed."""
        state, target = self._pop(), self._top()
        if isinstance(target, InertObject):
            if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
                raise MalformedPickleError("the attributes of an object are no names with values")
            target.attributes = state

    def _persistent(self, mark: Any) -> None:
        self._stack.append(self._rules.persistent(mark))


def _kind(value: Any) -> str:
    return str(value) if isinstance(value, Global) else f"a {type(value).__name__}"


def as_key(key: Any) -> Any:
    """Return what may be a key of a dict or a member of a set.

    Raises:
        MalformedPickleError: it is another value: hashes of nested tuples alone can take hours.
    """
    if key is None or type(key) in (str, bytes, bool, float) or (type(key) is int and abs(key) < _LARGEST_KEY):
        return key
    raise MalformedPickleError(f"{_kind(key)} is used as a key")


def _pairs(items: list[Any]) -> Mapping[Any, Any]:
    if len(items) % 2:
        raise MalformedPickleError("a key has no value")
    return {as_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


_CONSTANTS = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    }
)
"""Steps that push their argument."""

_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "NONE": lambda machine, _: machine._push_constant(None),
    "NEWTRUE": lambda machine, _: machine._push_constant(True),
    "NEWFALSE": lambda machine, _: machine._push_constant(False),
    "EMPTY_LIST": lambda machine, _: machine._push_constant([]),
    "EMPTY_DICT": lambda machine, _: machine._push_constant({}),
    "EMPTY_TUPLE": lambda machine, _: machine._push_constant(()),
    "EMPTY_SET": lambda machine, _: machine._push_constant(set()),
    "LIST": lambda machine, _: machine._collect(list),
    "DICT": lambda machine, _: machine._collect(_pairs),
    "TUPLE": lambda machine, _: machine._collect(tuple),
    "FROZENSET": lambda machine, _: machine._collect(lambda items: frozenset(map(as_key, items))),
    "TUPLE1": lambda machine, _: machine._tuple(1),
    "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    "MARK": _Machine._mark,
    "POP": _Machine._drop,
    "POP_MARK": _Machine._drop_to_mark,
    "DUP": lambda machine, _: machine._stack.append(machine._top()),
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "ADDITEMS": _Machine._add_items,
    "GET": _Machine._get,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": lambda machine, _: machine._put(len(machine._memo)),
    "GLOBAL": _Machine._name,
    "STACK_GLOBAL": _Machine._stack_name,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "BUILD": _Machine._build,
    "PERSID": _Machine._persistent,
    "BINPERSID": lambda machine, _: machine._persistent(machine._pop()),
}
"""Steps of plain data. Those of old-style instances, of registered extensions and of data elsewhere are none."""


def _check_nesting(value: Any) -> None:
    """Refuse what cannot be walked through: rings, deep nests, and containers that multiply by being shared.

    Raises:
        MalformedPickleError: it is one of these.
    """
    most_depth, most_values = MAX_PICKLE_DEPTH, allowed(MAX_PICKLE_VALUES)
    known: dict[int, tuple[int, int]] = {}  # of each container: values in it, levels below
    way: list[tuple[Any, list[Any]]] = [(value, _parts(value))]
    open_ = {id(value)}
    while way:
        one, left = way[-1]
        while left:
            part = left.pop()
            if id(part) in open_:
                raise MalformedPickleError("its containers contain each other")
            if id(part) not in known and (inner := _parts(part)):
                way.append((part, inner))
                open_.add(id(part))
                break
        else:
            way.pop()
            open_.discard(id(one))
            below = [known.get(id(part), (1, 0)) for part in _parts(one)]
            found = 1 + sum(count for count, _ in below), 1 + max((depth for _, depth in below), default=0)
            known[id(one)] = found
            if found[0] > most_values:
                raise MalformedPickleError(f"it holds more than {most_values:,} values")
            if found[1] > most_depth:
                raise MalformedPickleError(f"its containers are nested in more than {most_depth} levels")


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return list(value)
    return list(value.attributes.values()) if isinstance(value, InertObject) else []
