"""The README of a packaged model: what it is, how to use it, where its limits are, and how it was checked.

It is read in the zoo and in QuPath, whose viewer knows neither tables nor pictures that lie beside the README: so there
are lists, and no picture (the zoo shows the cover by itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..untrusted.markdown import entries, escape, without_html
from .card import UNKNOWN_AUTHOR, UNSTATED_LICENSE, Card
from .card_text import authors, citations, training_data
from .contents import Contents
from .samples import Sample

if TYPE_CHECKING:
    from ..parity.precision_records import PrecisionRecord
    from ..parity.report import Report

__all__ = ["readme", "readme_name"]


def readme_name(card: Card) -> str:
    """Return the file name under which QuPath looks for the README."""
    return f"{card.name}_README.md"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _facts(model: Contents) -> str:
    card, structures = model.card, list(map(escape, model.structures))
    names = model.channel_names
    channels = "any number" if names is None else f"{len(names)} ({', '.join(map(escape, names))})"
    rows = [
        ("Finds", " and ".join(structures)),
        ("Input", f"{_what(model)}, float32, (batch, channels, {_sizes(model)}), of any range and any size"),
        ("Channels", channels),
        ("Pixel size", f"{model.pixel_size:g} µm" if model.pixel_size else "not known"),
        (
            "Output",
            f"label map, float32, (batch, {len(structures)}, {_sizes(model)}): {', '.join(structures)}; 0 is "
            "background, each instance has an id from 1 on",
        ),
        ("Version", card.version),
        ("Authors", authors(card)),
        ("Licence", "not stated, see below" if _is_placeholder(card) else card.license),
    ]
    return entries(rows)


def _what(model: Contents) -> str:
    return "image" if model.forward.dimensions == 2 else "volume"


def _sizes(model: Contents) -> str:
    return "height, width" if model.forward.dimensions == 2 else "depth, height, width"


def _is_placeholder(card: Card) -> bool:
    return card.license == UNSTATED_LICENSE and all(author.name == UNKNOWN_AUTHOR for author in card.authors)


def _settings(model: Contents) -> str:
    from ..targets import TARGETS
    from ..targets.settings import is_fixed

    formats = [TARGETS.get(name) for name in TARGETS.names() if model.file_of(name) is not None]
    rows = []
    for setting, row in zip(model.forward.settings, model.setting_rows, strict=True):
        allowed = ", ".join(row.choices)
        if row.minimum is not None:
            allowed = f"{_cell(row.minimum)} to {_cell(row.maximum)}"
        if row.kind == "bool":
            allowed = "on, off"
        stuck = [target.name for target in formats if target.whole and is_fixed(setting, target)]
        fixed = f" Fixed in {', '.join(stuck)}." if stuck else ""
        text = row.help[0].upper() + row.help[1:]
        value = _cell(model.baked[row.name])
        rows.append((f"`{row.name}` = {value}", f"{text}{fixed}{f' Allowed: {allowed}.' if allowed else ''}"))
    return entries(rows)


def _limits(model: Contents) -> str:
    limits = (
        "The model knows what it was trained on. Check it on a few of your own images before you count anything.",
        *model.checkpoint.spec.limits,
        "An image that is cut into tiles needs a client that joins the instances at their borders, as QuPath does.",
    )
    return "\n".join(f"- {limit}" for limit in limits)


def _usage(model: Contents) -> str:
    card, parts = model.card, []
    if torchscript := model.file_of("torchscript"):
        scale = (
            f"QuPath rescales your image to {model.pixel_size:g} µm per pixel."
            if model.pixel_size
            else "The model's pixel size is not known, and QuPath takes it for 1 µm. Give the downsample in a script, "
            "or export the model again with `pixel_size` in its card."
        )
        parts.append(f"""\
### QuPath

1. Close QuPath, and copy this folder into the folder `local` in the InstanSeg extension's model directory.
2. *Extensions > InstanSeg > Run InstanSeg*, choose `local/{card.name}-{card.version}`, and select an annotation.

{scale}

### Fiji

{_fiji(model)}
""")
    if onnx := model.file_of("onnx"):
        parts.append(f"""\
### Python, with ONNX Runtime alone

```python
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("{onnx}", providers=["CPUExecutionProvider"])
image = np.load("test-input.npy")  # float32, (batch, channels, {_sizes(model)})
labels = session.run(["instance_segmentation"], {{"image": image}})[0]
print(labels.shape, "instances:", len(np.unique(labels)) - 1)
```

Settings are further inputs of the same names, as in `{{"image": image, "seed_threshold": np.float32(0.6)}}`.
""")
    if torchscript:
        parts.append(f"""\
### Python, with PyTorch alone

```python
import numpy as np, torch
model = torch.jit.load("{torchscript}")
image = torch.from_numpy(np.load("test-input.npy"))
labels = model(image, {{"seed_threshold": torch.tensor(0.6)}})
```
""")
    if program := model.file_of("exported_program"):
        parts.append(f"""\
### Python, with torch.export

```python
import numpy as np, torch
module = torch.export.load("{program}").module()
labels = module(torch.from_numpy(np.load("test-input.npy")))
```

Settings are buffers of the same names, as in `module.get_buffer("seed_threshold").fill_(0.6)`.
""")
    for name in model.network_only:
        parts.append(f"""\
### `{name}`: network only

