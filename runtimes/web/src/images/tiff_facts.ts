// What programs write into a TIFF file beside its pixels: axes, names of channels, and the size of a pixel.

import type { GeoTIFFImage } from 'geotiff';
import { findTagByName, findTagsByName, getAttribute } from 'xml-utils';
import { Failure } from '../failure.ts';

export interface Facts {
  /** Whether the file says what its pages are. */
  says: boolean;
  channels: number;
  slices: number;
  frames: number;
  names: string[];
  /** Height and width of a pixel in micrometres, where the description says so. */
  size: [number, number] | null;
  /** The unit of the resolution tags in micrometres, where the description says so. */
  unit: number | null;
  /** Whether a slide scanner wrote it, whose further pages are previews. */
  slide: boolean;
}

const LONGEST = 16e6;
const COARSEST_TAG = 20;
const PRINTERS = [600, 1200, 2400, 3600, 4800];
const MICROMETRES: Record<string, number> = {
  m: 1e6, cm: 1e4, mm: 1e3, µm: 1, um: 1, nm: 1e-3, pm: 1e-6, Å: 1e-4, in: 25400, inch: 25400,
  micron: 1, microns: 1, micrometer: 1, micrometre: 1, millimeter: 1e3, millimetre: 1e3, nanometer: 1e-3, nanometre: 1e-3,
};

function inMicrometres(unit: string): number | null {
  const plain = unit.trim().replace('\\u00B5', 'µ').replace('\u03bc', 'µ');
  return MICROMETRES[plain] ?? MICROMETRES[plain.toLowerCase()] ?? null;
}

/**
 * Reads what the descriptions of pages say.
 *
 * @param first description of the first page
 * @param all descriptions of all pages
 */
export function factsOf(name: string, first: string, all: string[]): Facts {
  const facts: Facts = { says: false, channels: 1, slices: 1, frames: 1, names: [], size: null, unit: null, slide: false };
  if (first.length > LONGEST) throw new Failure(`${name} carries too much text.`, 'Save it again without its metadata.');
  if (/<(\w+:)?OME[\s>]/.test(first)) return { ...facts, ...ome(first) };
  if (first.startsWith('ImageJ=')) return { ...facts, ...imagej(first) };
  if (first.startsWith('{')) return { ...facts, ...shaped(name, first) };
  const mpp = /\bMPP\s*=\s*([\d.,]+)/.exec(first);
  if (mpp) {
    const size = Number(mpp[1].replace(',', '.'));
    return { ...facts, slide: true, size: size > 0 ? [size, size] : null };
  }
  if (/<PerkinElmer-QPI-ImageDescription/.test(first)) {
    const names = all.map((text) => words(findTagByName(text, 'Name')?.inner ?? '')).filter(Boolean);
    return { ...facts, slide: true, names: [...new Set(names)].length === names.length ? names : [] };
  }
  return facts;
}

function ome(xml: string): Partial<Facts> {
  const find = (tag: string) => findTagByName(xml, tag) ?? findTagByName(xml, `OME:${tag}`);
  const pixels = find('Pixels');
  if (!pixels) return {};
  const read = (attribute: string) => getAttribute(pixels.outer, attribute) ?? '';
  const count = (attribute: string) => Math.max(1, Number(read(attribute)) || 1);
  const inner = pixels.inner ?? '';
  const channels = [...findTagsByName(inner, 'Channel'), ...findTagsByName(inner, 'OME:Channel')];
  const sizes = ['Y', 'X'].map((axis) => {
    const factor = inMicrometres(read(`PhysicalSize${axis}Unit`) || 'µm');
    return Number(read(`PhysicalSize${axis}`)) * (factor ?? NaN);
  });
  return {
    says: true,
    channels: count('SizeC'),
    slices: count('SizeZ'),
    frames: count('SizeT'),
    names: channels.map((channel) => words(getAttribute(channel.outer, 'Name') ?? '')),
    size: sizes.every((size) => size > 0) ? [sizes[0], sizes[1]] : null,
  };
}

