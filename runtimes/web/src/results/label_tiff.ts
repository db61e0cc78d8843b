// Label maps as one deflated TIFF with a page per structure, as instanseg-export run writes it: uint16 for ids up to
// 65,535, float32 up to 2^24, which ImageJ has too, and uint32 beyond. No library for browsers writes pages of these.

import type { Found } from './found.ts';

const ASCII = 2;
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const LARGEST_UINT16 = 65_535;
const LARGEST_FLOAT32 = 2 ** 24;

type Entry = [tag: number, type: number, values: number[] | Uint8Array];

export async function labelTiff({ labels, width, height, pixelSize, structures }: Found): Promise<Blob> {
  let largest = 0;
  for (const map of labels) for (const id of map) if (id > largest) largest = id;
  const imagej = largest <= LARGEST_FLOAT32;
  const type = largest <= LARGEST_UINT16 ? Uint16Array : imagej ? Float32Array : Uint32Array;
  const text = imagej ? describe(labels.length, largest, pixelSize !== null) : '';
  const pages = await Promise.all(labels.map((map) => deflate(type.from(map))));
  const parts: Uint8Array[] = [Uint8Array.of(0x49, 0x49, 42, 0, 8, 0, 0, 0)];
  let at = 8;
  pages.forEach((pixels, page) => {
    const entries: Entry[] = [
      [256, LONG, [width]],
      [257, LONG, [height]],
      [258, SHORT, [8 * type.BYTES_PER_ELEMENT]],
      [259, SHORT, [8]],
      [262, SHORT, [1]],
      ...(page === 0 && text ? [[270, ASCII, new TextEncoder().encode(`${text}\0`)] as Entry] : []),
      [273, LONG, [0]],
      [277, SHORT, [1]],
      [278, LONG, [height]],
      [279, LONG, [pixels.length]],
      ...(pixelSize ? resolution(pixelSize, imagej) : []),
      [285, ASCII, new TextEncoder().encode(`${structures[page] ?? ''}\0`)],
      [339, SHORT, [type === Float32Array ? 3 : 1]],
    ];
    const directory = directoryOf(entries.sort(([one], [other]) => one - other), at, page < pages.length - 1 ? pixels.length : null);
    parts.push(directory, pixels);
    at += directory.length + pixels.length;
    if (pixels.length % 2) {
      parts.push(Uint8Array.of(0));
      at += 1;
    }
  });
  return new Blob(parts as BlobPart[], { type: 'image/tiff' });
}

function describe(pages: number, largest: number, calibrated: boolean): string {
  const planes = pages > 1 ? `channels=${pages}\nhyperstack=true\nmode=grayscale\n` : '';
  return `ImageJ=1.11a\nimages=${pages}\n${planes}min=0.0\nmax=${Math.max(largest, 1)}.0\n${calibrated ? 'unit=micron\n' : ''}`;
}

/** ImageJ counts pixels per unit of its description, TIFF itself per centimetre. */
function resolution([tall, wide]: [number, number], imagej: boolean): Entry[] {
  const unit = imagej ? 1 : 10_000;
  const per = (size: number) => {
    const value = unit / size;
    const bottom = Math.max(1, Math.min(1_000_000, Math.floor(4e9 / value)));
    return [Math.round(value * bottom), bottom];
  };
  return [
    [282, RATIONAL, per(wide)],
    [283, RATIONAL, per(tall)],
    [296, SHORT, [imagej ? 1 : 3]],
  ];
}

/**
 * Returns a directory with the values that do not fit into it behind it; the pixels follow.
 *
 * @param next how many bytes of pixels stand before the next page; null for the last one
 */
function directoryOf(entries: Entry[], start: number, next: number | null): Uint8Array {
  const sizes: Record<number, number> = { [ASCII]: 1, [SHORT]: 2, [LONG]: 4, [RATIONAL]: 4 };
  const fixed = 2 + 12 * entries.length + 4;
  const lengths = entries.map(([, type, values]) => values.length * sizes[type]);
  const total = fixed + lengths.reduce((sum, length) => sum + (length > 4 ? length + (length % 2) : 0), 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, entries.length, true);
  let behind = fixed;
  entries.forEach(([tag, type, values], place) => {
    const row = 2 + 12 * place;
    view.setUint16(row, tag, true);
    view.setUint16(row + 2, type, true);
    view.setUint32(row + 4, type === RATIONAL ? values.length / 2 : values.length, true);
    let to = row + 8;
    if (lengths[place] > 4) {
      view.setUint32(row + 8, start + behind, true);
      to = behind;
      behind += lengths[place] + (lengths[place] % 2);
    }
    values.forEach((value, index) => {
      if (type === ASCII) view.setUint8(to + index, value);
      else if (type === SHORT) view.setUint16(to + 2 * index, value, true);
      else view.setUint32(to + 4 * index, tag === 273 ? start + total : value, true);
    });
  });
  view.setUint32(fixed - 4, next === null ? 0 : start + total + next + (next % 2), true);
  return bytes;
}

async function deflate(values: Uint16Array | Float32Array | Uint32Array): Promise<Uint8Array> {
  const stream = new Blob([values as BlobPart]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
