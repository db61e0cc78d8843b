// The page's end of the engine: starts it, and ends it when a run is cancelled.

import { type Remote, transfer, wrap } from 'comlink';
import type { EngineApi, Load, Loaded, Outcome } from './engine.worker.ts';

/** Thrown where a run was cancelled. */
export class Cancelled extends Error {}

export class Engine {
  #worker: Worker | null = null;
  #api: Remote<EngineApi> | null = null;
  #loaded: { key: string; answer: Loaded } | null = null;
  #stop: ((why: Error) => void) | null = null;
  #cancelled = false;

  /** Begins a run, which can be cancelled from now on. */
  begin(): void {
    this.#cancelled = false;
  }

  /** Ends a run, wherever it is. */
  cancel(): void {
    this.#cancelled = true;
    if (this.#stop) this.#end();
    this.#stop?.(new Cancelled());
  }

  /**
   * Waits for a step of a run.
   *
   * @throws {Cancelled} the run was cancelled, whatever became of the step
   */
  async step<T extends Promise<unknown>>(work: T): Promise<Awaited<T>> {
    try {
      const value = await work;
      if (!this.#cancelled) return value;
    } catch (error) {
      if (!this.#cancelled) throw error;
    }
    throw new Cancelled();
  }

  /**
   * Loads a model, unless the same one is loaded.
   *
   * @param key tells models and their settings apart
   */
  async load(key: string, load: () => Load): Promise<Loaded> {
    if (this.#loaded?.key === key) return this.#loaded.answer;
    this.#loaded = null;
    const answer = await this.#call((api) => api.load(load()));
    this.#loaded = { key, answer };
    return answer;
  }

  run(pixels: Float32Array, channels: number, height: number, width: number): Promise<Outcome> {
    return this.#call((api) => api.run(transfer(pixels, [pixels.buffer]), channels, height, width));
  }

  async #call<T>(work: (api: Remote<EngineApi>) => Promise<T>): Promise<T> {
    const api = this.#api ?? this.#start();
    try {
      return await Promise.race([work(api), new Promise<never>((_, reject) => (this.#stop = reject))]);
    } catch (error) {
      this.#end(); // what failed, for want of memory for instance, leaves nothing to go on with
      throw error;
    } finally {
      this.#stop = null;
    }
  }

  #start(): Remote<EngineApi> {
    this.#worker = new Worker(new URL('engine.js', document.baseURI), { type: 'module' });
    this.#worker.onerror = ({ message }) => this.#stop?.(new Error(message || 'the engine has stopped'));
    this.#api = wrap<EngineApi>(this.#worker);
    return this.#api;
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = this.#api = this.#loaded = null;
  }
}
