// Seams: where several tiles saw the same object, one view of it stays.
//
// The rule is that of instanseg_export/slides/seams/decide.py, "own and match", with its numbers; a test holds the two
// to each other. What a tile saw far outside of its core is left out, since another tile owns that place. All others
// stand in one order: whole ones before cut ones, then by how deep they lie in the core of their tile. In that order
// each is kept unless it shares more than 0.3 of the smaller one's pixels with one that was kept, or half of its own
// with all of them together. Parts of an object that no tile sees whole are one object where they agree.

import type { Grid } from './grid.ts';
import { type Link, linksOf, type Lookup, type Seen, type View, viewsOf } from './views.ts';

const SAME = 0.3;
const HIDDEN = 0.5;
const OUTSIDE = 0.5;

/** The final label maps, and the tile and label that each object's facts are taken from. */
export interface Joined {
  labels: Int32Array[];
  sources: { structure: number; id: number; tile: number; label: number }[];
  notes: string[];
}

/** Joins the label maps of all tiles; ids are consecutive from 1 on, in raster order of the objects' first pixels. */
export function join(seen: Seen[], grid: Grid, structures: number, paired: boolean): Joined {
  if (grid.tiles.length === 1) return alone(seen[0], paired);
  const views: View[] = [];
  const lookups = seen.map((one): Lookup => {
    const rows = viewsOf(one, grid, paired);
    const places = new Map(rows.map((view, row) => [view.label * 256 + view.structure, views.length + row]));
    views.push(...rows);
    return (structure, label) => places.get(label * 256 + structure) as number;
  });
  const links: Link[] = [];
  seen.forEach((one, first) => {
    seen.slice(first + 1).forEach((two, rest) => {
      const touch = [0, 1].every((axis) => one.tile.seen[axis] < two.tile.seen[axis + 2] && two.tile.seen[axis] < one.tile.seen[axis + 2]);
      if (touch) links.push(...linksOf(one, two, [lookups[first], lookups[first + 1 + rest]], views, paired));
    });
  });
  return decide(seen, grid, views, links, lookups, structures, paired);
}

function decide(seen: Seen[], grid: Grid, views: View[], links: Link[], lookups: Lookup[], structures: number, paired: boolean): Joined {
  const eligible = views.map(
    ({ depth, low, high }) => !(depth < -grid.halo * OUTSIDE && Math.max(high[0] - low[0], high[1] - low[1]) <= grid.halo),
  );
  const order = views.map((_, view) => view).filter((view) => eligible[view]);
  order.sort((one, other) => {
    const [mine, theirs] = [views[one], views[other]];
    return Number(mine.cut) - Number(theirs.cut) || (mine.depth === theirs.depth ? 0 : theirs.depth - mine.depth) || mine.tile - theirs.tile || mine.row - theirs.row;
  });
  const place = new Int32Array(views.length).fill(views.length);
  order.forEach((view, rank) => (place[view] = rank));
  const live = links.filter(({ one, two }) => eligible[one] && eligible[two]);
  const kept = beaten(views, live, order, place);
  const rank = new Int32Array(views.length);
  order.filter((view) => kept[view]).forEach((view, at) => (rank[view] = at + 1));
  const group = groups(views, live.filter(({ one, two, parts }) => parts && kept[one] && kept[two]));
  const { ids, count } = number(views, kept, rank, group, structures);
  const labels = paint(seen, grid, kept, rank, ids, lookups, structures, paired);
  const sources = views.flatMap((view, at) => (kept[at] ? [{ structure: view.structure, id: ids[at], tile: view.tile, label: view.label }] : []));
  const cut = new Set(views.flatMap((view, at) => (kept[at] && view.cut ? [group[at]] : []))).size;
  const notes = cut ? [`${cut} of ${count} objects were seen whole by no tile: parts that agree were put together. Larger tiles see them whole.`] : [];
  return { labels, sources, notes };
}

function alone({ labels, tile }: Seen, paired: boolean): Joined {
  const known = new Set<number>();
  const sources: Joined['sources'] = [];
  labels.forEach((map, structure) => {
    const at = paired ? 0 : structure;
    for (const id of map) {
      if (!id || known.has(id * 256 + at)) continue;
      known.add(id * 256 + at);
      sources.push({ structure: at, id, tile: tile.index, label: id });
    }
  });
  return { labels, sources, notes: [] };
}

