// A session around ONNX Runtime's JavaScript interface, which onnxruntime-node and onnxruntime-web share.

import fs from 'node:fs';
import { property, setScalar, withOutputs } from './onnx_file.mjs';
import { METADATA_KEY, RESULT, UnavailableError } from './runner_protocol.mjs';

const DTYPES = { float32: '<f4', float64: '<f8', int32: '<i4', int64: '<i8', int8: '|i1', uint8: '|u1', bool: '|b1' };

/** Returns the number that stands for the value of a setting in a file: a choice is its place among the choices. */
function encode(name, value, facts) {
  const row = (facts.tunables ?? []).find((one) => one.name === name);
  if (!row) throw new Error(`the file has no setting ${name}`);
  if (row.fixed) throw new UnavailableError(`the setting ${name} is fixed at export in this format`);
  if (row.kind === 'choice') {
    const place = row.choices.indexOf(value);
    if (place < 0) throw new Error(`the setting ${name} is one of ${row.choices.join(', ')}, not ${value}`);
    return place;
  }
  const fits = row.kind === 'bool' ? typeof value === 'boolean' : Number.isFinite(value);
  if (!fits || (row.kind === 'int' && !Number.isInteger(value))) {
    throw new Error(`the setting ${name} is of kind ${row.kind}, and ${JSON.stringify(value)} is not`);
  }
  return value;
}

/**
 * Loads a file.
 *
 * @param {object} ort what `onnxruntime-node` or `onnxruntime-web` exports
 * @param {object} request what the command line asks for
 * @param {string} version of the library
 * @param {object} options of the session
 */
export async function openSession(ort, request, version, options) {
  if (request.device !== 'cpu') throw new UnavailableError(`it runs on the CPU here, not on ${request.device}`);
  let bytes = new Uint8Array(fs.readFileSync(request.model));
  const facts = JSON.parse(property(bytes, METADATA_KEY) || '{}');
  for (const [name, value] of Object.entries(request.settings)) setScalar(bytes, name, encode(name, value, facts));
  const stages = request.stages ? (facts.stages ?? {}) : {};
  const hidden = new Set(Object.values(stages));
  for (const { name } of facts.outputs ?? [{ name: RESULT }]) hidden.delete(name);
  bytes = withOutputs(bytes, [...hidden]);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, ...options });
  return {
    version,
    device: 'cpu',
    async run({ shape, data }) {
      const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', data, shape) });
      const arrays = {};
      for (const [name, tensor] of Object.entries(results)) arrays[name] = array(name, tensor);
      const outputs = Object.fromEntries(Object.entries(arrays).filter(([name]) => !hidden.has(name)));
      for (const [stage, name] of Object.entries(stages)) outputs[`stage.${stage}`] = arrays[name];
      return outputs;
    },
    close: () => session.release(),
  };
}

function array(name, { type, dims, data }) {
  if (!(type in DTYPES)) throw new Error(`the output ${name} is of type ${type}`);
  return { dtype: DTYPES[type], shape: [...dims], data };
}
