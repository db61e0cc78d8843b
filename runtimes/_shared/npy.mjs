// The formats .npy and .npz of numpy, as far as runners need them: C order, little endian.

import { crc32 } from 'node:zlib';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

const ARRAYS = {
  '<f4': Float32Array,
  '<f8': Float64Array,
  '<i4': Int32Array,
  '<i8': BigInt64Array,
  '|i1': Int8Array,
  '|u1': Uint8Array,
  '|b1': Uint8Array,
};

/**
 * Reads the bytes of an .npy file.
 *
 * @param {Buffer} bytes
 * @returns {{dtype: string, shape: number[], data: ArrayLike}} dtype as numpy spells it, such as '<f4'
 * @throws {Error} the bytes are no such file, or hold what is not read here
 */
export function readNpy(bytes) {
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(MAGIC)) throw new Error('this is no .npy file');
  const wide = bytes[6] > 1;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const start = (wide ? 12 : 10) + length;
  const header = bytes.subarray(wide ? 12 : 10, start).toString('latin1');
  const dtype = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].match(/\d+/g)?.map(Number) ?? [];
  if (!/'fortran_order':\s*False/.test(header)) throw new Error('only arrays in C order are read');
  if (!(dtype in ARRAYS)) throw new Error(`arrays of type ${dtype} are not read`);
  const count = shape.reduce((product, size) => product * size, 1);
  const size = count * ARRAYS[dtype].BYTES_PER_ELEMENT;
  if (bytes.length - start < size) throw new Error('the .npy file is truncated');
  // A copy, which begins where its type of numbers may begin.
  const data = new ARRAYS[dtype](new Uint8Array(bytes.subarray(start, start + size)).buffer);
  return { dtype, shape, data };
}

/** Returns the pieces of an .npy file: its header, and the array's own bytes. */
function npyPieces({ dtype, shape, data }) {
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const text = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padding = ' '.repeat((64 - ((11 + text.length) % 64)) % 64);
  const header = Buffer.from(`${text}${padding}\n`, 'latin1');
  const start = Buffer.concat([MAGIC, Buffer.from([1, 0, 0, 0]), header]);
  start.writeUInt16LE(header.length, 8);
  return [start, Buffer.from(data.buffer, data.byteOffset, data.byteLength)];
}

/**
 * Returns the pieces of an .npz file, to be written one after the other: a zip of .npy files that are not compressed.
 *
 * @param {Object<string, {dtype: string, shape: number[], data: ArrayLike}>} arrays by name
 * @throws {Error} they are larger than a plain zip may be
 */
export function npzPieces(arrays) {
  const pieces = [];
  const entries = [];
  let offset = 0;
  const add = (piece) => {
    pieces.push(piece);
    offset += piece.length;
  };
  for (const [name, array] of Object.entries(arrays)) {
    const content = npyPieces(array);
    const filename = Buffer.from(`${name}.npy`);
    const size = content.reduce((sum, piece) => sum + piece.length, 0);
    if (offset + size > 0xffff0000) throw new Error('the results are larger than 4 GB');
    const checksum = content.reduce((sum, piece) => crc32(piece, sum), 0);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // the version of zip that is needed
    common.writeUInt16LE(0x21, 8); // 1 January 1980
    common.writeUInt32LE(checksum, 10);
    common.writeUInt32LE(size, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(filename.length, 22);
    entries.push({ common, filename, offset });
    add(Buffer.from('PK\x03\x04', 'latin1'));
    add(common);
    add(filename);
    content.forEach(add);
  }
  const directory = offset;
  for (const entry of entries) {
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(entry.offset, 10);
    add(Buffer.from('PK\x01\x02\x14\x00', 'latin1'));
    add(entry.common);
    add(rest);
    add(entry.filename);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(offset - directory, 12);
  end.writeUInt32LE(directory, 16);
  pieces.push(end);
  return pieces;
}
