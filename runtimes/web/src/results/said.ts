// What a model says of its objects beside where they lie: classes, scores, logits. See instanseg_export/inference/write.py.

import type { OutputFacts } from '../model/manifest.ts';

/** What one output says in a tile: row r belongs to label r + 1. */
export interface Rows {
  values: Float32Array;
  columns: number;
}

/** A column of the table, for each structure by label. */
export interface Said {
  title: string;
  /** Whether it holds numbers; otherwise names of classes. */
  numbers: boolean;
  of: Map<number, number | string>[];
}

/** A class of the model: its name, and its place in the model's list. */
export type Class = [name: string, place: number];

/** An object of the joined label maps, and the tile and label that its rows are taken from. */
interface Source {
  structure: number;
  id: number;
  tile: number;
  label: number;
}

type Tiles = { rows: Record<string, Rows> }[];

/** Returns the outputs that say something of each label. */
export function sayingOutputs(outputs: OutputFacts[]): OutputFacts[] {
  return outputs.filter(({ role }) => ['rows', 'classes', 'scores'].includes(role));
}

/**
 * Returns the columns, in the order of the outputs.
 *
 * @param channels names of those that the model sees
 * @param maps for each structure the place of its map: 0 for all where they are paired
 */
export function saidOf(outputs: OutputFacts[], sources: Source[], tiles: Tiles, channels: string[], maps: number[]): Said[] {
  const columns = new Map<string, Said>();
  for (const output of sayingOutputs(outputs)) {
    const count = tiles.find(({ rows }) => rows[output.name])?.rows[output.name].columns ?? 0;
    titles(output, channels, count).forEach((title, column) => {
      const found = maps.map(() => new Map<number, number | string>());
      each(output.name, column, sources, tiles, (structure, id, value) => {
        if (!output.values.length) found[structure].set(id, value);
        else if (output.values[value] !== undefined) found[structure].set(id, output.values[value]);
      });
      columns.set(title, { title, numbers: !output.values.length, of: maps.map((place) => found[place]) });
    });
  }
  return [...columns.values()];
}

/** Returns the class of each label, for each structure, where the model classifies. */
export function classesOf(outputs: OutputFacts[], sources: Source[], tiles: Tiles, maps: number[]): Map<number, Class>[] {
  const found = maps.map(() => new Map<number, Class>());
  const output = outputs.find(({ role }) => role === 'classes');
  if (output) {
    each(output.name, 0, sources, tiles, (structure, id, value) => {
      if (output.values[value] !== undefined) found[structure].set(id, [output.values[value], value]);
    });
  }
  return maps.map((place) => found[place]);
}

function titles({ name, axes, columns }: OutputFacts, channels: string[], count: number): string[] {
  if (!axes.includes('channel')) return [name];
  const given = columns.length ? columns : channels;
  return Array.from({ length: count }, (_, column) => `${name}: ${given.length === count ? given[column] : `column ${column + 1}`}`);
}

function each(name: string, column: number, sources: Source[], tiles: Tiles, take: (structure: number, id: number, value: number) => void): void {
  for (const { structure, id, tile, label } of sources) {
    const rows = tiles[tile].rows[name];
    const place = (label - 1) * (rows?.columns ?? 0) + column;
    if (rows && place < rows.values.length) take(structure, id, rows.values[place]);
  }
}
