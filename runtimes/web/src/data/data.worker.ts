// Holds the image and what was found in it, in a thread of its own: reads, prepares, joins, draws and writes.

import { expose, transfer } from 'comlink';
import { type Told, told } from '../failure.ts';
import type { Picture } from '../images/image.ts';
import { readImage } from '../images/read.ts';
import type { OutputFacts } from '../model/manifest.ts';
import { csvOf } from '../results/csv.ts';
import { findings, type Found } from '../results/found.ts';
import { geojsonOf } from '../results/geojson.ts';
import { labelTiff } from '../results/label_tiff.ts';
import { classesOf, type Rows, saidOf } from '../results/said.ts';
import { join } from '../tiles/seams.ts';
import type { Seen } from '../tiles/views.ts';
import { drawOutlines, drawPicture, stretches } from './draw.ts';
import { makePlan, type Plan, tileOf, type Wanted } from './plan.ts';
import { rescaleLabels } from './rescale.ts';
import { type Summary, summaryOf } from './summary.ts';

export interface Opened {
  width: number;
  height: number;
  names: string[];
  type: string;
  pixelSize: [number, number] | null;
  notes: string[];
}

export interface Planned {
  tiles: number;
  normalize: 'always' | 'never';
  notes: string[];
}

/** What the page says of a run, beside the tiles. */
export interface Facts {
  structures: string[];
  paired: boolean;
  pixelSize: [number, number] | null;
  /** Of the model's file. */
  outputs: OutputFacts[];
}

export type Answer<T> = { value: T } | { failure: Told };

class Data {
  #picture: Picture | null = null;
  #stretched: ReturnType<typeof stretches> = [];
  #shown: number[] = [];
  #wanted: Wanted | null = null;
  #plan: Plan | null = null;
  #tiles: (Seen & { rows: Record<string, Rows> })[] = [];
  #found: Found | null = null;

  /** Reads an image, which takes the place of the one before. */
  open(name: string, blob: Blob): Promise<Answer<Opened>> {
    return answer(async () => {
      const picture = await readImage(name, blob);
      this.#picture = picture;
      this.#plan = this.#found = null;
      this.#tiles = [];
      this.show(picture.planes.map((_, channel) => channel));
      const { width, height, names, pixelSize, notes } = picture;
      return { width, height, names, type: picture.planes[0].constructor.name.replace('Array', '').toLowerCase(), pixelSize, notes };
    });
  }

  /** Chooses the channels that are drawn. */
  show(channels: number[]): void {
    this.#shown = [...new Set(channels)];
    if (this.#picture) this.#stretched = stretches(this.#shown.map((channel) => (this.#picture as Picture).planes[channel]));
  }

  plan(wanted: Wanted): Promise<Answer<Planned>> {
    return answer(async () => {
      this.#wanted = wanted;
      this.#plan = makePlan(this.#image, wanted);
      this.#tiles = [];
      return { tiles: this.#plan.grid.tiles.length, normalize: this.#plan.normalize, notes: this.#plan.notes };
    });
  }

  /** Returns what the model sees of a tile. */
  tile(index: number): { pixels: Float32Array; height: number; width: number } {
    const tile = tileOf(this.#planned, index);
    return transfer(tile, [tile.pixels.buffer]);
  }

  /** Takes what the model found in a tile. */
  take(index: number, labels: Int32Array[], rows: Record<string, Rows>): void {
    this.#tiles[index] = { tile: this.#planned.grid.tiles[index], labels, rows };
  }

  /** Joins the tiles and measures the objects. */
  finish(facts: Facts): Promise<Answer<Summary>> {
    return answer(async () => {
      const { grid, resampled } = this.#planned;
      const picture = this.#image;
      const structures = this.#tiles[0].labels.length;
      const paired = facts.paired && structures === 2;
      const joined = join(this.#tiles, grid, structures, paired);
      const seen = (this.#wanted?.channels ?? []).map((channel) => picture.names[channel]);
      const maps = joined.labels.map((_, structure) => (paired ? 0 : structure));
      const said = saidOf(facts.outputs, joined.sources, this.#tiles, seen, maps);
      const classes = classesOf(facts.outputs, joined.sources, this.#tiles, maps);
      const notes = [...joined.notes, ...overlaps(facts.outputs)];
      this.#tiles = [];
      const size: [number, number] = [picture.height, picture.width];
      const labels = resampled ? joined.labels.map((map) => rescaleLabels(map, [grid.height, grid.width], size)) : joined.labels;
      const channels = [...new Set(this.#wanted?.channels ?? [])];
      const found = findings(
        {
          width: picture.width,
          height: picture.height,
          structures: names(facts.structures, structures),
          labels,
          channels: channels.map((channel) => picture.names[channel]),
          pixelSize: facts.pixelSize,
          paired,
          said,
          classes,
        },
        channels.map((channel) => picture.planes[channel]),
      );
      this.#found = found;
      this.#plan = null;
      return summaryOf(found, notes);
    });
  }

  /** Forgets what was found, and what was planned. */
  forget(): void {
    this.#plan = this.#found = null;
    this.#tiles = [];
  }

  /** Draws a square of the image, every `step`-th pixel of it. */
  picture(x: number, y: number, size: number, step: number): ImageBitmap | null {
    if (!this.#picture) return null;
    return bitmap(drawPicture(this.#picture, this.#shown, this.#stretched, { x, y, size, step }), size);
  }

  /** Draws the outlines of a square. */
  outlines(x: number, y: number, size: number, step: number): ImageBitmap | null {
    return this.#found && bitmap(drawOutlines(this.#found, { x, y, size, step }), size);
  }

  /** Writes what was found as a file. */
  file(kind: 'tiff' | 'geojson' | 'csv'): Promise<Answer<Blob>> {
    return answer(async () => {
      const found = this.#found;
      if (!found) throw new Error('nothing was segmented');
      if (kind === 'tiff') return labelTiff(found);
      if (kind === 'geojson') return new Blob(geojsonOf(found), { type: 'application/geo+json' });
      return new Blob([csvOf(found)], { type: 'text/csv' });
    });
  }

  get #image(): Picture {
    if (!this.#picture) throw new Error('there is no image');
    return this.#picture;
  }

  get #planned(): Plan {
    if (!this.#plan) throw new Error('nothing was planned');
    return this.#plan;
  }
}

function names(structures: string[], count: number): string[] {
  return structures.length === count ? structures : Array.from({ length: count }, (_, place) => `structure ${place + 1}`);
}

function overlaps(outputs: OutputFacts[]): string[] {
  if (!outputs.some(({ role }) => role === 'masks')) return [];
  return [
    'The masks of this model may overlap. Outlines, areas and files show its label map, in which the better mask lies on top; ' +
      'instanseg-export run writes whole masks.',
  ];
}

function bitmap(pixels: Uint8ClampedArray<ArrayBuffer>, size: number): ImageBitmap {
  const canvas = new OffscreenCanvas(size, size);
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, size, size), 0, 0);
  const drawn = canvas.transferToImageBitmap();
  return transfer(drawn, [drawn]);
}

async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { failure: told(error) };
  }
}

export type DataApi = Pick<Data, 'open' | 'show' | 'plan' | 'tile' | 'take' | 'finish' | 'forget' | 'picture' | 'outlines' | 'file'>;

expose(new Data());
