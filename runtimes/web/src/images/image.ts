// An image as the page holds it.

import { Failure } from '../failure.ts';

export type Plane = Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface Picture {
  width: number;
  height: number;
  /** One plane for each channel, row by row. */
  planes: Plane[];
  names: string[];
  /** Height and width of a pixel in micrometres; null where the file does not say. */
  pixelSize: [number, number] | null;
  /** What was assumed while reading. */
  notes: string[];
}

const MOST_PIXELS = 120e6;
const MOST_SAMPLES = 500e6;

/** Refuses an image that a page has no room for, before its pixels are unpacked. */
export function checkSize(name: string, width: number, height: number, channels: number): void {
  if (!(width >= 1 && height >= 1 && channels >= 1)) {
    throw new Failure(`${name} has no pixels.`, 'Save it again in the program that it comes from.');
  }
  if (width * height <= MOST_PIXELS && width * height * channels <= MOST_SAMPLES) return;
  throw new Failure(
    `${name} has ${width.toLocaleString('en')} x ${height.toLocaleString('en')} pixels` +
      `${channels > 1 ? ` in ${channels} channels` : ''}, which is more than a page can hold.`,
    'Cut a part out of it, or segment it with instanseg-export run --tiled, which reads whole slides part by part.',
  );
}

export function defaultNames(count: number, colour: boolean): string[] {
  return colour && count === 3 ? ['red', 'green', 'blue'] : Array.from({ length: count }, (_, place) => `channel ${place + 1}`);
}

/** Takes apart samples that lie side by side. */
export function planesOf<T extends Plane>(samples: T, channels: number): T[] {
  if (channels === 1) return [samples];
  const count = samples.length / channels;
  const type = samples.constructor as new (length: number) => T;
  return Array.from({ length: channels }, (_, channel) => {
    const plane = new type(count);
    for (let pixel = 0, place = channel; pixel < count; pixel++, place += channels) plane[pixel] = samples[place];
    return plane;
  });
}

/** Refuses an image whose opacity would change what is seen. */
export function checkOpaque(name: string, alpha: Plane, opaque: number): void {
  if (alpha.every((value) => value === opaque)) return;
  throw new Failure(`${name} is partly transparent.`, 'Flatten it in an image editor, or save it without the alpha channel.');
}