/** Returns a text of XML without its escapes. */
function words(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name) return named[name.toLowerCase()];
    const code = hex ? parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function imagej(text: string): Partial<Facts> {
  const lines = new Map(text.split(/\r?\n/).map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
  const count = (key: string) => Math.max(1, Number(lines.get(key)) || 1);
  const [channels, slices, frames] = [count('channels'), count('slices'), count('frames')];
  const images = count('images');
  const says = channels * slices * frames > 1 || images === 1;
  return {
    says,
    channels,
    slices: says ? slices : images,
    frames,
    unit: inMicrometres(lines.get('unit') ?? ''),
  };
}

/**
 * Returns the labels that ImageJ keeps for each plane, in a tag of its own: a head that says of what kind the parts are
 * and how many there are of each, and the parts, whose lengths another tag states.
 */
export async function imagejLabels(image: GeoTIFFImage): Promise<string[]> {
  const { fileDirectory, littleEndian } = image;
  if (!fileDirectory.hasTag(50838) || !fileDirectory.hasTag(50839)) return [];
  const counts = Array.from((await fileDirectory.loadValue(50838)) as ArrayLike<number>, Number);
  const bytes = Uint8Array.from((await fileDirectory.loadValue(50839)) as ArrayLike<number>);
  const view = new DataView(bytes.buffer);
  const words = new TextDecoder(littleEndian ? 'utf-16le' : 'utf-16be');
  const labels: string[] = [];
  let at = counts[0];
  let part = 1;
  for (let row = 4; row + 8 <= counts[0] && at <= bytes.length; row += 8) {
    const kind = view.getUint32(row, littleEndian);
    for (let left = view.getUint32(row + 4, littleEndian); left > 0 && part < counts.length; left--, part++) {
      if (kind === 0x6c61626c) labels.push(words.decode(bytes.subarray(at, at + counts[part]))); // "labl"
      at += counts[part];
    }
  }
  return labels;
}

/** What tifffile writes: {"shape": [5, 256, 256], "axes": "CYX"}. */
function shaped(name: string, text: string): Partial<Facts> {
  let found: { shape?: unknown; axes?: unknown };
  try {
    found = JSON.parse(text);
  } catch {
    return {};
  }
  if (!Array.isArray(found.shape) || typeof found.axes !== 'string' || found.axes.length !== found.shape.length) return {};
  const size = (axis: string) => Number((found.shape as unknown[])[(found.axes as string).indexOf(axis)] ?? 1);
  const odd = [...found.axes].find((axis) => !'CZTYXS'.includes(axis) && size(axis) > 1);
  if (odd) throw new Failure(`${name} has an axis ${odd}, which an image does not have.`, 'Save one plane per channel.');
  return { says: true, channels: size('C'), slices: size('Z'), frames: size('T') };
}

/** Returns height and width of a pixel in micrometres: by the description, or by tags that are no printer's. */
export async function pixelSizeOf(facts: Facts, image: GeoTIFFImage): Promise<[number, number] | null> {
  if (facts.size) return facts.size;
  const tag = async (code: number) => (image.fileDirectory.hasTag(code) ? image.fileDirectory.loadValue(code) : undefined);
  const per = await Promise.all([283, 282].map(async (code) => ratio(await tag(code))));
  if (per.some((value) => !(value > 0))) return null;
  if (facts.unit) return [facts.unit / per[0], facts.unit / per[1]];
  const length = { 2: 25400, 3: 10000 }[Number((await tag(296)) ?? 2)];
  if (!length || per.every((value) => value === 1)) return null;
  const sizes: [number, number] = [length / per[0], length / per[1]];
  const printed = Math.min(...sizes) > COARSEST_TAG || sizes.every((size) => PRINTERS.some((dots) => Math.abs(25400 / size / dots - 1) < 1e-4));
  return printed ? null : sizes;
}

function ratio(value: unknown): number {
  const [top, bottom] = typeof value === 'number' ? [value, 1] : Array.from((value ?? []) as ArrayLike<number>, Number);
  return top / (bottom ?? 1);
}
