// The objects of a label map: where each lies and what is measured of it. Places count from the outer corner of the
// first pixel, as ImageJ and QuPath count them. See instanseg_export/images/objects.py.

import type { Plane } from '../images/image.ts';

export interface Measured {
  label: number;
  area: number;
  /** In pixels: the centre of the first pixel lies at 0.5. */
  x: number;
  y: number;
  left: number;
  top: number;
  width: number;
  height: number;
  /** Of each channel, over the pixels that are finite numbers; NaN where none is. */
  means: number[];
}

export function measure(labels: Int32Array, width: number, planes: Plane[]): Measured[] {
  const found = new Map<number, Measured & { right: number; bottom: number; counts: number[] }>();
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const label = labels[pixel];
    if (!label) continue;
    const x = pixel % width;
    const y = (pixel - x) / width;
    let one = found.get(label);
    if (!one) {
      const zeros = () => planes.map(() => 0);
      one = { label, area: 0, x: 0, y: 0, left: x, top: y, width: 0, height: 0, right: x, bottom: y, means: zeros(), counts: zeros() };
      found.set(label, one);
    }
    one.area += 1;
    one.x += x + 0.5;
    one.y += y + 0.5;
    if (x < one.left) one.left = x;
    if (x > one.right) one.right = x;
    one.bottom = y;
    for (let channel = 0; channel < planes.length; channel++) {
      const value = planes[channel][pixel];
      if (!Number.isFinite(value)) continue;
      one.means[channel] += value;
      one.counts[channel] += 1;
    }
  }
  return [...found.values()]
    .sort((one, other) => one.label - other.label)
    .map(({ right, bottom, counts, ...one }) => ({
      ...one,
      x: one.x / one.area,
      y: one.y / one.area,
      width: right - one.left + 1,
      height: bottom - one.top + 1,
      means: one.means.map((sum, channel) => (counts[channel] ? sum / counts[channel] : NaN)),
    }));
}
