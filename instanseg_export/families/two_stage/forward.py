"""Image in, label map out, and then what a classifier says of each cell."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Dict, List, Optional, Tuple, cast  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from ...stages import loops
from ...stages.cluster import PixelClustering
from ...stages.cluster_guided import GuidedClustering
from ...stages.connected import connected_labels
from ...stages.intensities import divide_raw
from ...stages.normalize import finite, normalize
from ...stages.number import close_gaps_of_images
from ...stages.object_crops import Objects, chunk_objects, crop_objects, list_objects, pixel_table, rows_of_images
from ...stages.resample import labels_back, resample
from ...stages.views import eight_views, mean_of_views
from ..base import SegmentationForward
from ..checkpoint import Checkpoint
from ..instanseg.forward import InstanSegForward, Intermediates, Settings
from ..instanseg.prepare import prepare
from ..outputs import FurtherOutput
from ..settings import Value
from .network import TwoStageNetwork
from .spec import ClassifiedSpec, MarkerPositivitySpec, TwoStageSpec

__all__ = ["ClassifiedForward", "PositivityForward", "TwoStageForward"]

LOGITS, CLASSES = "detection_logits", "detection_classes"
"""Names that QuPath knows."""


class TwoStageForward(InstanSegForward):
    """Segments at the segmentation's pixel size, and brings the label map back to the image's own.

    Args:
        spec: of both stages.
        network: of both stages.
        clustering: as for :class:`.instanseg.forward.InstanSegForward`.
        baked: as there.
    """

    def __init__(
        self,
        spec: TwoStageSpec,
        network: TwoStageNetwork,
        clustering: PixelClustering | GuidedClustering,
        baked: dict[str, Value],
    ) -> None:
        super().__init__(spec.segmentation, network, clustering, baked)
        self.channels = spec.channels or 0
        self.numerator = spec.resampling.numerator
        self.denominator = spec.resampling.denominator
        self.crop_size = spec.crop_size

    @property
    def stage_names(self) -> tuple[str, ...]:
        return (*super().stage_names, *(output.name for output in self.further))

    @property
    def convolves_after_network(self) -> bool:
        """The second stage's network does."""
        return True

    def static_form(self, height: int, width: int, seeds: int) -> nn.Module:
        """There is none: how many crops are classified depends on the image."""
        return SegmentationForward.static_form(self, height, width, seeds)

    def segment(self, image: Tensor, settings: Settings) -> Intermediates:
        """Return what segmenting gives; ``labels`` are at the image's own pixel size, all else at the other one."""
        found = self.compute(resample(image, self.numerator, self.denominator), settings)
        if self.numerator == self.denominator:
            return found
        labels = labels_back(found.labels, image.shape[2], image.shape[3], self.numerator, self.denominator)
        labels = connected_labels(labels, settings.resolve_cell_and_nucleus, settings.connected)
        return Intermediates(
            normalize=found.normalize,
            network=found.network,
            seeds=found.seeds,
            cluster=found.cluster,
            paint=found.paint,
            labels=close_gaps_of_images(labels),
        )


