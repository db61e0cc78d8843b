// Pictures of the image and of outlines, square by square; the colours are those of instanseg_export's overlay.

import type { Picture, Plane } from '../images/image.ts';
import type { Found } from '../results/found.ts';
import { percentiles } from './intensities.ts';

export interface Square {
  x: number;
  y: number;
  /** Width and height of the drawing. */
  size: number;
  /** Pixels of the image for each of the drawing, along each axis. */
  step: number;
}

const CHANNEL_COLOURS = [
  [0.25, 0.45, 1],
  [0.2, 1, 0.3],
  [1, 0.25, 0.25],
  [1, 1, 0.2],
  [0.2, 1, 1],
  [1, 0.3, 1],
];
const GOLDEN_RATIO = 0.618033988749895;
const COUNTED = 262_144;
const TAPS = 4;

/** Returns, for each plane, the values that become black and white: its 0.1 and 99.9 percentiles. */
export function stretches(planes: Plane[]): [low: number, high: number][] {
  const ends = planes.map((plane): [number, number] => {
    const every = Math.max(1, Math.floor(plane.length / COUNTED));
    const some = new Float32Array(Math.ceil(plane.length / every));
    for (let place = 0; place < some.length; place++) some[place] = plane[place * every];
    const [low, high] = percentiles(some, [0.1, 99.9]) ?? [0, 1];
    return [low, high > low ? high : low + 1];
  });
  if (planes.length !== 3) return ends;
  // Colours are stretched together, so that stains keep their hue.
  const common: [number, number] = [Math.min(...ends.map(([low]) => low)), Math.max(...ends.map(([, high]) => high))];
  return ends.map(() => common);
}

export function drawPicture(
  { width, height, planes }: Picture,
  shown: number[],
  ends: [number, number][],
  { x, y, size, step }: Square,
): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(size * size * 4);
  const skip = Math.max(1, Math.floor(step / TAPS));
  const sums = new Float64Array(shown.length);
  for (let row = 0; row < size; row++) {
    const top = y + row * step;
    if (top >= height) break;
    for (let column = 0; column < size; column++) {
      const left = x + column * step;
      if (left >= width) break;
      let count = 0;
      sums.fill(0);
      for (let down = top; down < Math.min(top + step, height); down += skip) {
        for (let across = left; across < Math.min(left + step, width); across += skip, count++) {
          for (let place = 0; place < shown.length; place++) sums[place] += planes[shown[place]][down * width + across];
        }
      }
      paint(out, (row * size + column) * 4, sums, count, ends);
    }
  }
  return out;
}

function paint(out: Uint8ClampedArray, at: number, sums: Float64Array, count: number, ends: [number, number][]): void {
  const colour = [0, 0, 0];
  for (let place = 0; place < sums.length; place++) {
    const value = (sums[place] / count - ends[place][0]) / (ends[place][1] - ends[place][0]);
    const share = Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
    if (sums.length === 3) colour[place] = share;
    else if (sums.length === 1) colour.fill(share);
    else CHANNEL_COLOURS[place % CHANNEL_COLOURS.length].forEach((part, which) => (colour[which] += part * share));
  }
  for (let which = 0; which < 3; which++) out[at + which] = colour[which] * 255;
  out[at + 3] = 255;
}

/** Draws the inner edge of each object in the colour of its id: solid in the first structure, dashed in the others. */
export function drawOutlines({ labels, width, height }: Found, { x, y, size, step }: Square): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(size * size * 4);
  for (let structure = labels.length - 1; structure >= 0; structure--) {
    const map = labels[structure];
    for (let row = 0; row < size; row++) {
      const top = y + row * step;
      if (top >= height) break;
      for (let column = 0; column < size; column++) {
        const left = x + column * step;
        if (left >= width) break;
        const id = edgeWithin(map, width, height, left, top, step, structure > 0);
        if (id) colour(out, (row * size + column) * 4, id);
      }
    }
  }
  return out;
}

/** Returns the id of the first edge pixel of a block; 0 where there is none. */
function edgeWithin(map: Int32Array, width: number, height: number, left: number, top: number, step: number, dashed: boolean): number {
  const [right, bottom] = [Math.min(left + step, width), Math.min(top + step, height)];
  for (let y = top; y < bottom; y++) {
    for (let x = left, place = y * width + left; x < right; x++, place++) {
      const id = map[place];
      if (!id || (dashed && (x + y) % 6 >= 3)) continue;
      const edge =
        (x > 0 && map[place - 1] !== id) ||
        (x < width - 1 && map[place + 1] !== id) ||
        (y > 0 && map[place - width] !== id) ||
        (y < height - 1 && map[place + width] !== id);
      if (edge) return id;
    }
  }
  return 0;
}

function colour(out: Uint8ClampedArray, at: number, id: number): void {
  const hue = ((id * GOLDEN_RATIO) % 1) * 0.55 * 6;
  [0, 4, 2].forEach((shift, which) => {
    const wave = Math.abs(((hue + shift) % 6) - 3) - 1;
    out[at + which] = (Math.min(1, Math.max(0, wave)) * 0.8 + 0.2) * 255;
  });
  out[at + 3] = 255;
}
