// Builds the page into the folder page/: the bundled modules, the style sheet, and ONNX Runtime's WebAssembly.

import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const page = path.join(here, 'page');
fs.rmSync(page, { recursive: true, force: true });

await build({
  entryPoints: {
    main: path.join(here, 'src/main.ts'),
    data: path.join(here, 'src/data/data.worker.ts'),
    engine: path.join(here, 'src/engine/engine.worker.ts'),
    style: path.join(here, 'src/style.css'),
  },
  absWorkingDir: here, // chunks are named after paths from here
  outdir: page,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'linked',
  conditions: ['onnxruntime-web-use-extern-wasm', 'browser'],
  external: ['node:*', 'module', 'worker_threads'],
  logLevel: 'warning',
});
fs.copyFileSync(path.join(here, 'src/index.html'), path.join(page, 'index.html'));

// The plain build for WebAssembly, and the one that reaches graphics processors, which is fetched only where there is one.
const library = path.join(here, 'node_modules/onnxruntime-web/dist');
fs.mkdirSync(path.join(page, 'onnxruntime'));
for (const name of ['ort-wasm-simd-threaded', 'ort-wasm-simd-threaded.asyncify']) {
  for (const ending of ['.mjs', '.wasm']) fs.copyFileSync(path.join(library, name + ending), path.join(page, 'onnxruntime', name + ending));
}