class ClassifiedForward(TwoStageForward):
    """Segments, crops, and classifies each cell by the mean over eight views of its crop.

    Args:
        spec: of both stages.
        network: of both stages.
        clustering: as for :class:`.instanseg.forward.InstanSegForward`.
        baked: as there.
    """

    def __init__(
        self,
        spec: ClassifiedSpec,
        network: TwoStageNetwork,
        clustering: PixelClustering | GuidedClustering,
        baked: dict[str, Value],
    ) -> None:
        super().__init__(spec, network, clustering, baked)
        self._classes = spec.classes
        self.first_logit = spec.first_logit
        self.class_count = len(spec.classes)
        self.divisor = spec.divisor
        self.chunk = 4  # crops in work at a time; each has eight views

    @property
    def further(self) -> tuple[FurtherOutput, ...]:
        return (
            FurtherOutput(
                LOGITS,
                "Score of each class for each object: row r belongs to label r + 1.",
                ("batch", "instance", "channel"),
                self._classes,
                role="rows",
            ),
            FurtherOutput(
                CLASSES,
                "Number of the best class of each object, from 0 on: row r belongs to label r + 1.",
                ("batch", "instance", "channel"),
                ("class",),
                self._classes,
                "uint8",
                role="classes",
            ),
        )

    def forward(  # type: ignore[override]
        self,
        image: Tensor,
        args: Optional[Dict[str, Tensor]] = None,  # noqa: UP006, UP045
    ) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
        """Segment a batch of images and classify what was found.

        Args:
            image: (B, C, H, W) float32, raw or normalised; it is not written to.
            args: settings of this call by name, as clients send them; unknown names are ignored.

        Returns:
            labels (B, T, H, W) float32; logits (B, N, classes) float32 and classes (B, N, 1) float32, where N is the
            largest label of the last structure. Row r of an image belongs to its label r + 1; where an image has no
            such label, its logits are 0 and its class is -1.
        """
        stages = self.stages(image, args)
        return stages["labels"], stages["detection_logits"], stages["detection_classes"]

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        """Return the intermediate results of a call, for diagnosis; see :class:`.instanseg.forward.Intermediates`."""
        self.check(image)
        settings = self.read_settings(args)
        clean = finite(image.to(torch.float32))
        found = self.segment(clean, settings)
        logits, objects = self.judge(clean, found.labels[:, -1], settings.normalize)
        # Among equal logits the first class wins. A class is moved up by one, so that 0 is left for "no object".
        best = logits.argmax(dim=1, keepdim=True).to(torch.float32) + 1.0
        result = self.named(found)
        result["detection_logits"] = rows_of_images(logits, objects)
        result["detection_classes"] = rows_of_images(best, objects) - 1.0
        return result

    def judge(self, image: Tensor, labels: Tensor, mode: Tensor) -> Tuple[Tensor, Objects]:  # noqa: UP006
        """Classify the objects of label maps, whoever has found them.

        Args:
            image: (B, C, H, W) float32, finite.
            labels: (B, H, W) float32, integer-valued.
            mode: of the setting ``normalize``.

        Returns:
            (at least max(K, 1), classes) float32, row k for object k, and the objects.
        """
        objects = list_objects(labels)
        table = pixel_table(divide_raw(image, mode, self.divisor), labels)
        chunks = chunk_objects(objects.table, self.chunk)
        return self.classify(table, chunks, image.shape[2], image.shape[3]), objects

    def classify(self, table: Tensor, chunks: Tensor, height: int, width: int) -> Tensor:
        """Return the logits (N * length, classes) of chunks (N, length, 4), one chunk at a time."""
        if torch.jit.is_scripting():
            done: List[Tensor] = []  # noqa: UP006
            for place in range(chunks.shape[0]):
                done.append(self.classify_chunk(table, height, width, chunks[place]))
            return torch.cat(done)
        else:
            step = partial(self.classify_chunk, table, height, width)
            return loops.map_rows(step, chunks, self.network.classifier).flatten(0, 1)  # type: ignore[arg-type]

    def classify_chunk(self, table: Tensor, height: int, width: int, chunk: Tensor) -> Tensor:
        """Return the logits (length, classes) of one chunk."""
        crops = crop_objects(table, chunk, self.crop_size, height, width)
        views = eight_views(crops).contiguous(memory_format=torch.channels_last)
        logits = mean_of_views(self.network.classifier(views))  # type: ignore[operator]
        return logits[:, self.first_logit : self.first_logit + self.class_count].contiguous()


