// Pixels of the formats that browsers decode by themselves.

/** Returns red, green, blue and alpha of each pixel, as they are stored: without a change of colours. */
export async function browserPixels(bytes: ArrayBuffer, type: string): Promise<ImageData> {
  const bitmap = await createImageBitmap(new Blob([bytes], { type }), {
    colorSpaceConversion: 'none',
    premultiplyAlpha: 'none',
    imageOrientation: 'from-image',
  });
  try {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d', { willReadFrequently: true, alpha: true });
    if (!context) throw new Error('the browser gives no canvas of that size');
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}
