// An ONNX file cut at its stages: what comes before the network, the network, and what follows it.
//
// A graphics processor runs the network well. The rest is small kernels, loops and integers, for which every step
// would copy between processor and graphics card: it stays in WebAssembly. Nodes and weights are taken over byte by
// byte, so that each part computes what the whole file does. The numbers of fields are those of onnx.proto.

import { encoded, fields, joined, text } from '../../../_shared/onnx_file.mjs';

type Bytes = Uint8Array;

interface Field {
  field: number;
  value?: number;
  start: number;
  end: number;
}

const GRAPH_OF_MODEL = 7;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 };
const NODE = { input: 1, output: 2, attribute: 5 };
const ATTRIBUTE = { graph: 6, graphs: 11 };
const TENSOR_NAME = 8;
const VALUE_INFO_NAME = 1;

interface Node {
  bytes: Bytes;
  inputs: string[];
  outputs: string[];
}

interface Graph {
  rest: Bytes[];
  nodes: Node[];
  maker: Map<string, number>;
  weights: Map<string, Bytes>;
  outputs: Map<string, Bytes>;
}

/** The three files, and the names of the tensors that go from one to the next. */
export interface Parts {
  prepare: Bytes;
  network: Bytes;
  decode: Bytes;
  normalized: string;
  raw: string;
  networkTakesImage: boolean;
  decodeTakesImage: boolean;
}

/**
 * Cuts a file.
 *
 * @param bytes of the file
 * @param stages names of tensors by stage, from the file's metadata
 * @returns null where the file does not name the two stages
 */
export function cut(bytes: Bytes, stages: Record<string, string>): Parts | null {
  const { normalize: normalized, network: raw } = stages;
  if (!normalized || !raw) return null;
  const graph = read(bytes);
  if (!graph.maker.has(normalized) || !graph.maker.has(raw)) return null;
  const results = [...graph.outputs.keys()];
  const prepare = part(graph, [], [normalized]);
  const network = part(graph, [normalized], [raw]);
  const decode = part(graph, [raw], results);
  return {
    prepare: prepare.bytes,
    network: network.bytes,
    decode: decode.bytes,
    normalized,
    raw,
    networkTakesImage: network.takesImage,
    decodeTakesImage: decode.takesImage,
  };
}

const IMAGE = 'image';

function parts(bytes: Bytes, start = 0, end = bytes.length): Generator<Field> {
  return fields(bytes, start, end) as Generator<Field>;
}

function read(bytes: Bytes): Graph {
  const graph: Graph = { rest: [], nodes: [], maker: new Map(), weights: new Map(), outputs: new Map() };
  for (const field of parts(bytes)) {
    if (field.field === GRAPH_OF_MODEL) readGraph(bytes, field, graph);
    else graph.rest.push(again(bytes, field));
  }
  return graph;
}

function readGraph(bytes: Bytes, whole: Field, graph: Graph): void {
  for (const field of parts(bytes, whole.start, whole.end)) {
    const content = bytes.subarray(field.start, field.end);
    if (field.field === GRAPH.node) {
      const node = readNode(bytes, field);
      for (const output of node.outputs) graph.maker.set(output, graph.nodes.length);
      graph.nodes.push(node);
    } else if (field.field === GRAPH.initializer) graph.weights.set(nameOf(bytes, field, TENSOR_NAME), content);
    else if (field.field === GRAPH.output) graph.outputs.set(nameOf(bytes, field, VALUE_INFO_NAME), content);
  }
}

function readNode(bytes: Bytes, whole: Field): Node {
  const node: Node = { bytes: bytes.subarray(whole.start, whole.end), inputs: [], outputs: [] };
  for (const field of parts(bytes, whole.start, whole.end)) {
    if (field.field === NODE.input) node.inputs.push(text(bytes, field));
    else if (field.field === NODE.output) node.outputs.push(text(bytes, field));
    else if (field.field === NODE.attribute) node.inputs.push(...usedInside(bytes, field));
  }
  return node;
}

/** Yields every name that the graphs in an attribute use; those of their own are of no node outside. */
function* usedInside(bytes: Bytes, attribute: Field): Generator<string> {
  for (const field of parts(bytes, attribute.start, attribute.end)) {
    if (field.field !== ATTRIBUTE.graph && field.field !== ATTRIBUTE.graphs) continue;
    for (const inner of parts(bytes, field.start, field.end)) {
      if (inner.field === GRAPH.node) yield* readNode(bytes, inner).inputs;
      else if (inner.field === GRAPH.output) yield nameOf(bytes, inner, VALUE_INFO_NAME);
    }
  }
}

function nameOf(bytes: Bytes, whole: Field, number: number): string {
  for (const field of parts(bytes, whole.start, whole.end)) if (field.field === number) return text(bytes, field);
  return '';
}

function again(bytes: Bytes, { field, value, start, end }: Field): Bytes {
  return value === undefined ? encoded(field, bytes.subarray(start, end)) : number(field, value);
}

function number(field: number, value: number): Bytes {
  const out = [];
  for (let rest of [field * 8, value]) {
    while (rest > 127) {
      out.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    out.push(rest);
  }
  return Uint8Array.from(out);
}

/** Returns the part of a graph that leads from some tensors, and from the image where it is needed, to others. */
function part(graph: Graph, given: string[], wanted: string[]): { bytes: Bytes; takesImage: boolean } {
  const known = new Set(given);
  const nodes = new Set<number>();
  const leaves = new Set<string>();
  const open = [...wanted];
  while (open.length) {
    const name = open.pop() as string;
    if (!name || known.has(name)) continue;
    known.add(name);
    const place = graph.maker.get(name);
    if (place === undefined) leaves.add(name);
    else if (!nodes.has(place)) {
      nodes.add(place);
      open.push(...graph.nodes[place].inputs);
    }
  }
  const takesImage = leaves.has(IMAGE);
  const inputs = takesImage ? [...given, IMAGE] : given;
  const ascending = [...nodes].sort((one, other) => one - other);
  const content = [
    ...ascending.map((place) => encoded(GRAPH.node, graph.nodes[place].bytes)),
    encoded(GRAPH.name, utf8('part')),
    ...[...leaves].filter((name) => graph.weights.has(name)).map((name) => encoded(GRAPH.initializer, graph.weights.get(name) as Bytes)),
    ...inputs.map((name) => encoded(GRAPH.input, maps(name))),
    ...wanted.map((name) => encoded(GRAPH.output, graph.outputs.get(name) ?? maps(name))),
  ];
  return { bytes: joined([...graph.rest, encoded(GRAPH_OF_MODEL, joined(content))]), takesImage };
}

/** Describes a float tensor of (batch, channels, height, width), none of which is fixed. */
function maps(name: string): Bytes {
  const dimensions = ['batch', `channels of ${name}`, 'height', 'width'].map((axis) => encoded(1, encoded(2, utf8(axis))));
  const tensor = joined([number(1, 1), encoded(2, joined(dimensions))]);
  return joined([encoded(VALUE_INFO_NAME, utf8(name)), encoded(2, encoded(1, tensor))]);
}

function utf8(words: string): Bytes {
  return new TextEncoder().encode(words);
}
