// What tiles saw: their objects, and which pixels two tiles' objects share. See instanseg_export/slides/seams/.

import type { Grid, Tile } from './grid.ts';

/** The label maps of a tile, one for each structure. */
export interface Seen {
  tile: Tile;
  labels: Int32Array[];
}

/** One tile's view of an object. Its footprint is its pixels in any of its structures. */
export interface View {
  tile: number;
  row: number;
  label: number;
  structure: number;
  area: number;
  /** The footprint's first pixel in raster order of the image. */
  first: number;
  centroid: [number, number];
  /** How far the centroid lies inside the core; edges of the image do not count. */
  depth: number;
  /** Whether an edge of what the tile sees, other than the image's, cuts it. */
  cut: boolean;
  low: [number, number];
  high: [number, number];
}

/** Two views that share pixels. */
export interface Link {
  one: number;
  two: number;
  shared: number;
  smaller: number;
  /** Whether both are cut, and parts of one object. */
  parts: boolean;
}

const SAME_CUT = 0.5;

/** Returns the views of a tile, by structure and label; where structures are paired, one for each label. */
export function viewsOf({ tile, labels }: Seen, grid: Grid, paired: boolean): View[] {
  const [y0, x0, y1, x1] = tile.seen;
  const [height, width] = [y1 - y0, x1 - x0];
  const views: View[] = [];
  const layers = paired ? [labels] : labels.map((map) => [map]);
  layers.forEach((maps, structure) => {
    const found = new Map<number, View>();
    for (let y = 0, place = 0; y < height; y++) {
      for (let x = 0; x < width; x++, place++) {
        for (let which = 0; which < maps.length; which++) {
          const label = maps[which][place];
          if (!label || maps.slice(0, which).some((map) => map[place] === label)) continue;
          let view = found.get(label);
          if (!view) {
            const first = (y + y0) * grid.width + x + x0;
            view = {
              tile: tile.index, row: 0, label, structure, area: 0, first, centroid: [0, 0], depth: Infinity,
              cut: false, low: [y + y0, x + x0], high: [0, 0],
            };
            found.set(label, view);
          }
          view.area += 1;
          view.centroid[0] += y + y0 + 0.5;
          view.centroid[1] += x + x0 + 0.5;
          view.low[1] = Math.min(view.low[1], x + x0);
          view.high[0] = y + y0 + 1;
          view.high[1] = Math.max(view.high[1], x + x0 + 1);
        }
      }
    }
    views.push(...[...found.values()].sort((one, other) => one.label - other.label));
  });
  const size = [grid.height, grid.width];
  views.forEach((view, row) => {
    view.row = row;
    for (const axis of [0, 1]) {
      view.centroid[axis] /= view.area;
      const [start, stop] = [tile.core[axis], tile.core[axis + 2]];
      if (start > 0) view.depth = Math.min(view.depth, view.centroid[axis] - start);
      if (stop < size[axis]) view.depth = Math.min(view.depth, stop - view.centroid[axis]);
      const [from, to] = [tile.seen[axis], tile.seen[axis + 2]];
      view.cut ||= (from > 0 && view.low[axis] === from) || (to < size[axis] && view.high[axis] === to);
    }
  });
  return views;
}

/** Looks up the view of a label. */
export type Lookup = (structure: number, label: number) => number;

/**
 * Returns which views of two tiles share pixels.
 *
 * @param views of all tiles; lookups give places in it
 */
export function linksOf(one: Seen, two: Seen, lookups: [Lookup, Lookup], views: View[], paired: boolean): Link[] {
  const window = [0, 1, 2, 3].map((side) =>
    (side < 2 ? Math.max : Math.min)(one.tile.seen[side], two.tile.seen[side]),
  ) as Tile['seen'];
  const pairs = new Map<number, Map<number, number>>();
  const inside = new Map<number, number>();
  const add = (map: Map<number, number>, key: number) => map.set(key, (map.get(key) ?? 0) + 1);
  const structures = one.labels.length;
  const widths = [one, two].map(({ tile }) => tile.seen[3] - tile.seen[1]);
  for (let y = window[0]; y < window[2]; y++) {
    let left = (y - one.tile.seen[0]) * widths[0] + window[1] - one.tile.seen[1];
    let right = (y - two.tile.seen[0]) * widths[1] + window[1] - two.tile.seen[1];
    for (let x = window[1]; x < window[3]; x++, left++, right++) {
      const mine = footprint(one, left, lookups[0], structures, paired);
      const theirs = footprint(two, right, lookups[1], structures, paired);
      for (const view of mine) add(inside, view);
      for (const view of theirs) add(inside, view);
      for (const first of mine) {
        for (const second of theirs) {
          if (!paired && views[first].structure !== views[second].structure) continue;
          let row = pairs.get(first);
          if (!row) pairs.set(first, (row = new Map()));
          add(row, second);
        }
      }
    }
  }
  const links: Link[] = [];
  for (const [first, row] of pairs) {
    for (const [second, shared] of row) {
      const both = views[first].cut && views[second].cut;
      // Of objects that both tiles cut, only what both see can be compared.
      const [area, other] = both ? [inside.get(first) as number, inside.get(second) as number] : [views[first].area, views[second].area];
      links.push({ one: first, two: second, shared, smaller: Math.min(area, other), parts: both && shared >= SAME_CUT * (area + other - shared) });
    }
  }
  return links;
}

/** Returns the views at a pixel, each once. */
function footprint({ labels }: Seen, place: number, lookup: Lookup, structures: number, paired: boolean): number[] {
  const found: number[] = [];
  for (let structure = 0; structure < structures; structure++) {
    const label = labels[structure][place];
    if (!label) continue;
    const view = lookup(paired ? 0 : structure, label);
    if (!found.includes(view)) found.push(view);
  }
  return found;
}
