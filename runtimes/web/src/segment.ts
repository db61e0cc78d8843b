// One run, from what was chosen to what was found.

import type { Remote } from 'comlink';
import type { Answer, DataApi } from './data/data.worker.ts';
import type { Summary } from './data/summary.ts';
import { type Gpu, threadCount } from './engine/capabilities.ts';
import { Cancelled, type Engine } from './engine/engine.ts';
import type { Load, Loaded } from './engine/engine.worker.ts';
import { told, untold } from './failure.ts';
import type { Manifest } from './model/manifest.ts';
import { changeable, NORMALIZE, type Settings, withSettings } from './model/settings.ts';
import { sayingOutputs } from './results/said.ts';
import type { Choices } from './ui/controls.ts';

/** Is told what is done, and how far it is, from 0 to 1. */
type Report = (words: string, done?: number) => void;

const LABELS = 'instance_segmentation';

export interface Segmented {
  summary: Summary;
  notes: string[];
  seconds: number;
  /** What ran the model, in words. */
  engine: string;
}

export class Segmentation {
  constructor(
    private readonly manifest: Manifest,
    private readonly bytes: Uint8Array,
    private readonly gpu: Gpu,
    private readonly engine: Engine,
    private readonly data: Remote<DataApi>,
  ) {}

  /**
   * Segments the image that is open.
   *
   * @throws {Cancelled} somebody has cancelled it
   */
  async run(choices: Choices, report: Report): Promise<Segmented> {
    const start = performance.now();
    this.engine.begin();
    const { metadata, percentiles } = this.manifest;
    const { pixelSize } = choices;
    report('Preparing the image …');
    const planned = this.data.plan({
      channels: choices.channels,
      pixelSize,
      modelPixelSize: metadata.spec.pixel_size,
      normalize: String(choices.settings[NORMALIZE] ?? 'auto'),
      percentiles,
      tile: choices.tile,
      halo: choices.halo,
    });
    const { tiles, normalize, notes } = given(await this.engine.step(planned));
    const settings = { ...choices.settings, [NORMALIZE]: normalize };
    const loaded = await this.#tiles(settings, choices, tiles, report);
    report('Measuring the objects …', 1);
    const finished = this.data.finish({
      structures: metadata.spec.structures,
      paired: metadata.paired_by !== null && choices.settings[metadata.paired_by] !== false,
      pixelSize,
      outputs: metadata.outputs,
    });
    const summary = given(await this.engine.step(finished));
    if (tiles > 1) notes.push(`The image went through in ${tiles} tiles.`);
    return { summary, notes, seconds: (performance.now() - start) / 1000, engine: this.#words(loaded, choices.processor) };
  }

  /** Segments all tiles; without the graphics processor where that fails. */
  async #tiles(settings: Settings, choices: Choices, tiles: number, report: Report): Promise<Loaded> {
    report('Loading the model …');
    const { processor } = choices;
    const wanted = processor === 'webgpu' || (processor === 'auto' && this.gpu.available && !this.gpu.software);
    const loaded = await this.engine.step(this.#load(settings, wanted));
    try {
      await this.#each(choices.channels.length, tiles, report);
      return loaded;
    } catch (error) {
      if (error instanceof Cancelled || !loaded.gpu) throw error;
      report('Once more, without the graphics processor …');
      const other = await this.engine.step(this.#load(settings, false));
      await this.#each(choices.channels.length, tiles, report);
      return { ...other, why: told(error).message };
    }
  }

  async #each(channels: number, tiles: number, report: Report): Promise<void> {
    for (let index = 0; index < tiles; index++) {
      report(tiles === 1 ? 'Segmenting …' : `Segmenting tile ${index + 1} of ${tiles} …`, tiles === 1 ? undefined : index / tiles);
      const { pixels, height, width } = await this.engine.step(this.data.tile(index));
      const { labels, rows } = await this.engine.step(this.engine.run(pixels, channels, height, width));
      await this.engine.step(this.data.take(index, labels, rows));
    }
  }

  #load(settings: Settings, gpu: boolean): Promise<Loaded> {
    const rows = changeable(this.manifest);
    const { metadata } = this.manifest;
    const key = JSON.stringify([settings, gpu]);
    return this.engine.load(key, (): Load => ({
      bytes: withSettings(this.bytes, rows, settings),
      stages: metadata.stages,
      labels: LABELS,
      rows: sayingOutputs(metadata.outputs).map(({ name }) => name),
      gpu,
      threads: threadCount(),
      library: new URL('onnxruntime/', document.baseURI).href,
    }));
  }

  #words({ gpu, why, version }: Loaded, processor: Choices['processor']): string {
    const threads = threadCount();
    const wasm = `WebAssembly on ${threads === 1 ? 'one thread' : `${threads} threads`}`;
    const library = `(ONNX Runtime ${version})`;
    if (gpu) return `The network ran on the graphics processor by WebGPU (${this.gpu.name}), the rest in ${wasm} ${library}.`;
    const reason = why || this.gpu.why || (this.gpu.software && processor === 'auto' ? 'its WebGPU is a program on the processor, which is slower' : '');
    return `All of the model ran in ${wasm} ${library}.${reason && processor !== 'wasm' ? ` Not by WebGPU: ${reason}.` : ''}`;
  }
}

function given<T>(answer: Answer<T>): T {
  if ('failure' in answer) throw untold(answer.failure);
  return answer.value;
}
