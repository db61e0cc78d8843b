// JPEG inside of TIFF, decoded by the browser: geotiff's own decoder does not interpolate coarser colours.

import { addDecoder } from 'geotiff';
import { browserPixels } from './browser.ts';

const JPEG = 7;
const YCBCR = 6;

interface Parameters {
  tables: Uint8Array | null;
  samples: number;
  /** Whether the samples are luminance and colours. */
  ycbcr: boolean;
}

class BrowserJpeg {
  constructor(private readonly parameters: Parameters) {}

  async decode(part: ArrayBuffer): Promise<ArrayBuffer> {
    const { samples } = this.parameters;
    const { data } = await browserPixels(this.#whole(new Uint8Array(part)), 'image/jpeg');
    const out = new Uint8Array((data.length / 4) * samples);
    for (let from = 0, to = 0; from < data.length; from += 4) for (let sample = 0; sample < samples; sample++) out[to++] = data[from + sample];
    return out.buffer;
  }

  /** A strip or tile is a JPEG without its tables, and does not say which colours it has: Adobe's marker does. */
  #whole(part: Uint8Array): ArrayBuffer {
    const { tables, ycbcr } = this.parameters;
    const marker = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, Number(ycbcr)];
    const shared = tables && tables.length > 4 ? tables.subarray(2, tables.length - 2) : new Uint8Array();
    return Uint8Array.from([0xff, 0xd8, ...marker, ...shared, ...part.subarray(2)]).buffer;
  }
}

/** Lets geotiff decode such files by the browser. */
export function decodeJpegByBrowser(): void {
  addDecoder(
    JPEG,
    async () => BrowserJpeg as never,
    async (directory) => {
      const load = async (tag: number) => (directory.hasTag(tag) ? directory.loadValue(tag) : undefined);
      const tables = (await load(347)) as ArrayLike<number> | undefined;
      const separate = Number((await load(284)) ?? 1) === 2;
      return {
        tables: tables ? Uint8Array.from(tables) : null,
        samples: separate ? 1 : Number((await load(277)) ?? 1),
        ycbcr: Number(await load(262)) === YCBCR,
      } as never;
    },
    false,
  );
}