class PositivityForward(TwoStageForward):
    """Segments, crops each channel, and tells the positive cells of a channel from the others.

    Args:
        spec: of both stages.
        network: of both stages.
        clustering: as for :class:`.instanseg.forward.InstanSegForward`.
        baked: as there.
    """

    def __init__(
        self,
        spec: MarkerPositivitySpec,
        network: TwoStageNetwork,
        clustering: PixelClustering | GuidedClustering,
        baked: dict[str, Value],
    ) -> None:
        super().__init__(spec, network, clustering, baked)
        self.embedding = spec.classifier.embedding
        self.chunk = 32  # cells in work at a time; each has a crop for every channel

    @property
    def further(self) -> tuple[FurtherOutput, ...]:
        return (
            FurtherOutput(
                LOGITS,
                "How surely each cell is positive in each channel, above 0 where it is: row r belongs to label r + 1.",
                ("batch", "instance", "channel"),
                role="rows",
            ),
        )

    def forward(  # type: ignore[override]
        self,
        image: Tensor,
        args: Optional[Dict[str, Tensor]] = None,  # noqa: UP006, UP045
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        """Segment a batch of images and judge every cell in every channel.

        Args:
            image: (B, C, H, W) float32, raw or normalised; it is not written to.
            args: settings of this call by name, as clients send them; unknown names are ignored.

        Returns:
            labels (B, T, H, W) float32; logits (B, N, C) float32, where N is the largest label of the last structure.
            Row r of an image belongs to its label r + 1; where an image has no such label, its logits are 0.
        """
        stages = self.stages(image, args)
        return stages["labels"], stages["detection_logits"]

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        """Return the intermediate results of a call, for diagnosis; see :class:`.instanseg.forward.Intermediates`."""
        self.check(image)
        settings = self.read_settings(args)
        clean = finite(image.to(torch.float32))
        found = self.segment(clean, settings)
        normal = found.normalize
        if self.numerator != self.denominator:
            normal = normalize(clean, settings.normalize)
        result = self.named(found)
        result["detection_logits"] = self.judge(normal, found.labels[:, -1])
        return result

    def judge(self, image: Tensor, labels: Tensor) -> Tensor:
        """Judge the objects of label maps, whoever has found them, in every channel.

        Args:
            image: (B, C, H, W) float32, normalised.
            labels: (B, H, W) float32, integer-valued.

        Returns:
            (B, N, C) float32: row r of an image belongs to its label r + 1; where it has no such label, logits are 0.
        """
        objects = list_objects(labels)
        table = pixel_table(image, labels)
        embeddings = self.embed(table, chunk_objects(objects.table, self.chunk), image.shape[2], image.shape[3])

        # A bag is all cells of one image in one channel. One more, absent, so that no bag is empty.
        batch, count = objects.place.shape
        channels = image.shape[1]
        bags = rows_of_images(embeddings, objects).view(batch, count, channels, self.embedding)
        bags = torch.cat([bags, torch.zeros_like(embeddings[:1]).view(1, 1, channels, -1).expand(batch, -1, -1, -1)], 1)
        present = torch.cat([objects.present, torch.zeros([batch, 1], dtype=torch.bool, device=image.device)], dim=1)
        repeated = present[:, None].expand(batch, channels, count + 1).flatten(0, 1)
        logits: Tensor = self.network.classifier(bags.transpose(1, 2).flatten(0, 1), repeated)  # type: ignore[operator]
        logits = logits.view(batch, channels, count + 1).transpose(1, 2)[:, :count]
        return logits * objects.present[:, :, None].to(torch.float32)

    def embed(self, table: Tensor, chunks: Tensor, height: int, width: int) -> Tensor:
        """Return the embeddings (N * length, C * width) of chunks (N, length, 4), one chunk at a time."""
        if torch.jit.is_scripting():
            done: List[Tensor] = []  # noqa: UP006
            for place in range(chunks.shape[0]):
                done.append(self.embed_chunk(table, height, width, chunks[place]))
            return torch.cat(done)
        else:
            step = partial(self.embed_chunk, table, height, width)
            return loops.map_rows(step, chunks, self.network.classifier).flatten(0, 1)  # type: ignore[arg-type]

    def embed_chunk(self, table: Tensor, height: int, width: int, chunk: Tensor) -> Tensor:
        """Return the embeddings (length, C * width) of one chunk."""
        crops = crop_objects(table, chunk, self.crop_size, height, width)
        image, mask = crops[:, :-1, None], crops[:, -1:, None]
        pairs = torch.cat([image, mask.expand_as(image)], dim=2).flatten(0, 1)
        pairs = pairs.contiguous(memory_format=torch.channels_last)
        # Two codes of mypy, and TorchScript reads at most one in such a comment.
        embeddings: Tensor = self.network.classifier.embed(pairs)  # type: ignore
        return embeddings.view(chunk.shape[0], -1)


def build_classified(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> ClassifiedForward:
    """Build the forward of a checkpoint of the family "classified"; see :func:`families.registry.build_forward`."""
    spec = cast(ClassifiedSpec, checkpoint.spec)
    return ClassifiedForward(spec, *_prepare(spec, checkpoint.network, settings)).eval().requires_grad_(False)


def build_positivity(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> PositivityForward:
    """Build the forward of a checkpoint of the family "positivity"; see :func:`families.registry.build_forward`."""
    spec = cast(MarkerPositivitySpec, checkpoint.spec)
    return PositivityForward(spec, *_prepare(spec, checkpoint.network, settings)).eval().requires_grad_(False)


def _prepare(spec: TwoStageSpec, network: nn.Module, settings: Mapping[str, Any]) -> Any:
    both = cast(TwoStageNetwork, network)
    segmentation, clustering, baked = prepare(spec.segmentation, both.segmentation, {**spec.settings, **dict(settings)})
    # Its batch norms stay: PyTorch and timm name and nest them in many ways.
    classifier = both.classifier.to(memory_format=torch.channels_last)
    return TwoStageNetwork(segmentation, classifier), clustering, baked
