// JPEG: the browser decodes it; its head tells whether it is grey, which decoded pixels do not.

import { Failure } from '../failure.ts';
import { browserPixels } from './browser.ts';
import { checkSize, defaultNames, type Picture, planesOf } from './image.ts';

export async function readJpeg(name: string, bytes: ArrayBuffer): Promise<Picture> {
  const { width, height, components } = frame(name, new DataView(bytes));
  if (components !== 1 && components !== 3) {
    throw new Failure(`${name} has a printer's colours (${components} of them).`, 'Convert it to RGB or to greyscale.');
  }
  checkSize(name, width, height, components);
  const picture = await browserPixels(bytes, 'image/jpeg');
  const planes = planesOf(picture.data as unknown as Uint8Array, 4).slice(0, components);
  return {
    width: picture.width,
    height: picture.height,
    planes: planes.map((plane) => new Uint8Array(plane)),
    names: defaultNames(components, true),
    pixelSize: null,
    notes: [],
  };
}

/** Reads the start of the frame: the first marker of the kinds C0 to CF that describes one. */
function frame(name: string, view: DataView): { width: number; height: number; components: number } {
  let at = 2;
  while (at + 9 < view.byteLength) {
    if (view.getUint8(at) !== 0xff) break;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: view.getUint8(at + 9) };
    } else at += 2 + view.getUint16(at + 2);
  }
  throw new Failure(`${name} is damaged: it has no frame.`, 'Copy or export it again.');
}
