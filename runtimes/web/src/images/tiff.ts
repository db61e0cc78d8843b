// TIFF as microscopes, OME and ImageJ write it, read by geotiff. What pages are is decided as instanseg-export does.

import { fromArrayBuffer, type GeoTIFFImage } from 'geotiff';
import { Failure } from '../failure.ts';
import { checkOpaque, checkSize, defaultNames, type Picture, type Plane } from './image.ts';
import { type Facts, factsOf, imagejLabels, pixelSizeOf } from './tiff_facts.ts';
import { decodeJpegByBrowser } from './tiff_jpeg.ts';

decodeJpegByBrowser();

const WHITE_IS_ZERO = 0;
const RGB = 2;
const PALETTE = 3;
const YCBCR = 6;
const READ = [WHITE_IS_ZERO, 1, RGB, PALETTE, YCBCR];
const JPEG = 7;
const REDUCED_OR_MASK = 1 | 4;
const CLEARLY_SMALLER = 0.3;
const MOST_CHANNELS = 64;
const MOST_PAGES = 4096;
const ALPHA = [1, 2];

interface Page {
  image: GeoTIFFImage;
  width: number;
  height: number;
  samples: number;
  photometric: number;
  description: string;
}

export async function readTiff(name: string, bytes: ArrayBuffer): Promise<Picture> {
  const tiff = await fromArrayBuffer(bytes);
  const pages: Page[] = [];
  for (let place = 0; ; place++) {
    if (place === MOST_PAGES) throw new Failure(`${name} has more than ${MOST_PAGES} pages.`, 'Save one image alone.');
    const image = await nextPage(tiff, place);
    if (!image) break;
    pages.push(await look(image));
  }
  const notes: string[] = [];
  const facts = factsOf(name, pages[0].description, pages.map((page) => page.description));
  const chosen = choose(name, pages, facts, notes);
  const first = chosen[0];
  checkPages(name, chosen, facts, notes);
  checkSize(name, first.width, first.height, chosen.length * first.samples);
  for (const page of chosen) await checkInside(name, page, bytes.byteLength);
  const planes: Plane[] = [];
  for (const page of chosen) planes.push(...(await planesOfPage(name, page, chosen.length === 1, notes)));
  if (first.photometric === PALETTE && chosen.length > 1) notes.push(`${name} has a palette for each of its pages: a tint for viewing, which was not applied.`);
  const colour = [RGB, YCBCR, PALETTE].includes(first.photometric) && chosen.length === 1;
  const given = facts.names.length ? facts.names : await imagejLabels(pages[0].image);
  const names = given.length === planes.length && given.every(Boolean) ? given : defaultNames(planes.length, colour);
  const pixelSize = await pixelSizeOf(facts, first.image);
  if (pixelSize && pixelSize[0] !== pixelSize[1]) notes.push(`${name} has pixels of ${pixelSize[1]} x ${pixelSize[0]} µm (width x height).`);
  return { width: first.width, height: first.height, planes, names, pixelSize, notes };
}

async function nextPage(tiff: Awaited<ReturnType<typeof fromArrayBuffer>>, place: number): Promise<GeoTIFFImage | null> {
  try {
    return await tiff.getImage(place);
  } catch (error) {
    // geotiff says by an error of this kind that there are no more.
    if (place > 0 && error instanceof Error && /no image at index/i.test(error.message)) return null;
    throw error;
  }
}

async function look(image: GeoTIFFImage): Promise<Page> {
  const tag = async (code: number) => (image.fileDirectory.hasTag(code) ? image.fileDirectory.loadValue(code) : undefined);
  const description = await tag(270);
  return {
    image,
    width: image.getWidth(),
    height: image.getHeight(),
    samples: image.getSamplesPerPixel(),
    photometric: Number((await tag(262)) ?? 1),
    description: typeof description === 'string' ? description.replace(/\0+$/, '') : '',
  };
}

/** Returns the pages of the one image: those of the largest size. Thumbnails and levels of a pyramid are left out. */
function choose(name: string, pages: Page[], facts: Facts, notes: string[]): Page[] {
  const main = pages.filter(({ image }) => !(Number(image.fileDirectory.hasTag(254) ? image.fileDirectory.getValue(254 as never) : 0) & REDUCED_OR_MASK));
  const candidates = main.length ? main : pages;
  const area = (page: Page) => page.width * page.height;
  const largest = candidates.reduce((best, page) => (area(page) > area(best) ? page : best));
  const same = candidates.filter((page) => page.width === largest.width && page.height === largest.height);
  const other = candidates.find((page) => !same.includes(page) && area(page) > CLEARLY_SMALLER * area(largest));
  if (other) {
    throw new Failure(
      `${name} holds several images of similar sizes (${largest.width} x ${largest.height}, ${other.width} x ${other.height}).`,
      'Save the one that you mean alone.',
    );
  }
  if (same.length < pages.length && !facts.slide) {
    notes.push(`${name} holds further pages of other sizes: the largest image, ${largest.width} x ${largest.height} pixels, was taken.`);
  }
  // Colours come in pages with others of their kind: a thumbnail in colours beside grey channels is none of them.
  return same.filter((page) => page.samples === largest.samples);
}

