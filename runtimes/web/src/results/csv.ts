// A row for each object, with the columns of instanseg-export run --table csv.

import { type Found, uniqueNames } from './found.ts';

export function csvOf(found: Found): string {
  const { pixelSize } = found;
  const pairing = found.paired && found.structures.length > 1;
  const head = ['label', 'structure', ...(pairing ? ['pair'] : []), 'area_px', ...(pixelSize ? ['area_um2'] : [])];
  head.push('centroid_x_px', 'centroid_y_px', ...(pixelSize ? ['centroid_x_um', 'centroid_y_um'] : []));
  head.push('box_x', 'box_y', 'box_width', 'box_height', ...uniqueNames(found.channels).map((name) => `mean: ${name}`));
  head.push(...found.said.map(({ title }) => title));
  const labels = found.objects.map((objects) => new Set(objects.map(({ label }) => label)));
  const lines = [head.map(cell).join(',')];
  found.objects.forEach((objects, structure) => {
    for (const one of objects) {
      const row: (string | number)[] = [one.label, found.structures[structure]];
      if (pairing) row.push(labels[1 - structure].has(one.label) ? one.label : '');
      row.push(one.area, ...(pixelSize ? [one.area * pixelSize[0] * pixelSize[1]] : []), one.x, one.y);
      if (pixelSize) row.push(one.x * pixelSize[1], one.y * pixelSize[0]);
      row.push(one.left, one.top, one.width, one.height, ...one.means);
      row.push(...found.said.map(({ of }) => of[structure].get(one.label) ?? ''));
      lines.push(row.map(cell).join(','));
    }
  });
  return `${lines.join('\n')}\n`;
}

function cell(value: string | number): string {
  if (typeof value === 'number') return Number.isNaN(value) ? '' : String(Number(value.toPrecision(8)));
  return /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
