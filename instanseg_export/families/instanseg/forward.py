"""InstanSeg's forward: image in, label map out."""

from functools import partial
from typing import Dict, List, NamedTuple, Optional, Tuple  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from ...errors import ExportError
from ...stages import loops
from ...stages.augment import view_count
from ...stages.cleanup import bits_of_word, clean_up, most_windows, pack, unpack
from ...stages.cluster import PixelClustering
from ...stages.cluster_augmented import AugmentedClustering
from ...stages.cluster_guided import GuidedClustering
from ...stages.connected import connected_cells
from ...stages.exact import logit
from ...stages.fields import Fields, PixelTable, coordinate_step, read_fields
from ...stages.merge import merge_overlapping
from ...stages.normalize import finite, normalize
from ...stages.nuclei_to_cells import match_nuclei_to_cells
from ...stages.number import close_gaps, number_instances
from ...stages.pad import pad_to_multiple
from ...stages.paint import MaskPixels, join_mask_pixels, list_mask_pixels, paint
from ...stages.seeds import pick_seeds
from ...stages.sentinels import no_owner
from ...stages.windows import WindowGrid, chunk_seeds, open_windows
from ..base import SegmentationForward
from ..settings import Setting, Value
from .settings import INSTANSEG_SETTINGS
from .spec import InstanSegSpec

__all__ = ["InstanSegForward", "Intermediates", "Settings"]


class Settings(NamedTuple):
    """The values of the settings in one call. Tensors are scalars."""

    normalize: Tensor
    seed_threshold: Tensor
    mask_threshold: Tensor
    peak_distance: Tensor
    overlap_threshold: Tensor
    min_size: Tensor
    fg_threshold: Tensor
    cleanup_fragments: Tensor
    connected: Tensor
    resolve_cell_and_nucleus: Tensor
    window_size: int
    structures: List[int]  # noqa: UP006


class Intermediates(NamedTuple):
    """What the forward computes on its way.

    normalize: (B, C, H, W) float32, the image that the network sees.
    network: (B, channels, H, W) float32, its raw output, cropped to the image; see :class:`.augmented.AugmentedNetwork`
        for what it is with test-time augmentation.
    seeds: (K, 3) int64, image-and-structure plane, row and column of each seed, in raster order.
    cluster: (K,) float32, pixels of each seed's mask after the cleanup of fragments.
    paint: (B, T, H, W) float32, the label map before merging; the value is the seed's place in ``seeds`` plus 1.
    labels: (B, T, H, W) float32, the result.
    """

    normalize: Tensor
    network: Tensor
    seeds: Tensor
    cluster: Tensor
    paint: Tensor
    labels: Tensor