/** Returns which views stay. */
function beaten(views: View[], links: Link[], order: number[], place: Int32Array): boolean[] {
  const before = new Map<number, { view: number; shared: number; strong: boolean }[]>();
  for (const { one, two, shared, smaller, parts } of links) {
    if (parts) continue;
    const [earlier, later] = place[one] < place[two] ? [one, two] : [two, one];
    const row = before.get(later) ?? [];
    row.push({ view: earlier, shared, strong: shared > SAME * smaller });
    before.set(later, row);
  }
  const kept = new Array<boolean>(views.length).fill(false);
  for (const view of order) {
    const rivals = (before.get(view) ?? []).filter((rival) => kept[rival.view]);
    const covered = rivals.reduce((sum, rival) => sum + rival.shared, 0);
    kept[view] = !rivals.some((rival) => rival.strong) && covered <= HIDDEN * views[view].area;
  }
  return kept;
}

/** Returns the object of each view: parts of one have the same. */
function groups(views: View[], parts: Link[]): Int32Array {
  const group = Int32Array.from(views, (_, view) => view);
  const root = (view: number): number => {
    while (group[view] !== view) view = group[view] = group[group[view]];
    return view;
  };
  for (const { one, two } of parts) group[root(one)] = root(two);
  return group.map((_, view) => root(view));
}

function number(views: View[], kept: boolean[], rank: Int32Array, group: Int32Array, structures: number): { ids: Int32Array; count: number } {
  const objects = new Map<number, { first: number; best: number; structure: number }>();
  views.forEach((view, at) => {
    if (!kept[at]) return;
    const object = objects.get(group[at]) ?? { first: Infinity, best: Infinity, structure: view.structure };
    object.first = Math.min(object.first, view.first);
    object.best = Math.min(object.best, rank[at]);
    objects.set(group[at], object);
  });
  const sorted = [...objects].sort(
    ([, one], [, other]) => one.structure - other.structure || one.first - other.first || one.best - other.best,
  );
  const next = new Array<number>(structures).fill(1);
  const id = new Map(sorted.map(([which, { structure }]) => [which, next[structure]++]));
  return { ids: Int32Array.from(views, (_, at) => (kept[at] ? (id.get(group[at]) as number) : 0)), count: objects.size };
}

/** Gives each pixel to the kept view of the lowest rank; paired structures are decided together. */
function paint(
  seen: Seen[],
  grid: Grid,
  kept: boolean[],
  rank: Int32Array,
  ids: Int32Array,
  lookups: Lookup[],
  structures: number,
  paired: boolean,
): Int32Array[] {
  const labels = Array.from({ length: structures }, () => new Int32Array(grid.width * grid.height));
  const ranks = Array.from({ length: structures }, () => new Int32Array(grid.width * grid.height).fill(0x7fffffff));
  const mine = new Int32Array(structures);
  const owner = new Int32Array(structures);
  seen.forEach((one, which) => {
    const [y0, x0, y1, x1] = one.tile.seen;
    for (let y = y0, from = 0; y < y1; y++) {
      let to = y * grid.width + x0;
      for (let x = x0; x < x1; x++, to++, from++) {
        let any = false;
        for (let structure = 0; structure < structures; structure++) {
          const label = one.labels[structure][from];
          const view = label ? lookups[which](paired ? 0 : structure, label) : -1;
          owner[structure] = view >= 0 && kept[view] ? view : -1;
          mine[structure] = owner[structure] >= 0 ? rank[owner[structure]] : 0x7fffffff;
          any ||= owner[structure] >= 0;
        }
        if (!any) continue;
        const together = paired && Math.min(...mine) < Math.min(...ranks.map((map) => map[to]));
        for (let structure = 0; structure < structures; structure++) {
          if (paired && structures > 1 ? !together : mine[structure] >= ranks[structure][to]) continue;
          ranks[structure][to] = mine[structure];
          labels[structure][to] = owner[structure] >= 0 ? ids[owner[structure]] : 0;
        }
      }
    }
  });
  return labels;
}