function checkPages(name: string, pages: Page[], facts: Facts, notes: string[]): void {
  const { samples } = pages[0];
  if (facts.frames > 1) throw new Failure(`${name} is a time series of ${facts.frames} frames.`, 'Save one time point as its own file.');
  if (facts.slices > 1) {
    throw new Failure(
      `${name} is a volume of ${facts.slices} slices.`,
      'Save one slice or a projection; if the slices are channels, say so in Fiji: Image > Properties.',
    );
  }
  const planes = facts.channels > samples ? facts.channels : 1;
  if (facts.says && planes > pages.length) {
    throw new Failure(`${name} states ${planes} planes, of which ${pages.length} can be read.`, 'Open it in Fiji, and save it as a TIFF.');
  }
  if (pages.length === 1) return;
  if (samples > 1) {
    throw new Failure(`${name} holds ${pages.length} pages of ${samples} samples per pixel.`, 'Save the page that you mean alone.');
  }
  if (pages.length > MOST_CHANNELS) {
    throw new Failure(`${name} holds ${pages.length} pages, and does not say what they are.`, 'Save one of them alone.');
  }
  if (!facts.says) notes.push(`${name} has ${pages.length} pages without axes: they were taken for channels.`);
}

/** Refuses a page whose strips or tiles lie outside of the file. */
async function checkInside(name: string, { image }: Page, size: number): Promise<void> {
  const tiled = image.fileDirectory.hasTag(324);
  const [starts, counts] = await Promise.all([tiled ? 324 : 273, tiled ? 325 : 279].map((code) => image.fileDirectory.loadValue(code)));
  const [first, length] = [starts, counts].map((value) => (typeof value === 'number' ? [value] : Array.from(value as ArrayLike<number>, Number)));
  first.forEach((start, place) => {
    if (start + length[place] > size) {
      throw new Failure(`${name} is truncated: its pixels end at byte ${start + length[place]}, the file at ${size}.`, 'Copy or export it again.');
    }
  });
}

async function planesOfPage(name: string, page: Page, single: boolean, notes: string[]): Promise<Plane[]> {
  const { image, photometric } = page;
  const tag = async (code: number) => (image.fileDirectory.hasTag(code) ? image.fileDirectory.loadValue(code) : undefined);
  const jpeg = Number((await tag(259)) ?? 1) === JPEG;
  if (!READ.includes(photometric) || (photometric === YCBCR && !jpeg)) {
    throw new Failure(`${name} has colours of a kind that is not read here (${photometric}).`, 'Convert it to RGB or to greyscale, for instance with Fiji.');
  }
  if (Number((await tag(274)) ?? 1) !== 1) throw new Failure(`${name} is stored turned or mirrored.`, 'Save it upright, for instance with Fiji.');
  pad(image);
  const bits = image.getBitsPerSample();
  if (![8, 16, 32, 64].includes(bits) || image.getSampleFormat() > 3) {
    throw new Failure(`${name} holds values of ${bits} bits in a format that is not read here.`, 'Convert it to 8-bit, 16-bit or 32-bit float.');
  }
  const planes = [...((await image.readRasters({ interleave: false })) as unknown as Plane[])];
  if (photometric === PALETTE) return single ? coloured(name, planes[0], (await tag(320)) as ArrayLike<number>, bits, notes) : planes;
  if (photometric === WHITE_IS_ZERO) invert(name, planes, image.getSampleFormat() === 1 && bits < 64 ? 2 ** bits - 1 : NaN, notes);
  return withoutAlpha(name, planes, page, await tag(338), notes);
}

/** States for each sample what some programs state once for all. */
function pad(image: GeoTIFFImage): void {
  const fields = image.fileDirectory.actualizedFields as Map<string | number, unknown>;
  for (const [key, value] of fields) {
    if (![258, 339, 'BitsPerSample', 'SampleFormat'].includes(key)) continue;
    const given = typeof value === 'number' ? [value] : Array.from(value as ArrayLike<number>, Number);
    const samples = image.getSamplesPerPixel();
    if (given.length < samples) fields.set(key, Array.from({ length: samples }, (_, sample) => given[sample] ?? given[0]));
  }
}

/** Takes the colours of a palette; in one of several pages it is a program's tint for a channel. */
function coloured(name: string, places: Plane, map: ArrayLike<number> | undefined, bits: number, notes: string[]): Plane[] {
  const colours = map ? map.length / 3 : 0;
  if (!map || !(places instanceof Uint8Array || places instanceof Uint16Array) || places.some((place) => place >= colours)) {
    throw new Failure(`${name} has a palette that is of no use.`, 'Convert it to RGB or to greyscale, for instance with Fiji.');
  }
  const values = Array.from(map, Number);
  const type = bits > 8 ? Uint16Array : Uint8Array;
  // Some programs write 8 bits where the standard has 16.
  const shift = bits > 8 || Math.max(...values) < 256 ? 0 : 8;
  notes.push(`${name} has a palette: its colours were taken from it.`);
  return [0, 1, 2].map((colour) => type.from(Array.from(places, (place) => values[colour * colours + place] >> shift)));
}

function invert(name: string, planes: Plane[], white: number, notes: string[]): void {
  if (Number.isNaN(white)) throw new Failure(`${name} stores white as 0 in numbers without a limit.`, 'Invert it, and save it again.');
  for (const plane of planes) for (let pixel = 0; pixel < plane.length; pixel++) plane[pixel] = white - plane[pixel];
  notes.push(`${name} stores white as 0: its values were inverted.`);
}

function withoutAlpha(name: string, planes: Plane[], { image, samples }: Page, extra: unknown, notes: string[]): Plane[] {
  const kinds = typeof extra === 'number' ? [extra] : Array.from((extra ?? []) as ArrayLike<number>, Number);
  const base = samples - kinds.length;
  const opaque = image.getSampleFormat() === 3 ? 1 : 2 ** image.getBitsPerSample() - 1;
  return planes.filter((plane, place) => {
    if (place < base || !ALPHA.includes(kinds[place - base])) return true;
    checkOpaque(name, plane, opaque);
    notes.push(`${name} has an alpha channel that is opaque: it was left out.`);
    return false;
  });
}
