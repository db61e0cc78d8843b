// PNG with 8 and 16 bits by fast-png, which keeps all bits; palettes and fewer bits by the browser.

import { decode } from 'fast-png';
import { browserPixels } from './browser.ts';
import { checkOpaque, checkSize, defaultNames, type Picture, type Plane, planesOf } from './image.ts';

const COARSEST = 20;
const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

export async function readPng(name: string, bytes: ArrayBuffer): Promise<Picture> {
  const head = new DataView(bytes);
  const [width, height, bits, colours] = [head.getUint32(16), head.getUint32(20), head.getUint8(24), head.getUint8(25)];
  checkSize(name, width, height, SAMPLES[colours] ?? 4);
  const notes: string[] = [];
  if (colours === 3 || bits < 8) {
    const picture = await browserPixels(bytes, 'image/png');
    const planes = planesOf(new Uint8Array(picture.data.buffer), 4);
    checkOpaque(name, planes[3], 255);
    const grey = colours === 0;
    if (bits === 1 && grey) planes[0] = planes[0].map((value) => value / 255); // black and white are 0 and 1
    if (bits > 1 || !grey) notes.push(
      grey
        ? `${name} has ${bits} bits per pixel: its values were stretched to 8.`
        : `${name} has a palette: its colours were taken from it.`,
    );
    return {
      width,
      height,
      planes: grey ? planes.slice(0, 1) : planes.slice(0, 3),
      names: defaultNames(grey ? 1 : 3, true),
      pixelSize: null,
      notes,
    };
  }
  const png = decode(bytes, { checkCrc: true });
  const planes: Plane[] = planesOf(png.data as Uint8Array | Uint16Array, png.channels);
  const opaque = png.depth === 16 ? 65535 : 255;
  if (png.channels === 2 || png.channels === 4) {
    checkOpaque(name, planes.pop() as Plane, opaque);
    notes.push(`${name} has an alpha channel that is opaque: it was left out.`);
  } else if (png.transparency) checkOpaque(name, opacity(planes, png.transparency, opaque), opaque);
  const { resolution } = png;
  const size = resolution?.unit === 1 ? ([1e6 / resolution.y, 1e6 / resolution.x] as [number, number]) : null;
  return {
    width,
    height,
    planes,
    names: defaultNames(planes.length, true),
    pixelSize: size && size.every((value) => value > 0 && value < COARSEST) ? size : null,
    notes,
  };
}

/** Returns the alpha channel that one transparent colour stands for. */
function opacity(planes: Plane[], colour: Uint16Array, opaque: number): Plane {
  return planes[0].map((_, pixel) => (planes.every((plane, channel) => plane[pixel] === colour[channel]) ? 0 : opaque)) as Plane;
}
