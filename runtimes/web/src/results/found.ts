// What was found in an image, ready for tables and files.

import type { Plane } from '../images/image.ts';
import { type Measured, measure } from './objects.ts';
import type { Class, Said } from './said.ts';

export interface Found {
  width: number;
  height: number;
  structures: string[];
  labels: Int32Array[];
  objects: Measured[][];
  channels: string[];
  pixelSize: [number, number] | null;
  /** Whether a nucleus and its cell have one label. */
  paired: boolean;
  /** What the model says of each object, as columns. */
  said: Said[];
  /** The class of each label, for each structure, where the model classifies. */
  classes: Map<number, Class>[];
}

export function findings(facts: Omit<Found, 'objects'>, planes: Plane[]): Found {
  return { ...facts, objects: facts.labels.map((labels) => measure(labels, facts.width, planes)) };
}

/** Names that differ: a channel that is given twice is numbered. */
export function uniqueNames(names: string[]): string[] {
  return names.map((name, place) => (names.indexOf(name) === place ? name : `${name} (${place + 1})`));
}

/** Returns the measurements of an object of a structure that QuPath shows, by name. */
export function measurements(object: Measured, structure: number, { channels, pixelSize, said }: Found): [name: string, value: number][] {
  const area: [string, number][] = [['area_px', object.area]];
  if (pixelSize) area.push(['area_um2', object.area * pixelSize[0] * pixelSize[1]]);
  const means = uniqueNames(channels).map((name, place): [string, number] => [`mean: ${name}`, object.means[place]]);
  const numbers = said.filter((column) => column.numbers).map(({ title, of }): [string, number] => [title, Number(of[structure].get(object.label) ?? NaN)]);
  return [...area, ...means, ...numbers];
}
