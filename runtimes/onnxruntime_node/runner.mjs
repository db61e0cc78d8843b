// Runs an ONNX file in onnxruntime-node, which is ONNX Runtime's native library behind an interface for Node.

import { createRequire } from 'node:module';
import path from 'node:path';
import { openSession } from '../_shared/ort_js_session.mjs';
import { serve } from '../_shared/runner_protocol.mjs';

const [build, ...words] = process.argv.slice(2);

await serve(
  'onnxruntime_node',
  (request) => {
    const ort = createRequire(path.join(build, 'node_modules', 'x'))('onnxruntime-node');
    const threads = Number(process.env.OMP_NUM_THREADS) || 0; // 0 leaves it to ONNX Runtime
    return openSession(ort, request, ort.env.versions.node, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      enableMemPattern: false, // a plan of all memory of a run takes more of it, and saves no time
    });
  },
  words,
);