It takes an image of one size that is normalised already, and gives the network's raw output. It finds no instances by
itself: instanseg-export's docs/network.md says how an app gets labels.
""")
    return "\n".join(parts).strip()


def _fiji(model: Contents) -> str:
    if model.forward.further:
        return (
            "deepImageJ (3.1 and older) cannot run this model, which gives more than a label map: deepImageJ wants to "
            "know the size of every result before it runs a model. Use QuPath or Python."
        )
    macros = "`colour_labels.ijm` shows the label map in colours"
    if model.forward.dimensions == 2:
        macros += ", `labels_to_rois.ijm` turns it into named ROIs"
    count = len(model.channel_names or ())
    channels = f" with {count} channel{'s' * (count != 1)}" if count else ""
    return f"""\
In deepImageJ 3.1: install the zip with *Plugins > DeepImageJ > Install model manually*, open an image{channels}, and
choose `{model.card.name}` in *Plugins > DeepImageJ > DeepImageJ Run*. deepImageJ rescales nothing{_own_pixels(model)}.

{macros} (*Plugins > Macros > Run*)."""


def _own_pixels(model: Contents) -> str:
    return f": bring yours to {model.pixel_size:g} µm per pixel (*Image > Scale*)" if model.pixel_size else ""


def _provenance(card: Card) -> str:
    data = training_data(card) or "The checkpoint does not say what the model was trained on."
    if _is_placeholder(card):
        terms = (
            f"Nobody has stated a licence or an author yet. `rdf.yaml` says {card.license}, which of the common "
            "licences allows least, because clients refuse a model without one. Write a card before you share it."
        )
    else:
        terms = (
            f"The weights may be used under {card.license}. Licences of the training data may add terms of their own."
        )
    return f"{data}\n\n{terms}"


def _samples(samples: Sequence[Sample]) -> str:
    text = entries(
        (f"`sample-{sample.name}.tif`", f"{escape(sample.note)}; instances found: {sample.objects}")
        for sample in samples
    )
    if not any(sample.objects for sample in samples):
        text += (
            "\n\n**The model finds nothing in any of the samples.** So the package has no test output, and the zoo "
            "cannot test it. Add images of the kind that the model was trained on to its card."
        )
    return text


def _outcomes(report: Report) -> str:
    from ..parity.records import largest_network_difference

    rows = []
    for runtime in report.runtimes:
        results = report.results_of(runtime.name, runtime.device)
        found = [result for result in results if result.status != "not run"]
        compared = [result.comparison for result in found if result.comparison is not None]
        instances = sum(result.instances or 0 for result in found)
        if runtime.network_only:
            largest = largest_network_difference(results)
            figure = "" if largest is None else f", largest difference {largest:.2g}"
            text = f"network only, {runtime.status}, {len(found)} images{figure}"
            rows.append((escape(f"{runtime.label} {runtime.version}"), text))
            continue
        differing = max((comparison.differing_pixels for comparison in compared), default=None)
        outcome = "reference" if runtime.reference else runtime.status
        text = f"{outcome}, {len(found)} images, {instances} instances"
        if not runtime.reference and differing is not None:
            text += f", at most {differing} differing pixels in an image"
        rows.append((escape(f"{runtime.label} {runtime.version}"), text))
    return entries(rows)


_OUTCOMES = {"passed": "", "failed": "loses more than the tolerance", "not run": "was not compared"}


def _precisions(records: Sequence[PrecisionRecord]) -> str:
    """Return a section on the files of reduced precision; nothing where there are none."""
    if not records:
        return ""
    from ..parity.precision_records import RULE
    from ..parity.render import PRECISION_COLUMNS, comparisons, precision_row

    figures = "\n".join(_figures(PRECISION_COLUMNS, precision_row(record)) for record in records)
    calibrated = [
        f"`{record.file}` was calibrated on {record.calibration_images} images."
        for record in records
        if record.calibration_images and record.decides
    ]
    lost = [
        f"**`{precision_row(record)[0]}` {_OUTCOMES[record.status]}**: {escape(record.why)}."
        for record in records
        if record.why
    ]
    pairs = dict.fromkeys((record.file, record.reference) for record in records)
    made = "\n".join(f"- `{file}`: as `{fp32}`, but with the network in smaller numbers." for file, fp32 in pairs)
    sources = map(escape, comparisons(records))
    return f"""
### Reduced precision

{made}

Input, output and settings are the same; instances differ a little, and need not agree to the pixel.

{figures}

{" ".join([*lost, *sources, *calibrated, RULE])}
"""


def _figures(columns: Sequence[str], row: Sequence[str]) -> str:
    """Return the figures of a file as a list; the first column is its name."""
    named = [f"  - {column}: {escape(value)}" for column, value in zip(columns[1:], row[1:], strict=True) if value]
    return "\n".join([f"- `{row[0]}`", *named])


def readme(model: Contents, report: Report | None, precisions: Sequence[PrecisionRecord] = ()) -> str:
    """Return the README of a package, in Markdown.

    Args:
        model: what is packaged.
        report: of the parity check; None says that none was made.
        precisions: of the files of reduced precision.
    """
    card = model.card
    if report is None:
        validation = (
            "The files of this package have not been compared with each other: nothing here proves that they find the "
            "same instances."
        )
    else:
        validation = f"{report.summary()}\n\n{_outcomes(report)}"
    more = f"\n{without_html(card.documentation.strip())}\n" if card.documentation.strip() else ""
    return f"""\
# {escape(card.name)}

{escape(card.description)}

{_facts(model)}
{more}
## How to use it

{_usage(model)}

## Settings

These values are baked in; each can be overridden at run time, unless it is fixed.

{_settings(model)}

## Training data and licence

{_provenance(card)}

## Limits

{_limits(model)}

## Validation

{validation}
{_precisions(precisions)}
{_samples(model.samples)}

`instanseg-export validate FOLDER` repeats the comparison on your machine. To measure accuracy on your own images,
compare label maps with annotations by F1 at an IoU of 0.5.

## Cite

{citations(card)}
"""
