// Outlines of objects along the edges of their pixels, so that a polygon's area is the number of its pixels.
//
// An outline is walked with the object on the right. Where it meets itself at a corner, two pixels that lie across from
// each other decide: those of one part (joined by edges) enclose what lies between them, so that it turns away from its
// pixel and the hole becomes a ring of its own; those of two parts are polygons of their own.

import type { Measured } from './objects.ts';

export type Ring = [number, number][];
/** Outer ring first, holes after it. */
export type Polygon = Ring[];

const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
];

/** Returns the polygons of an object, one for each part of it. */
export function outline(labels: Int32Array, width: number, { label, left, top, width: wide, height: tall }: Measured): Polygon[] {
  const line = wide + 2;
  const parts = new Int32Array(line * (tall + 2)); // with a border of background
  for (let y = 0; y < tall; y++) {
    for (let x = 0; x < wide; x++) if (labels[(top + y) * width + left + x] === label) parts[(y + 1) * line + x + 1] = -1;
  }
  const count = number(parts, line);
  const out = edges(parts, line);
  const outer: (Ring | undefined)[] = new Array(count + 1);
  const holes: Ring[][] = Array.from({ length: count + 1 }, () => []);
  for (let start = 0; start < out.length; start++) {
    while (out[start]) {
      const { ring, part } = walk(parts, out, line, start);
      const placed = ring.map(([x, y]): [number, number] => [x + left, y + top]);
      if (area(ring) > 0) outer[part] = placed;
      else holes[part].push(placed);
    }
  }
  return outer.flatMap((ring, part) => (ring ? [[ring, ...holes[part]]] : []));
}

/** Numbers the parts of an object that are joined by edges, from 1 on. */
function number(parts: Int32Array, line: number): number {
  let count = 0;
  const open: number[] = [];
  for (let start = 0; start < parts.length; start++) {
    if (parts[start] !== -1) continue;
    parts[start] = ++count;
    open.push(start);
    while (open.length) {
      const pixel = open.pop() as number;
      for (const next of [pixel - 1, pixel + 1, pixel - line, pixel + line]) {
        if (parts[next] !== -1) continue;
        parts[next] = count;
        open.push(next);
      }
    }
  }
  return count;
}

/** Returns, for the upper left corner of each pixel, a bit for each direction in which an edge leaves it. */
function edges(parts: Int32Array, line: number): Uint8Array {
  const out = new Uint8Array(parts.length);
  for (let pixel = line; pixel < parts.length - line; pixel++) {
    if (!parts[pixel]) continue;
    if (!parts[pixel - line]) out[pixel] |= 1;
    if (!parts[pixel + 1]) out[pixel + 1] |= 2;
    if (!parts[pixel + line]) out[pixel + line + 1] |= 4;
    if (!parts[pixel - 1]) out[pixel + line] |= 8;
  }
  return out;
}

/** Follows a ring from a corner, and takes its edges away. */
function walk(parts: Int32Array, out: Uint8Array, line: number, start: number): { ring: Ring; part: number } {
  let direction = [0, 1, 2, 3].find((one) => out[start] & (1 << one)) as number;
  const first = direction;
  let corner = start;
  const part = parts[rightOf(corner, direction, line)];
  const ring: Ring = [];
  do {
    out[corner] &= ~(1 << direction);
    corner += STEPS[direction][0] + STEPS[direction][1] * line;
    const leaving = corner === start && out[corner] === 0 ? 1 << first : out[corner];
    let next = direction;
    if (!(leaving & (1 << direction))) {
      const right = (direction + 1) % 4;
      const left = (direction + 3) % 4;
      const both = leaving & (1 << right) && leaving & (1 << left);
      const apart = both && acrossFrom(parts, corner, direction, line) !== part;
      next = both ? (apart ? right : left) : leaving & (1 << right) ? right : left;
      ring.push([(corner % line) - 1, Math.floor(corner / line) - 1]);
    }
    direction = next;
  } while (out[corner] & (1 << direction));
  ring.push(ring[0]);
  return { ring, part };
}

/** Returns the pixel to the right of the edge that leaves a corner. */
function rightOf(corner: number, direction: number, line: number): number {
  return [corner, corner - 1, corner - line - 1, corner - line][direction];
}

/** Returns the part of the pixel that lies across a corner from the one to the right of the edge that arrives there. */
function acrossFrom(parts: Int32Array, corner: number, direction: number, line: number): number {
  return parts[[corner - line, corner, corner - 1, corner - line - 1][direction]];
}

function area(ring: Ring): number {
  let sum = 0;
  for (let at = 1; at < ring.length; at++) sum += ring[at - 1][0] * ring[at][1] - ring[at][0] * ring[at - 1][1];
  return sum / 2;
}
