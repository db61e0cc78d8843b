// Any image file that the page reads. What a file is, its first bytes tell, whatever its name.

import { Failure } from '../failure.ts';
import type { Picture } from './image.ts';
import { readJpeg } from './jpeg.ts';
import { readPng } from './png.ts';
import { readTiff } from './tiff.ts';

const MOST_BYTES = 2 ** 31 - 1;

const READERS: [magic: number[], read: (name: string, bytes: ArrayBuffer) => Promise<Picture>][] = [
  [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], readPng],
  [[0xff, 0xd8, 0xff], readJpeg],
  [[0x49, 0x49, 0x2a, 0x00], readTiff],
  [[0x4d, 0x4d, 0x00, 0x2a], readTiff],
  [[0x49, 0x49, 0x2b, 0x00], readTiff],
  [[0x4d, 0x4d, 0x00, 0x2b], readTiff],
];

const MODELS = /\.(onnx|pt|pt2|pth|pte|ort|safetensors|mlpackage|zip)$/i;

/**
 * Reads an image.
 *
 * @throws {Failure} it is none, is of a kind that is not read here, is damaged, or is too large for a page
 */
export async function readImage(name: string, blob: Blob): Promise<Picture> {
  if (blob.size === 0) throw new Failure(`${name} is empty.`, 'Copy it again.');
  if (blob.size > MOST_BYTES) {
    throw new Failure(
      `${name} has ${(blob.size / 1e9).toFixed(1)} GB, which is more than a page can hold.`,
      'Segment it with instanseg-export run --tiled, which reads whole slides part by part.',
    );
  }
  const start = new Uint8Array(await blob.slice(0, 16).arrayBuffer());
  const reader = READERS.find(([magic]) => magic.every((byte, place) => start[place] === byte));
  if (!reader) {
    if (MODELS.test(name)) {
      throw new Failure(
        `${name} is a model, and this page segments images with the model that it was written for.`,
        `Give an image; or stop this page, and run instanseg-export serve ${name}.`,
      );
    }
    throw new Failure(`${name} is no PNG, JPEG or TIFF image.`, 'Save it as one of these, for instance with Fiji.');
  }
  try {
    return await reader[1](name, await blob.arrayBuffer());
  } catch (error) {
    if (error instanceof Failure || (error instanceof RangeError && /allocation/i.test(error.message))) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(`${name} is damaged, or of a kind that is not read here: ${why.slice(0, 200)}`, 'Save it again as a TIFF or PNG.');
  }
}
