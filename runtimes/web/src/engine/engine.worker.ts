// Runs the model, in a thread of its own. To cancel a run, the page ends this thread and starts another.

import { expose, transfer } from 'comlink';
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import * as wasm from 'onnxruntime-web/wasm';
import { told } from '../failure.ts';
import { cut } from '../model/parts.ts';
import type { Rows } from '../results/said.ts';

type Library = typeof wasm;

export interface Load {
  bytes: Uint8Array;
  stages: Record<string, string>;
  labels: string;
  /** Names of the outputs with a row for each label. */
  rows: string[];
  gpu: boolean;
  threads: number;
  /** The folder with ONNX Runtime's WebAssembly. */
  library: string;
}

export interface Loaded {
  /** Whether the network runs on the graphics processor. */
  gpu: boolean;
  /** Why it does not, although it was asked for. */
  why: string;
  version: string;
  seconds: number;
}

export interface Outcome {
  /** One label map for each structure. */
  labels: Int32Array[];
  /** What the model says of each label, by the output's name. */
  rows: Record<string, Rows>;
  seconds: number;
}

type Feeds = Record<string, Tensor>;
type Run = (image: Tensor) => Promise<Feeds>;

const QUIET = { logSeverityLevel: 3 } as const;

class Engine {
  #run: Run | null = null;
  #load: Load | null = null;
  #sessions: InferenceSession[] = [];

  async load(load: Load): Promise<Loaded> {
    const start = performance.now();
    for (const session of this.#sessions) await session.release();
    this.#sessions = [];
    this.#load = load;
    configure(wasm, load);
    let why = '';
    this.#run = null;
    if (load.gpu) {
      try {
        this.#run = await this.#onGpu(load);
        if (!this.#run) why = 'the file does not name the stages at which it would be cut';
      } catch (error) {
        why = told(error).message;
      }
    }
    const gpu = this.#run !== null;
    this.#run ??= await this.#whole(load);
    return { gpu, why, version: wasm.env.versions.web ?? '', seconds: (performance.now() - start) / 1000 };
  }

  /** Runs the model on an image (channels, height, width). */
  async run(pixels: Float32Array, channels: number, height: number, width: number): Promise<Outcome> {
    if (!this.#run || !this.#load) throw new Error('no model is loaded');
    const start = performance.now();
    const results = await this.#run(new wasm.Tensor('float32', pixels, [1, channels, height, width]));
    const map = results[this.#load.labels];
    const ids = Int32Array.from(map.data as Float32Array);
    const size = height * width;
    const labels = Array.from({ length: map.dims[1] }, (_, structure) => ids.slice(structure * size, (structure + 1) * size));
    const rows = Object.fromEntries(this.#load.rows.map((name) => [name, rowsOf(results[name])]));
    const outcome = { labels, rows, seconds: (performance.now() - start) / 1000 };
    return transfer(outcome, labels.map(({ buffer }) => buffer));
  }

  async #session(library: Library, bytes: Uint8Array, provider: 'wasm' | 'webgpu'): Promise<InferenceSession> {
    const session = await library.InferenceSession.create(bytes, { ...QUIET, executionProviders: [provider] });
    this.#sessions.push(session);
    return session;
  }

  async #whole(load: Load): Promise<Run> {
    const session = await this.#session(wasm, load.bytes, 'wasm');
    return (image) => session.run({ image }) as Promise<Feeds>;
  }

  async #onGpu(load: Load): Promise<Run | null> {
    const parts = cut(load.bytes, load.stages);
    if (!parts) return null;
    const gpu = (await import('onnxruntime-web/webgpu')) as unknown as Library;
    configure(gpu, load);
    const prepare = await this.#session(wasm, parts.prepare, 'wasm');
    const network = await this.#session(gpu, parts.network, 'webgpu');
    const decode = await this.#session(wasm, parts.decode, 'wasm');
    return async (image) => {
      const { [parts.normalized]: normalized } = (await prepare.run({ image })) as Feeds;
      const given: Feeds = { [parts.normalized]: copy(gpu, normalized) };
      if (parts.networkTakesImage) given.image = copy(gpu, image);
      const { [parts.raw]: raw } = (await network.run(given)) as Feeds;
      const fields: Feeds = { [parts.raw]: copy(wasm, raw) };
      if (parts.decodeTakesImage) fields.image = image;
      return (await decode.run(fields)) as Feeds;
    };
  }
}

function configure({ env }: Library, { threads, library }: Load): void {
  env.wasm.numThreads = threads;
  env.wasm.wasmPaths = library;
  env.logLevel = 'error';
}

/** Takes a tensor of (instance,) or (batch, instance, channel), of one image. */
function rowsOf({ data, dims }: Tensor): Rows {
  return { values: Float32Array.from(data as ArrayLike<number>, Number), columns: dims.length === 3 ? dims[2] : 1 };
}

/** Hands a tensor from one build of the library to the other. */
function copy(library: Library, tensor: Tensor): Tensor {
  return new library.Tensor('float32', tensor.data as Float32Array, tensor.dims);
}

export type EngineApi = Pick<Engine, 'load' | 'run'>;

expose(new Engine());
