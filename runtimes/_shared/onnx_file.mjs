// What ONNX Runtime's JavaScript interfaces cannot do, done to the bytes of an ONNX file before a session is made:
// read its metadata, set its settings, and show its stages.
//
// Settings are initializers that a caller may override. onnxruntime-node ignores them where it is given any, and
// onnxruntime-web refuses them, so that a setting is changed by writing its value over the file's own.
// The numbers of fields are those of onnx.proto. Runs in Node and in web pages.

const MODEL = { graph: 7, metadata: 14 };
const ENTRY = { key: 1, value: 2 };
const GRAPH = { initializer: 5, output: 12 };
const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 };
const VALUE_INFO = { name: 1 };
const DATA_TYPES = { float: 1, int64: 7, bool: 9 };

/**
 * Yields the fields of a protobuf message: number, where its bytes lie, or its value where it is a number.
 *
 * @param {Uint8Array} bytes
 * @returns {Generator<{field: number, value?: number, start?: number, end?: number}>}
 */
export function* fields(bytes, start = 0, end = bytes.length) {
  let at = start;
  const number = () => {
    let value = 0;
    for (let factor = 1; at < end; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new Error('the ONNX file is truncated');
  };
  while (at < end) {
    const tag = number();
    const field = Math.floor(tag / 8);
    const kind = tag % 8;
    if (kind === 0) yield { field, value: number() };
    else {
      const length = kind === 2 ? number() : kind === 1 ? 8 : kind === 5 ? 4 : NaN;
      if (!(at + length <= end)) throw new Error('the ONNX file is damaged');
      yield { field, start: at, end: at + length };
      at += length;
    }
  }
}

/** Returns the text of a field. */
export function text(bytes, { start, end }) {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

/**
 * Returns one array of bytes after the other.
 *
 * @param {Uint8Array[]} parts
 */
export function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Returns a message field with its tag and length, in protobuf's encoding.
 *
 * @param {number} field
 * @param {Uint8Array} content
 */
export function encoded(field, content) {
  const head = [];
  for (const number of [field * 8 + 2, content.length]) {
    let rest = number;
    while (rest > 127) {
      head.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    head.push(rest);
  }
  return joined([Uint8Array.from(head), content]);
}

/**
 * Returns a metadata property of a file, or '' if it has none of that name.
 *
 * @param {Uint8Array} bytes of the file
 * @param {string} key
 */
export function property(bytes, key) {
  for (const entry of fields(bytes)) {
    if (entry.field !== MODEL.metadata) continue;
    const found = {};
    for (const part of fields(bytes, entry.start, entry.end)) found[part.field] = text(bytes, part);
    if (found[ENTRY.key] === key) return found[ENTRY.value] ?? '';
  }
  return '';
}

/**
 * Writes the value of a setting over the one that was baked in.
 *
 * @param {Uint8Array} bytes of the file; they are changed
 * @param {string} name of the setting
 * @param {number|boolean} value a choice is given as its place among the choices
 * @throws {Error} the file has no scalar of that name
 */
export function setScalar(bytes, name, value) {
  for (const graph of fields(bytes)) {
    if (graph.field !== MODEL.graph) continue;
    for (const initializer of fields(bytes, graph.start, graph.end)) {
      if (initializer.field !== GRAPH.initializer) continue;
      const parts = new Map();
      for (const part of fields(bytes, initializer.start, initializer.end)) parts.set(part.field, part);
      const named = parts.get(TENSOR.name);
      if (!named || text(bytes, named) !== name) continue;
      const raw = parts.get(TENSOR.raw);
      if (!raw || parts.has(TENSOR.dims)) throw new Error(`${name} is no scalar in this file`);
      const view = new DataView(bytes.buffer, bytes.byteOffset + raw.start, raw.end - raw.start);
      const type = parts.get(TENSOR.type).value;
      if (type === DATA_TYPES.float) view.setFloat32(0, Number(value), true);
      else if (type === DATA_TYPES.int64) view.setBigInt64(0, BigInt(value), true);
      else if (type === DATA_TYPES.bool) view.setUint8(0, Number(value));
      else throw new Error(`${name} is of an unknown type in this file`);
      return;
    }
  }
  throw new Error(`the file has no setting ${name}`);
}

/**
 * Returns a file with further tensors as outputs.
 *
 * @param {Uint8Array} bytes of the file
 * @param {string[]} names of the tensors
 */
export function withOutputs(bytes, names) {
  const utf8 = new TextEncoder();
  const outputs = names.map((name) => encoded(GRAPH.output, encoded(VALUE_INFO.name, utf8.encode(name))));
  // Protobuf joins a message that stands there twice, here the graph.
  return outputs.length ? joined([bytes, encoded(MODEL.graph, joined(outputs))]) : bytes;
}
