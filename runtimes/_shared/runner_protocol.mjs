// The protocol between this package and a runtime's program, in JavaScript; runner_protocol.py has its words.

import fs from 'node:fs';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { npzPieces, readNpy } from './npy.mjs';

export const METADATA_KEY = 'instanseg_export';
export const RESULT = 'instance_segmentation';

/** This machine, or this format, lacks what was asked for; the file is not at fault. */
export class UnavailableError extends Error {}

const OPTIONS = {
  model: { type: 'string' },
  input: { type: 'string', multiple: true },
  output: { type: 'string', multiple: true },
  stream: { type: 'boolean', default: false },
  device: { type: 'string', default: 'cpu' },
  repeat: { type: 'string', default: '1' },
  settings: { type: 'string', default: '{}' },
  stages: { type: 'boolean', default: false },
  'stages-from': { type: 'string' },
};

/** Reads a command line; --input and --output take all words up to the next option. */
function parse(words) {
  const spread = [];
  let option = '';
  for (const word of words) {
    if (word.startsWith('--')) option = word;
    else if (option === '--input' || option === '--output') spread.push(option);
    if (word !== '--input' && word !== '--output') spread.push(word);
  }
  const { values } = parseArgs({ args: spread, options: OPTIONS });
  const images = values.input?.length ?? 0;
  if (!values.model || images !== (values.output?.length ?? 0) || values.stream === images > 0) {
    throw new Error('--model is needed, and either --stream or --input and --output with the same number of files');
  }
  const from = values['stages-from'];
  const stagesFrom = values.stages ? 0 : from === undefined ? Infinity : Number(from);
  return { ...values, repeat: Math.max(1, Number(values.repeat)), settings: JSON.parse(values.settings), stagesFrom };
}

/** Yields the images and where their results go: those of the command line, or those that come on stdin. */
async function* images(request) {
  if (!request.stream) {
    for (const [index, input] of request.input.entries()) yield { input, output: request.output[index] };
    return;
  }
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { input, output } = JSON.parse(line) ?? {};
    if (typeof input !== 'string' || typeof output !== 'string') throw new Error(`no line of images: ${line}`);
    yield { input, output };
  }
}

/** Returns the largest memory that this process has held, in MB of 10^6 bytes. */
function peakMemoryMb() {
  // Linux keeps it per program in VmHWM; what resourceUsage tells would include the process that started this one.
  if (!fs.existsSync('/proc/self/status')) return (process.resourceUsage().maxRSS * 1024) / 1e6;
  const line = /^VmHWM:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'));
  return line ? (Number(line[1]) * 1024) / 1e6 : null;
}

async function runOne(session, source, destination, repeat) {
  const image = readNpy(fs.readFileSync(source));
  if (image.dtype !== '<f4' || ![4, 5].includes(image.shape.length)) {
    throw new Error(`the image must be float32 (B, C, H, W) or (B, C, D, H, W), not ${image.dtype} (${image.shape})`);
  }
  const seconds = [];
  let outputs = {};
  for (let turn = 0; turn < repeat; turn++) {
    const start = performance.now();
    outputs = await session.run(image);
    seconds.push((performance.now() - start) / 1000);
  }
  const file = fs.openSync(destination, 'w');
  for (const piece of npzPieces(outputs)) fs.writeSync(file, piece);
  fs.closeSync(file);
  const shapes = Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, shape]));
  return { run_s: seconds, outputs: shapes };
}

/**
 * Does what the command line asks, and sets the exit status: 0 when every image was run.
 *
 * @param {string} runtime the name to report
 * @param {function(object): Promise<object>} open loads the model and returns a session: `version`, `device`, and
 *     `run(image)`, which gives arrays by name, and `close()`; may throw UnavailableError
 * @param {string[]} words the arguments
 */
export async function serve(runtime, open, words) {
  const say = (row) => fs.writeSync(1, `${JSON.stringify({ runtime, ...row })}\n`);
  const failure = (error) => String(error?.message ?? error).replace(/\s*\n\s*/g, ' ');
  const end = (error) => {
    say({ error: failure(error), input: null, unavailable: error instanceof UnavailableError });
    process.exitCode = 1;
  };
  const start = performance.now();
  let request, session;
  try {
    request = parse(words);
    session = await open({ ...request, stages: request.stagesFrom === 0 });
  } catch (error) {
    return end(error);
  }
  const load_s = (performance.now() - start) / 1000;
  const about = { version: session.version, device: session.device, load_s };
  say({ ready: true, ...about });
  let place = 0;
  try {
    for await (const { input, output } of images(request)) {
      if (place > 0 && place === request.stagesFrom) {
        try {
          await session.close(); // first, so that there are never two in memory
          session = await open({ ...request, stages: true });
        } catch (error) {
          return end(error);
        }
      }
      place++;
      try {
        const result = await runOne(session, input, output, request.repeat);
        say({ input, ...about, ...result, peak_mb: peakMemoryMb() });
      } catch (error) {
        say({ error: failure(error), input });
        process.exitCode = 1;
      }
    }
  } catch (error) {
    say({ error: failure(error), input: null });
    process.exitCode = 2;
  }
}
