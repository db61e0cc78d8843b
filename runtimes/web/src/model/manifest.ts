// What the page is told of its model: model/model.json, which instanseg-export writes beside the model's file.

import { Failure } from '../failure.ts';

export interface SettingRow {
  name: string;
  kind: 'float' | 'int' | 'bool' | 'choice' | 'flags';
  help: string;
  minimum: number | null;
  maximum: number | null;
  choices: string[];
  fixed: boolean;
}

export interface OutputFacts {
  name: string;
  role: string;
  axes: string[];
  columns: string[];
  values: string[];
}

export type SettingValue = boolean | number | string | number[];

/** What the model's file says of itself, as far as the page needs it. */
export interface Metadata {
  dimensions: number;
  /** Of the only images that the file takes; null where it takes any size. */
  image_shape: number[] | null;
  spec: {
    name: string;
    structures: string[];
    channels: number | null;
    pixel_size: number | null;
  };
  settings: Record<string, SettingValue>;
  tunables: SettingRow[];
  outputs: OutputFacts[];
  stages: Record<string, string>;
  paired_by: string | null;
}

export interface Sample {
  file: string;
  title: string;
}

export interface Manifest {
  format: number;
  name: string;
  description: string;
  license: string;
  authors: string[];
  cite: string[];
  written_by: string;
  file: string;
  bytes: number;
  sha256: string;
  /** Percentiles by which the model's images are normalised; null where they are brought to mean 0, deviation 1. */
  percentiles: [number, number] | null;
  metadata: Metadata;
  samples: Sample[];
}

const FOLDER = 'model/';

/** Reads the manifest. */
export async function readManifest(): Promise<Manifest> {
  const response = await fetch(`${FOLDER}model.json`).catch(() => null);
  if (!response?.ok) {
    throw new Failure(
      'There is no model beside this page.',
      'Write the folder again with instanseg-export export-web, and copy all of it to the host.',
    );
  }
  const manifest = (await response.json()) as Manifest;
  if (manifest.format !== 1) {
    throw new Failure('The model beside this page was written for another version of the page.', 'Write the folder again.');
  }
  checkModel(manifest);
  return manifest;
}

/** Refuses what instanseg_export/web/manifest.py refuses; somebody may have put this folder together by hand. */
function checkModel({ name, file, metadata }: Manifest): void {
  const what =
    metadata.dimensions !== 2
      ? 'takes volumes'
      : metadata.image_shape
        ? 'takes images of one size only'
        : metadata.outputs[0]?.role !== 'labels'
          ? 'holds the network alone'
          : '';
  if (!what) return;
  throw new Failure(
    `${file} of ${name} ${what}, and this page segments images of any size.`,
    'Segment with instanseg-export run, or put a model of images, exported with --targets onnx, in its place with instanseg-export export-web.',
  );
}

/** Returns the address of a file of the model, relative to the page. */
export function address(file: string): string {
  return new URL(`${FOLDER}${encodeURIComponent(file)}`, document.baseURI).href;
}

/**
 * Reads the model's file and compares it with the manifest.
 *
 * @param report is told how much has come, from 0 to 1
 */
export async function readModel(manifest: Manifest, report: (done: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(address(manifest.file)).catch(() => null);
  if (!response?.ok || !response.body) {
    throw new Failure(`The host does not give ${manifest.file}.`, 'Copy the whole folder to the host again.');
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    report(Math.min(1, length / manifest.bytes));
    if (length > manifest.bytes) break;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (length !== manifest.bytes || !(await hasHash(bytes, manifest.sha256))) {
    throw new Failure(
      `${manifest.file} is not the file of ${manifest.name} that this page was written for.`,
      'Write the folder again with instanseg-export export-web, and copy all of it to the host.',
    );
  }
  return bytes;
}

async function hasHash(bytes: Uint8Array<ArrayBuffer>, expected: string): Promise<boolean> {
  if (!globalThis.crypto?.subtle) return true; // only pages from https or this computer may compute hashes
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === expected;
}
