"""What the options of several verbs share."""

# Annotations are values here: as words, the command line would look for them in the modules of classes that inherit.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from cyclopts import Parameter

from ...inference.image_options import Channel
from ..key_values import KeyValues

if TYPE_CHECKING:
    AnyPath = str | Path
else:
    AnyPath = Path  # what the command line makes of a word

__all__ = ["SHOWN", "AnyPath", "InEveryRuntime", "InEveryRuntimeKeywords", "Settings"]

Settings = Annotated[KeyValues, Parameter(name="--set")]
SHOWN = Parameter(show_default=True)


@dataclass(frozen=True, kw_only=True)
class InEveryRuntime:
    """What ``validate`` and ``bench`` share.

    Attributes:
        channels: Channels of your images that the model sees, by number from 1 or by name, in its order. Default: all.
        runtimes: Runtimes to use (instanseg-export doctor lists them). Default: all that are here.
        settings: Settings to override at run time, as in --set seed_threshold=0.6.
        trust: Run programs (.pt, .pt2) that instanseg-export did not write. They can read and write your files.
        overwrite: Replace an existing output of this tool, if nothing in it was added or changed.
    """

    channels: Sequence[Channel] = ()
    runtimes: Sequence[str] = ()
    settings: Settings = field(default_factory=dict)
    trust: bool = False
    overwrite: bool = False


class InEveryRuntimeKeywords(TypedDict, total=False):
    channels: Sequence[Channel]
    runtimes: Sequence[str]
    settings: Mapping[str, Any]
    trust: bool
    overwrite: bool
