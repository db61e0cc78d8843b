// The picture with zoom and pan: OpenSeadragon, whose squares are drawn by the worker that holds the image.

import OpenSeadragon from 'openseadragon';
import { by } from './dom.ts';

const SQUARE = 256;

/** Draws a square of the image: every `step`-th pixel from a place on. */
export type Draw = (x: number, y: number, size: number, step: number) => Promise<ImageBitmap | null>;

interface Job {
  src: string;
  finish(data: CanvasRenderingContext2D | null, request: unknown, type: string): void;
  fail(why: string, request: unknown): void;
}

export class Viewer {
  #viewer: OpenSeadragon.Viewer;
  #generation = 0;
  #size = { width: 1, height: 1 };
  #outlines: OpenSeadragon.TiledImage | null = null;

  constructor() {
    this.#viewer = OpenSeadragon({
      element: by('viewer'),
      drawer: 'canvas',
      showNavigationControl: false,
      imageSmoothingEnabled: false,
      maxZoomPixelRatio: 24,
      visibilityRatio: 0.5,
      animationTime: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 0.4,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true },
      immediateRender: true,
    });
    const canvas = by('viewer').querySelector('.openseadragon-canvas');
    canvas?.setAttribute('role', 'application');
    canvas?.setAttribute('aria-label', 'Picture. Arrow keys move it, plus and minus zoom, 0 shows all of it.');
    by('zoom-in').onclick = () => this.#zoom(1.5);
    by('zoom-out').onclick = () => this.#zoom(1 / 1.5);
    by('fit').onclick = () => this.#viewer.viewport.goHome();
    by<HTMLInputElement>('outlines').onchange = () => this.#outlines?.setOpacity(this.#opacity);
  }

  /** Shows an image, without outlines. */
  open(width: number, height: number, draw: Draw): Promise<void> {
    this.#size = { width, height };
    this.#outlines = null;
    by('tools').hidden = false;
    return new Promise((resolve) => {
      this.#viewer.addOnceHandler('open', () => resolve());
      this.#viewer.open(this.#source(draw) as never);
    });
  }

  /** Draws the image again, for instance in other channels. */
  redraw(): void {
    this.#viewer.world.getItemAt(0)?.reset();
  }

  /** Lays outlines over the image, or takes them away. */
  outline(draw: Draw | null): Promise<void> {
    if (this.#outlines) this.#viewer.world.removeItem(this.#outlines);
    this.#outlines = null;
    if (!draw) return Promise.resolve();
    return new Promise((resolve) => {
      this.#viewer.addTiledImage({
        tileSource: this.#source(draw) as never,
        opacity: this.#opacity,
        success: (event: unknown) => {
          this.#outlines = (event as { item: OpenSeadragon.TiledImage }).item;
          resolve();
        },
      });
    });
  }

  get #opacity(): number {
    return by<HTMLInputElement>('outlines').checked ? 1 : 0;
  }

  #zoom(factor: number): void {
    this.#viewer.viewport.zoomBy(factor);
    this.#viewer.viewport.applyConstraints();
  }

  #source(draw: Draw): object {
    const { width, height } = this.#size;
    const generation = ++this.#generation;
    const top = Math.ceil(Math.log2(Math.max(width, height, 2)));
    return {
      width,
      height,
      tileSize: SQUARE,
      tileOverlap: 0,
      minLevel: 0,
      maxLevel: top,
      hasTransparency: () => true,
      getTileUrl: (level: number, x: number, y: number) => `${generation}/${level}/${x}/${y}`,
      downloadTileStart: (job: Job) => {
        const [level, column, row] = job.src.split('/').slice(1).map(Number);
        const step = 2 ** (top - level);
        const [x, y] = [column * SQUARE * step, row * SQUARE * step];
        draw(x, y, SQUARE, step).then(
          (bitmap) => {
            const context = document.createElement('canvas').getContext('2d');
            if (!bitmap || !context) return job.fail('nothing to draw', null);
            context.canvas.width = Math.min(SQUARE, Math.ceil(width / step) - column * SQUARE);
            context.canvas.height = Math.min(SQUARE, Math.ceil(height / step) - row * SQUARE);
            context.drawImage(bitmap, 0, 0);
            bitmap.close();
            return job.finish(context, null, 'context2d');
          },
          (error: unknown) => job.fail(String(error), null),
        );
      },
      downloadTileAbort: () => undefined,
    };
  }
}
