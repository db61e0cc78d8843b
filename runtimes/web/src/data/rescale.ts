// From an image's pixel size to the model's, and label maps back: what instanseg_export/images/rescale.py does.
//
// skimage.transform.resize(order=1, mode="reflect", anti_aliasing=...) is a Gaussian along each axis that shrinks, of
// deviation (1/factor - 1) / 2, cut at four deviations, and a linear interpolation at pixel centres; both mirror the
// image at the centres of its outermost pixels.

import { Failure } from '../failure.ts';

/** Pixel sizes that differ by no more than this part are taken as equal. */
export const SAME_SIZE = 0.01;

const LARGEST_FACTOR = 32;

/** Returns height and width of an image with `factors` times as many pixels. */
export function rescaledShape(height: number, width: number, factors: [number, number]): [number, number] {
  if (!factors.every((factor) => factor >= 1 / LARGEST_FACTOR && factor <= LARGEST_FACTOR)) {
    throw new Failure("The image's pixel size and the model's are too far apart.", "Enter the image's true pixel size in micrometres.");
  }
  return [Math.max(1, roundToEven(height * factors[0])), Math.max(1, roundToEven(width * factors[1]))];
}

/** Rounds halves as Python does. */
function roundToEven(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

export function rescale(
  plane: Float32Array,
  [height, width]: [number, number],
  [tall, wide]: [number, number],
): Float32Array {
  if (height === tall && width === wide) return plane;
  let source = plane;
  if (tall < height || wide < width) {
    source = smooth(source, height, width, Math.max(0, (height / tall - 1) / 2), true);
    source = smooth(source, height, width, Math.max(0, (width / wide - 1) / 2), false);
  }
  let low = Infinity;
  let high = -Infinity;
  for (const value of plane) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const down = stops(height, tall);
  const across = stops(width, wide);
  const out = new Float32Array(tall * wide);
  for (let y = 0, place = 0; y < tall; y++) {
    const upper = down.first[y] * width;
    const lower = down.second[y] * width;
    const part = down.part[y];
    for (let x = 0; x < wide; x++, place++) {
      const left = across.first[x];
      const right = across.second[x];
      const share = across.part[x];
      const above = source[upper + left] * (1 - share) + source[upper + right] * share;
      const below = source[lower + left] * (1 - share) + source[lower + right] * share;
      out[place] = Math.min(high, Math.max(low, above * (1 - part) + below * part));
    }
  }
  return out;
}

/** Returns, for each pixel of an axis, the two of the old one that it lies between, and how far. */
function stops(old: number, count: number): { first: Int32Array; second: Int32Array; part: Float64Array } {
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  const part = new Float64Array(count);
  for (let place = 0; place < count; place++) {
    const where = ((place + 0.5) * old) / count - 0.5;
    const low = Math.floor(where);
    first[place] = mirrored(low, old);
    second[place] = mirrored(low + 1, old);
    part[place] = where - low;
  }
  return { first, second, part };
}

function mirrored(place: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * size - 2;
  const within = ((place % period) + period) % period;
  return within < size ? within : period - within;
}

function smooth(plane: Float32Array, height: number, width: number, deviation: number, vertical: boolean): Float32Array {
  if (deviation <= 1e-15) return plane;
  const radius = Math.floor(4 * deviation + 0.5);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, place) => Math.exp((-0.5 * (place - radius) ** 2) / deviation ** 2));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const size = vertical ? height : width;
  const step = vertical ? width : 1;
  const lines = vertical ? width : height;
  const stride = vertical ? 1 : width;
  const out = new Float32Array(plane.length);
  const line = new Float64Array(size + 2 * radius);
  for (let row = 0; row < lines; row++) {
    for (let place = 0; place < line.length; place++) line[place] = plane[row * stride + mirrored(place - radius, size) * step];
    for (let place = 0; place < size; place++) {
      let total = 0;
      for (let tap = 0; tap < weights.length; tap++) total += line[place + tap] * weights[tap];
      out[row * stride + place * step] = total / sum;
    }
  }
  return out;
}

/** Resamples a label map by the nearest pixel, which invents no ids. */
export function rescaleLabels(labels: Int32Array, [height, width]: [number, number], [tall, wide]: [number, number]): Int32Array {
  if (height === tall && width === wide) return labels;
  const across = Int32Array.from({ length: wide }, (_, x) => Math.floor(((x + 0.5) * width) / wide));
  const out = new Int32Array(tall * wide);
  for (let y = 0; y < tall; y++) {
    const line = Math.floor(((y + 0.5) * height) / tall) * width;
    for (let x = 0; x < wide; x++) out[y * wide + x] = labels[line + across[x]];
  }
  return out;
}
