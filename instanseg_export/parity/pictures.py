"""Pictures for the report: what the reference found, what a runtime found, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..images.named import NamedImage
from ..images.writers.panels import Rgb, png_text, telling_window
from .records import Picture, Result
from .runs import Labels, Row

__all__ = ["COLOURS", "Pictures"]

COLOURS = {"reference": (40, 150, 255), "runtime": (255, 150, 30), "id": (255, 60, 200)}
"""Of pixels that only the reference labels, that only the runtime labels, and that both label under different ids."""

_MOST_FAILURES = 8
_MOST_SAMPLES = 3
_SIDE = 256


class Pictures:
    """Draws pictures of a handful of images.

    Args:
        images: those that were run, in order.

    Attributes:
        made: the pictures so far.
    """

    def __init__(self, images: Sequence[NamedImage]) -> None:
        self._images = images
        self.made: list[Picture] = []

    def draw(
        self,
        labels: Mapping[Row, Sequence[Labels | None]],
        titles: Mapping[Row, str],
        reference: Row,
        results: Sequence[Result],
    ) -> None:
        """Draw what differs, up to a limit and one image per defect first; then samples.

        Args:
            labels: runtime and device to the label map (B, T, [D,] H, W) of each image.
            titles: runtime and device to what people call them.
            reference: runtime and device of the reference.
            results: the results.
        """
        places = {image.name: index for index, image in enumerate(self._images)}
        failures = [result for result in results if result.status == "failed" and result.comparison is not None]
        for result in sorted(failures, key=_rank(failures))[:_MOST_FAILURES]:
            index = places[result.image]
            row = (result.runtime, result.device)
            expected, found = labels[reference][index], labels[row][index]
            if expected is not None and found is not None:
                self._add_difference(result, index, expected, found, titles[reference], titles[row])
        shown = [index for index, image in enumerate(self._images) if image.sample] or [0]
        for index in shown[:_MOST_SAMPLES]:
            expected = labels[reference][index]
            if expected is not None:
                self._add_sample(index, expected, titles[reference])

    def _add_difference(
        self, result: Result, index: int, expected: Labels, found: Labels, reference_title: str, title: str
    ) -> None:
        different = (expected != found).any(axis=1)
        plane = int(different.reshape(len(different), -1).sum(axis=1).argmax())
        window = telling_window(different[plane], _SIDE)
        image = self._images[index].batch()[plane][:, *window]
        before, after = expected[plane][:, *window], found[plane][:, *window]
        panels = [
            ("image", _outlined(image, np.zeros_like(before))),
            (reference_title, _outlined(image, before)),
            (title, _outlined(image, after)),
            ("differences", _difference(image, before, after)),
        ]
        caption = f"{title} on {result.image}: {result.why}."
        self.made.append(_picture(result.image, result.runtime, caption, panels, device=result.device))

    def _add_sample(self, index: int, labels: Labels, title: str) -> None:
        window = telling_window((labels[0] > 0).any(axis=0), _SIDE)
        image, found = self._images[index].batch()[0][:, *window], labels[0][:, *window]
        panels = [("image", _outlined(image, np.zeros_like(found))), (title, _outlined(image, found))]
        name = self._images[index].name
        self.made.append(_picture(name, None, f"{name}: what {title} finds.", panels))


def _rank(failures: Sequence[Result]) -> Callable[[Result], int]:
    """Order failures so that the first of each row comes first, then the second of each, and so on."""
    turn: dict[Row, int] = {}
    place = {}
    for result in failures:
        row = (result.runtime, result.device)
        turn[row] = turn.get(row, -1) + 1
        place[row, result.image] = turn[row]
    return lambda result: place[(result.runtime, result.device), result.image]


def _outlined(image: npt.NDArray[np.float32], labels: Labels) -> Rgb:
    from ..images import overlay

    picture: Rgb = overlay(image, labels)
    return picture


def _difference(image: npt.NDArray[np.float32], before: Labels, after: Labels) -> Rgb:
    picture = (_outlined(image, np.zeros_like(before)).mean(axis=2, keepdims=True) * 0.4).repeat(3, axis=2)
    for structure in range(before.shape[0]):
        first, second = before[structure], after[structure]
        picture[(first > 0) & (second > 0) & (first != second)] = COLOURS["id"]
        picture[(first > 0) & (second == 0)] = COLOURS["reference"]
        picture[(first == 0) & (second > 0)] = COLOURS["runtime"]
    return np.asarray(picture, dtype=np.uint8)


def _picture(
    image: str, runtime: str | None, caption: str, panels: Sequence[tuple[str, Rgb]], *, device: str = "cpu"
) -> Picture:
    return Picture(
        image=image,
        runtime=runtime,
        device=device,
        caption=caption,
        panels=tuple((title, png_text(pixels)) for title, pixels in panels),
    )
