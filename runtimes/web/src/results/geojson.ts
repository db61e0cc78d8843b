// Objects as QuPath imports them by drag and drop; see instanseg_export/images/writers/geojson.py.

import { type Found, measurements } from './found.ts';
import type { Measured } from './objects.ts';
import { outline, type Polygon } from './outlines.ts';

const COLOURS = [
  [200, 0, 0],
  [0, 120, 220],
  [0, 150, 60],
  [220, 140, 0],
  [140, 60, 200],
  [0, 170, 170],
];

/** Returns the lines of the file, so that it is never one long text. */
export function geojsonOf(found: Found): string[] {
  const features = found.paired && found.structures.length === 2 ? pairs(found) : singles(found);
  const lines = ['{"type":"FeatureCollection","features":[\n'];
  features.forEach((feature, place) => lines.push(`${JSON.stringify(feature)}${place < features.length - 1 ? ',' : ''}\n`));
  return [...lines, ']}\n'];
}

function singles(found: Found): object[] {
  return found.objects.flatMap((objects, structure) =>
    objects.map((one) => feature(found, 'detection', structure, one.label, geometry(found, structure, one), undefined, measurements(one, structure, found))),
  );
}

/** A nucleus and its cell are one object of QuPath's. */
function pairs(found: Found): object[] {
  const nuclei = new Map(found.objects[0].map((one) => [one.label, one]));
  const prefixed = (one: Measured, structure: number, prefix: string) => measurements(one, structure, found).map(([name, value]): [string, number] => [`${prefix} ${name}`, value]);
  const cells = found.objects[1].map((cell) => {
    const nucleus = nuclei.get(cell.label);
    nuclei.delete(cell.label);
    const inside = nucleus && geometry(found, 0, nucleus);
    const facts = [...prefixed(cell, 1, 'cell'), ...(nucleus ? prefixed(nucleus, 0, 'nucleus') : [])];
    return feature(found, 'cell', 1, cell.label, geometry(found, 1, cell), inside, facts);
  });
  const alone = [...nuclei.values()].map((one) => feature(found, 'detection', 0, one.label, geometry(found, 0, one), undefined, measurements(one, 0, found)));
  return [...cells, ...alone];
}

function feature(found: Found, objectType: string, structure: number, label: number, shape: object, nucleusGeometry: object | undefined, facts: [string, number][]): object {
  const [name, place] = found.classes[structure].get(label) ?? [];
  return {
    type: 'Feature',
    id: identifier(),
    geometry: shape,
    ...(nucleusGeometry ? { nucleusGeometry } : {}),
    properties: {
      objectType,
      ...(name !== undefined && place !== undefined ? { classification: { name, color: COLOURS[place % COLOURS.length] } } : {}),
      measurements: Object.fromEntries([['label', label], ...facts.filter(([, value]) => Number.isFinite(value))]),
    },
  };
}

function geometry(found: Found, structure: number, one: Measured): { type: string; coordinates: Polygon | Polygon[] } {
  const polygons = outline(found.labels[structure], found.width, one);
  return polygons.length === 1 ? { type: 'Polygon', coordinates: polygons[0] } : { type: 'MultiPolygon', coordinates: polygons };
}

/** A random UUID; crypto.randomUUID is missing in pages from plain http. */
function identifier(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
