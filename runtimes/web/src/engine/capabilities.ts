// What this browser can run.

import { Failure } from '../failure.ts';

/** The smallest module that uses a vector instruction: i8x16.popcnt of i8x16.splat(0). */
const VECTORS = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

/** Refuses a browser in which ONNX Runtime cannot run at all. */
export function checkBrowser(): void {
  if (typeof WebAssembly !== 'object') {
    throw new Failure(
      'This browser has no WebAssembly, or it is switched off.',
      'Switch it on (some browsers switch it off in a strict or lockdown mode), or use a current Chrome, Edge, Firefox or Safari.',
    );
  }
  if (!WebAssembly.validate(Uint8Array.from(VECTORS))) {
    throw new Failure(
      'This browser, or this processor, has no vector instructions for WebAssembly (SIMD).',
      'Use a current Chrome, Edge, Firefox or Safari (16.4 or newer), on a computer that is not older than about 2010.',
    );
  }
}

export interface Gpu {
  available: boolean;
  /** Whether the adapter is a program on the processor, which is slower than WebAssembly. */
  software: boolean;
  name: string;
  why: string;
}

/** Asks for a graphics processor. */
export async function findGpu(): Promise<Gpu> {
  const none = (why: string): Gpu => ({ available: false, software: false, name: '', why });
  if (!navigator.gpu) return none(isSecureContext ? 'this browser has no WebGPU' : 'WebGPU needs a page from https or from this computer');
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return none('WebGPU finds no graphics processor');
  const { info } = adapter;
  const name = info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(' ') || 'graphics processor';
  const software = Boolean(info?.isFallbackAdapter) || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(name);
  return { available: true, software, name, why: '' };
}

/** How many threads WebAssembly gets: several only in a page that its host isolates from others. */
export function threadCount(): number {
  return crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
}