class InstanSegForward(SegmentationForward):
    """Normalise, run the network, pick seeds, cluster pixels around them, paint, merge, match and number.

    Args:
        spec: of the network.
        network: see :class:`families.checkpoint.Checkpoint`.
        clustering: the stage that makes logits of windows.
        baked: a value for each setting.
    """

    seed_threshold: Tensor
    mask_threshold: Tensor
    peak_distance: Tensor
    overlap_threshold: Tensor
    min_size: Tensor
    fg_threshold: Tensor
    cleanup_fragments: Tensor
    connected: Tensor
    resolve_cell_and_nucleus: Tensor

    def __init__(
        self,
        spec: InstanSegSpec,
        network: nn.Module,
        clustering: PixelClustering | GuidedClustering | AugmentedClustering,
        baked: dict[str, Value],
    ) -> None:
        super().__init__(network, spec.channels, 2, INSTANSEG_SETTINGS, baked)
        self.clustering = clustering
        # An augmented network gives the embeddings of all views, and one seed map.
        views = view_count() if baked["tta"] else 1
        self.dim_coords = spec.dim_coords * views
        self.n_sigma = spec.n_sigma * views
        self.seeds_at_a_time = 8 if baked["tta"] else most_windows()
        self.dim_seeds = spec.dim_seeds
        self.channels_per_structure = self.dim_coords + self.n_sigma + self.dim_seeds
        self.structure_count = len(spec.structures)
        self.window_size = int(baked["window_size"])  # type: ignore[arg-type]
        flags = baked["target_segmentation"]
        chosen = [place for place in range(self.structure_count) if flags[place]] if self.structure_count > 1 else [0]  # type: ignore[index]
        self.structures: List[int] = chosen  # noqa: UP006

    @property
    def stage_names(self) -> tuple[str, ...]:
        return Intermediates._fields

    @property
    def paired_by(self) -> str | None:
        """What matches cells with their nuclei, in models of both."""
        return "resolve_cell_and_nucleus" if self.structure_count == 2 else None

    @property
    def convolves_after_network(self) -> bool:
        """Whether the positional guide does, which has convolutions of its own."""
        return any(isinstance(part, GuidedClustering) for part in self.clustering.modules())

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What can be tuned: what has no effect on this network is left out."""
        return tuple(
            setting
            for setting in super().settings
            if (self.dim_seeds == 2 or setting.name != "fg_threshold")
            and (self.structure_count == 2 or setting.name not in ("resolve_cell_and_nucleus", "target_segmentation"))
        )

    def static_form(self, height: int, width: int, seeds: int) -> nn.Module:
        """See :meth:`.SegmentationForward.static_form`."""
        from .static_form import StaticForm

        if self.baked["tta"]:
            raise ExportError(
                "Formats of fixed sizes have no test-time augmentation.",
                hint="Export them without --tta, or leave them out of --targets.",
            )
        return StaticForm(self, height, width, seeds)

    def forward(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Tensor:  # noqa: UP006, UP045
        """Segment a batch of images.

        Args:
            image: (B, C, H, W) float32, raw or normalised; it is not written to.
            args: settings of this call by name, as clients send them; unknown names are ignored.

        Returns:
            (B, T, H, W) float32, integer-valued: 0 is background, ids run from 1 without gaps in each image.
        """
        return self.compute(image, self.read_settings(args)).labels

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        """Return the intermediate results of a call, for diagnosis; see :class:`Intermediates`."""
        return self.named(self.compute(image, self.read_settings(args)))

    def named(self, found: Intermediates) -> Dict[str, Tensor]:  # noqa: UP006
        """Return the intermediate results by name."""
        return {
            "normalize": found.normalize,
            "network": found.network,
            "seeds": found.seeds,
            "cluster": found.cluster,
            "paint": found.paint,
            "labels": found.labels,
        }

    def baked_settings(self) -> Settings:
        """Return the settings that were baked in."""
        return Settings(
            normalize=self.normalize,
            seed_threshold=self.seed_threshold,
            mask_threshold=self.mask_threshold,
            peak_distance=self.peak_distance,
            overlap_threshold=self.overlap_threshold,
            min_size=self.min_size,
            fg_threshold=self.fg_threshold,
            cleanup_fragments=self.cleanup_fragments,
            connected=self.connected,
            resolve_cell_and_nucleus=self.resolve_cell_and_nucleus,
            window_size=self.window_size,
            structures=self.structures,
        )

    def read_settings(self, args: Optional[Dict[str, Tensor]]) -> Settings:  # noqa: UP006, UP045
        """Return the baked settings, overridden by ``args``."""
        baked = self.baked_settings()
        if args is None:
            return baked
        window_size = baked.window_size
        if "window_size" in args:
            window_size = max(int(args["window_size"].reshape(-1)[0].item()), 1)
        structures = baked.structures
        if "target_segmentation" in args and self.structure_count > 1:
            # Clients also send booleans, which older versions of TorchScript cannot turn into a number by themselves.
            flags = args["target_segmentation"].reshape(-1).to(torch.float32)
            structures = []
            for place in range(self.structure_count):
                if place < flags.shape[0] and float(flags[place].item()) > 0.0:
                    structures.append(place)
            if len(structures) == 0:
                raise ValueError(
                    "target_segmentation chooses no structure: give 1 for at least one of nuclei and cells"
                )
        return Settings(
            normalize=self.override(args, "normalize", baked.normalize),
            seed_threshold=self.override(args, "seed_threshold", baked.seed_threshold),
            mask_threshold=self.override(args, "mask_threshold", baked.mask_threshold),
            peak_distance=self.override(args, "peak_distance", baked.peak_distance).clamp(min=1),
            overlap_threshold=self.override(args, "overlap_threshold", baked.overlap_threshold),
            min_size=self.override(args, "min_size", baked.min_size),
            fg_threshold=self.override(args, "fg_threshold", baked.fg_threshold),
            cleanup_fragments=self.override(args, "cleanup_fragments", baked.cleanup_fragments),
            connected=self.override(args, "connected", baked.connected),
            resolve_cell_and_nucleus=self.override(args, "resolve_cell_and_nucleus", baked.resolve_cell_and_nucleus),
            window_size=window_size,
            structures=structures,
        )

    def compute(self, image: Tensor, settings: Settings) -> Intermediates:
        """Run all stages."""
        normal, network, fields = self.see(image, settings)
        batch, height, width = image.shape[0], image.shape[2], image.shape[3]
        structures = len(settings.structures)
        planes = batch * structures
        seeds = pick_seeds(fields.seed_map, settings.peak_distance, settings.seed_threshold)

        threshold = logit(settings.mask_threshold)
        grid = WindowGrid(settings.window_size, height, width)
        chunks = chunk_seeds(seeds, self.seeds_at_a_time)
        values, offset = self.clustering.per_pixel(fields)
        step_x, step_y = coordinate_step(width, image.device), coordinate_step(height, image.device)
        table = PixelTable(values, offset, step_x, step_y)
        mask_pixels = self.cluster(table, chunks, grid, threshold, settings.cleanup_fragments)
        filled_seeds = chunks.flatten(0, 1)

        owner = paint(mask_pixels, planes * height * width)
        root = merge_overlapping(
            mask_pixels, filled_seeds, planes, grid, settings.peak_distance, settings.overlap_threshold
        )
        labels = self.number(owner, root, filled_seeds[:, 0], batch, height, width, settings)
        shape = [batch, structures, height, width]
        painted = torch.where(owner < no_owner(), owner + 1.0, torch.zeros_like(owner))
        return Intermediates(
            normalize=normal,
            network=network,
            seeds=seeds,
            cluster=mask_pixels.area[: seeds.shape[0]],
            paint=painted.view(shape),
            labels=labels,
        )

    def see(self, image: Tensor, settings: Settings) -> Tuple[Tensor, Tensor, Fields]:  # noqa: UP006
        """Return the normalised image, the network's output, and what it says of each plane (image and structure)."""
        self.check(image)
        batch, height, width = image.shape[0], image.shape[2], image.shape[3]
        normal = normalize(finite(image.to(torch.float32)), settings.normalize)
        network = self.network_output(normal)

        # All stages work on all planes at once.
        features = network.reshape(batch, self.structure_count, self.channels_per_structure, height, width)
        if len(settings.structures) < self.structure_count:
            features = features[:, settings.structures[0] : settings.structures[0] + 1]
        fields = read_fields(
            features.flatten(0, 1), self.dim_coords, self.n_sigma, self.dim_seeds, settings.fg_threshold
        )
        return normal, network, fields

    def network_output(self, normal: Tensor) -> Tensor:
        """See :meth:`.SegmentationForward.network_output`."""
        height, width = normal.shape[2], normal.shape[3]
        network: Tensor = self.network(self.in_order(pad_to_multiple(normal, self.multiple)))
        return network[:, :, :height, :width].contiguous()

    def in_order(self, image: Tensor) -> Tensor:
        """Lay the channels of a pixel side by side; compilers for one size choose an order by themselves."""
        if torch.jit.is_scripting():
            return image.contiguous(memory_format=torch.channels_last)
        else:
            # Not `elif`: TorchScript leaves only this branch uncompiled.
            return image if loops.is_bounded() else image.contiguous(memory_format=torch.channels_last)

    def number(
        self,
        owner: Tensor,
        root: Tensor,
        plane_of_seed: Tensor,
        batch: int,
        height: int,
        width: int,
        settings: Settings,
    ) -> Tensor:
        """Make the label map (B, T, H, W) float32 of who owns each pixel, and of which seeds are one instance."""
        structures = len(settings.structures)
        planes = batch * structures
        min_size, connected = settings.min_size, settings.connected
        numbers, first_seed = number_instances(owner, root, planes, height, width, min_size, connected)
        plane = plane_of_seed.index_select(0, first_seed)
        group = plane
        if structures == 2:
            by_structure = numbers.view(batch, 2, height * width)
            nuclei, cells = by_structure[:, 0].flatten(), by_structure[:, 1].flatten()
            matched = match_nuclei_to_cells(nuclei, cells, first_seed.shape[0])
            matched = matched.view(batch, height, width)
            matched = connected_cells(nuclei.view_as(matched), matched, first_seed.shape[0], min_size, connected)
            resolved = torch.stack([nuclei.view(batch, -1), matched.flatten(1)], dim=1).flatten()
            resolve = settings.resolve_cell_and_nucleus
            numbers = torch.where(resolve, resolved, numbers)
            group = torch.where(resolve, torch.div(plane, 2, rounding_mode="floor"), plane)
        labels = close_gaps(numbers, group, planes)
        return labels.to(torch.float32).view([batch, structures, height, width])

    def cluster(
        self, table: PixelTable, chunks: Tensor, grid: WindowGrid, threshold: Tensor, cleanup: Tensor
    ) -> MaskPixels:
        """Go through all windows, one chunk at a time, and return what is in their masks after cleanup.

        PyTorch is fastest on what fits its smallest cache, so there a chunk is cleaned up and listed at once. In ONNX
        Runtime a step costs more than what it works on, so there that follows for all windows. The result is the same.
        """
        rows = chunks.shape[1]
        word = bits_of_word(rows, chunks.device)
        if torch.jit.is_scripting():
            listed: List[MaskPixels] = []  # noqa: UP006
            for i in range(chunks.shape[0]):
                logits, bits = self.cluster_chunk(table, grid, threshold, word, chunks[i])
                kept, holes = clean_up(bits[0], bits[1], bits[2], cleanup)
                listed.append(self.list_kept(logits, kept, holes, word, chunks[i], threshold, grid))
            return join_mask_pixels(listed, rows)
        else:
            chunk = partial(self.cluster_chunk, table, grid, threshold, word)
            stacked, all_bits = loops.map_rows_to_tuples(chunk, chunks, self.clustering)
            packed = all_bits.transpose(0, 1).flatten(1, 2)
            kept, holes = clean_up(packed[0], packed[1], packed[2], cleanup)
            seeds = chunks.flatten(0, 1)
            return self.list_kept(stacked.flatten(0, 1), kept, holes, word, seeds, threshold, grid)

    def list_kept(
        self,
        logits: Tensor,
        kept: Tensor,
        holes: Tensor,
        word: Tensor,
        seeds: Tensor,
        threshold: Tensor,
        grid: WindowGrid,
    ) -> MaskPixels:
        """List the pixels of packed masks (N, S, S) and of the holes that are filled in them."""
        mask = unpack(kept | holes, word).flatten(1)
        filled = unpack(holes, word).flatten(1)
        return list_mask_pixels(logits, mask, filled, seeds, threshold, grid)

    def cluster_chunk(
        self, table: PixelTable, grid: WindowGrid, threshold: Tensor, word: Tensor, chunk: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        """Return the logits (N, S * S) of one chunk of windows, and packed (3, 1, S, S) which pixels reach the
        threshold, which is the seed, and which lie inside of the image."""
        windows = open_windows(chunk, grid)
        logits = self.clustering(table, windows)
        mask = pack((logits >= threshold)[:, 0], word)
        # Where the seed is and what lies inside is true of whole rows and whole columns, which are less to pack.
        seed = pack(windows.from_seed_y == 0, word) & pack(windows.from_seed_x == 0, word)
        inside = pack(windows.inside[:, 0, :, :1], word) & pack(windows.inside[:, 0, :1], word)
        return logits.flatten(1), torch.stack([mask, seed, inside])
