// Raw or normalised: decided for the whole image, which a tile cannot know. See instanseg_export/inference/normalisation.py.

import type { Plane } from '../images/image.ts';

const TOLERANCE = 0.01;
const SMALLEST_RANGE = 1e-6;

/** Returns percentiles of the finite values, interpolated linearly as numpy does; null where there are none. */
export function percentiles(values: Float32Array | Float64Array, percents: number[]): number[] | null {
  const finite = values.every(Number.isFinite) ? values.slice() : values.filter(Number.isFinite);
  if (finite.length === 0) return null;
  finite.sort();
  return percents.map((percent) => {
    const place = ((finite.length - 1) * percent) / 100;
    const low = Math.floor(place);
    const high = Math.min(low + 1, finite.length - 1);
    return finite[low] + (finite[high] - finite[low]) * (place - low);
  });
}

/** Tells whether floats are normalised already: each channel goes from 0 to 1 by its 0.1 and 99.9 percentiles. */
export function isNormalised(planes: Plane[]): boolean {
  return planes.every((plane) => {
    if (!(plane instanceof Float32Array || plane instanceof Float64Array)) return false;
    const ends = percentiles(plane, [0.1, 99.9]);
    return ends !== null && Math.abs(ends[0]) <= TOLERANCE && Math.abs(ends[1] - 1) <= TOLERANCE;
  });
}

/** What is taken from each channel, and what it is then divided by. */
export interface Scale {
  offset: number;
  scale: number;
}

export function byPercentiles(planes: Float32Array[], [low, high]: [number, number]): Scale[] {
  return planes.map((plane) => {
    const [start, stop] = percentiles(plane, [low, high]) ?? [0, 1];
    return { offset: start, scale: Math.max(stop - start, SMALLEST_RANGE) };
  });
}

/** Brings all channels together to mean 0 and standard deviation 1. */
export function standard(planes: Float32Array[]): Scale[] {
  let sum = 0;
  let count = 0;
  let least = Infinity;
  let most = -Infinity;
  for (const plane of planes) {
    for (const value of plane) {
      sum += value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    count += plane.length;
  }
  const mean = sum / count;
  let squares = 0;
  for (const plane of planes) for (const value of plane) squares += (value - mean) ** 2;
  const deviation = Math.max(Math.sqrt(squares / count), SMALLEST_RANGE * Math.max(most - least, 1e-20));
  return planes.map(() => ({ offset: mean, scale: deviation }));
}

/** Puts the smallest proper value of a plane in place of what is no finite number. */
export function withoutHoles(plane: Float32Array): [Float32Array, number] {
  let holes = 0;
  let smallest = Infinity;
  for (const value of plane) {
    if (!Number.isFinite(value)) holes++;
    else if (value < smallest) smallest = value;
  }
  if (!holes) return [plane, 0];
  const background = Number.isFinite(smallest) ? smallest : 0;
  return [plane.map((value) => (Number.isFinite(value) ? value : background)), holes];
}
