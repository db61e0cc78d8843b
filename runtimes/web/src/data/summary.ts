// What a page shows of what was found.

import type { Found } from '../results/found.ts';

export interface StructureSummary {
  name: string;
  count: number;
  /** Areas in square micrometres, or in pixels where the pixel size is unknown. */
  unit: 'µm²' | 'px';
  median: number;
  smallest: number;
  largest: number;
  /** Share of the image that objects cover. */
  covered: number;
  /** Objects by area: how many lie in each of equal steps from 0 to `end`, the last of which holds all larger ones. */
  histogram: { end: number; counts: number[] };
}

export interface Summary {
  structures: StructureSummary[];
  classes: [name: string, count: number][];
  notes: string[];
}

const BINS = 24;

export function summaryOf(found: Found, notes: string[]): Summary {
  const factor = found.pixelSize ? found.pixelSize[0] * found.pixelSize[1] : 1;
  const structures = found.objects.map((objects, place): StructureSummary => {
    const areas = objects.map(({ area }) => area * factor).sort((one, other) => one - other);
    const end = areas.length ? areas[Math.floor((areas.length - 1) * 0.99)] * 1.05 : 1;
    const counts = new Array<number>(BINS).fill(0);
    for (const area of areas) counts[Math.min(BINS - 1, Math.floor((area / end) * BINS))] += 1;
    const middle = areas.length / 2;
    const median = areas.length % 2 ? areas[Math.floor(middle)] : (areas[middle - 1] + areas[middle]) / 2;
    return {
      name: found.structures[place],
      count: areas.length,
      unit: found.pixelSize ? 'µm²' : 'px',
      median: areas.length ? median : NaN,
      smallest: areas[0] ?? NaN,
      largest: areas.at(-1) ?? NaN,
      covered: areas.reduce((sum, area) => sum + area, 0) / factor / (found.width * found.height),
      histogram: { end, counts },
    };
  });
  const classes = new Map<string, number>();
  for (const [name] of [...new Set(found.classes)].flatMap((of) => [...of.values()])) classes.set(name, (classes.get(name) ?? 0) + 1);
  return { structures, classes: [...classes], notes };
}
