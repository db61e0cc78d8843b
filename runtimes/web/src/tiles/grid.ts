// How an image is cut into tiles: as instanseg_export/slides/grid.py does.

export interface Tile {
  index: number;
  /** The part of the image that the tile answers for: y and x, from and to. */
  core: [y0: number, x0: number, y1: number, x1: number];
  /** What the model sees of it. */
  seen: [y0: number, x0: number, y1: number, x1: number];
}

export interface Grid {
  height: number;
  width: number;
  halo: number;
  tiles: Tile[];
}

/** Cuts an image; all tiles are of one size as far as the image goes. */
export function makeGrid(height: number, width: number, tile: number, halo: number): Grid {
  const rows = spans(height, tile, halo);
  const columns = spans(width, tile, halo);
  const tiles = rows.flatMap(([top, bottom, up, down]) =>
    columns.map(([left, right, from, to]): Omit<Tile, 'index'> => ({ core: [top, left, bottom, right], seen: [up, from, down, to] })),
  );
  return { height, width, halo, tiles: tiles.map((one, index) => ({ ...one, index })) };
}

/** Returns where the core, and what is seen, of each tile along an axis begin and end. */
function spans(size: number, tile: number, halo: number): [number, number, number, number][] {
  const step = tile - 2 * halo;
  const count = size <= tile ? 1 : Math.ceil((size - 2 * halo) / step);
  return Array.from({ length: count }, (_, place) => {
    const start = place * step;
    return [
      place === 0 ? 0 : start + halo,
      place === count - 1 ? size : start + tile - halo,
      start,
      Math.min(size, start + tile),
    ];
  });
}
