// How an image is brought to the model, decided for the whole of it: see instanseg_export/inference/prepare.py.

import { Failure } from '../failure.ts';
import type { Picture } from '../images/image.ts';
import { type Grid, makeGrid } from '../tiles/grid.ts';
import { byPercentiles, isNormalised, type Scale, standard, withoutHoles } from './intensities.ts';
import { rescale, rescaledShape, SAME_SIZE } from './rescale.ts';

export interface Wanted {
  /** Places of the image's channels, in the model's order. */
  channels: number[];
  /** Of the image, (height, width) in micrometres; null where it is unknown. */
  pixelSize: [number, number] | null;
  modelPixelSize: number | null;
  /** auto, always or never; auto decides by the image. */
  normalize: string;
  /** Null for models that bring all channels to mean 0 and standard deviation 1. */
  percentiles: [number, number] | null;
  tile: number;
  halo: number;
}

export interface Plan {
  planes: Float32Array[];
  grid: Grid;
  /** How the model's file is told to take intensities. */
  normalize: 'always' | 'never';
  scales: Scale[] | null;
  resampled: boolean;
  notes: string[];
}

export function makePlan(picture: Picture, wanted: Wanted): Plan {
  const notes: string[] = [];
  const raw = wanted.channels.map((channel) => picture.planes[channel]);
  const normalised = wanted.percentiles !== null && isNormalised(raw);
  const normalize = wanted.normalize === 'auto' ? (normalised ? 'never' : 'always') : wanted.normalize;
  if (normalize !== 'always' && normalize !== 'never') throw new Failure(`normalize cannot be ${normalize}.`, 'Choose another value.');
  if (wanted.normalize === 'auto' && normalised) {
    notes.push('Intensities: each channel goes from 0 to 1 by its percentiles already, so that the image is taken as normalised.');
  }
  const factors = factorsOf(wanted);
  const resampled = factors.some((factor) => Math.abs(factor - 1) > SAME_SIZE);
  const size: [number, number] = [picture.height, picture.width];
  const shape = resampled ? rescaledShape(...size, factors) : size;
  if (resampled) {
    notes.push(`The image was rescaled from ${wanted.pixelSize?.map((one) => Number(one.toPrecision(4))).join(' x ')} µm to ${wanted.modelPixelSize} µm for the model, and the labels back.`);
  }
  const grid = makeGrid(...shape, wanted.tile, wanted.halo);
  const tiled = grid.tiles.length > 1;
  let holes = 0;
  const planes = raw.map((values) => {
    const plane = Float32Array.from(values);
    if (!resampled && !tiled) return plane; // the file takes care of what is no number
    const [clean, missing] = withoutHoles(plane);
    holes += missing;
    return resampled ? rescale(clean, size, shape) : clean;
  });
  if (holes) notes.push(`${holes.toLocaleString('en')} values that are no finite numbers were taken as background.`);
  if (!tiled || normalize === 'never') return { planes, grid, normalize, scales: null, resampled, notes };
  // A tile must not be normalised by itself: it gets the scale of the whole image, and the file leaves it alone.
  const scales = wanted.percentiles ? byPercentiles(planes, wanted.percentiles) : standard(planes);
  return { planes, grid, normalize: 'never', scales, resampled, notes };
}

function factorsOf({ pixelSize, modelPixelSize }: Wanted): [number, number] {
  return pixelSize && modelPixelSize ? [pixelSize[0] / modelPixelSize, pixelSize[1] / modelPixelSize] : [1, 1];
}

/** Returns what the model sees of a tile, (channels, height, width). */
export function tileOf({ planes, grid, scales }: Plan, index: number): { pixels: Float32Array; height: number; width: number } {
  const [y0, x0, y1, x1] = grid.tiles[index].seen;
  const [height, width] = [y1 - y0, x1 - x0];
  const pixels = new Float32Array(planes.length * height * width);
  planes.forEach((plane, channel) => {
    let to = channel * height * width;
    // In 32 bits, as the file reckons.
    const offset = Math.fround(scales?.[channel].offset ?? 0);
    const scale = Math.fround(scales?.[channel].scale ?? 1);
    for (let y = y0; y < y1; y++) {
      const row = y * grid.width;
      for (let x = x0; x < x1; x++) pixels[to++] = scales ? Math.fround(plane[row + x] - offset) / scale : plane[row + x];
    }
  });
  return { pixels, height, width };
}
