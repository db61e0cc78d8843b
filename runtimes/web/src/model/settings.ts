// The settings of a model, as people choose them and as its file holds them.

import { setScalar } from '../../../_shared/onnx_file.mjs';
import { Failure } from '../failure.ts';
import type { Manifest, SettingRow, SettingValue } from './manifest.ts';

export type Settings = Record<string, SettingValue>;

/** How the intensities of an image are taken; the page decides for the whole image what a tile cannot show. */
export const NORMALIZE = 'normalize';

/** Returns the settings that can be changed in the model's file. */
export function changeable(manifest: Manifest): SettingRow[] {
  return manifest.metadata.tunables.filter((row) => !row.fixed && row.kind !== 'flags');
}

/**
 * Writes settings over the values that a file has.
 *
 * @returns a copy of the file
 */
export function withSettings(bytes: Uint8Array, rows: SettingRow[], settings: Settings): Uint8Array {
  const copy = bytes.slice();
  for (const row of rows) if (row.name in settings) setScalar(copy, row.name, encode(row, settings[row.name]));
  return copy;
}

/** Returns a value as a file holds it: a choice is its place among the choices. */
function encode(row: SettingRow, value: SettingValue): number | boolean {
  if (row.kind === 'bool' && typeof value === 'boolean') return value;
  if (row.kind === 'choice') {
    const place = row.choices.indexOf(String(value));
    if (place >= 0) return place;
  } else if (typeof value === 'number' && Number.isFinite(value) && (row.kind !== 'int' || Number.isInteger(value))) {
    const low = row.minimum ?? -Infinity;
    const high = row.maximum ?? Infinity;
    if (value >= low && value <= high) return value;
    throw new Failure(`${row.name} is ${value}, and has to lie between ${low} and ${high}.`, 'Change it, and run again.');
  }
  throw new Failure(`${row.name} cannot be ${String(value)}.`, 'Change it, and run again.');
}
