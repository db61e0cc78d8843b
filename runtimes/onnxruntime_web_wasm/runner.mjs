// Runs an ONNX file in onnxruntime-web's WebAssembly, on one thread, as a web page without special headers does.

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { openSession } from '../_shared/ort_js_session.mjs';
import { serve } from '../_shared/runner_protocol.mjs';

const [build, ...words] = process.argv.slice(2);

await serve(
  'onnxruntime_web_wasm',
  async (request) => {
    const library = path.join(build, 'node_modules', 'onnxruntime-web', 'dist', 'ort.wasm.bundle.min.mjs');
    const ort = await import(pathToFileURL(library));
    ort.env.wasm.numThreads = 1;
    return openSession(ort, request, ort.env.versions.web, { executionProviders: ['wasm'] });
  },
  words,
);
