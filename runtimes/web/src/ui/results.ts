// Counts, areas and notes.

import type { StructureSummary, Summary } from '../data/summary.ts';
import { by, make, shown } from './dom.ts';

const SVG = 'http://www.w3.org/2000/svg';

export function showResults(summary: Summary, notes: string[]): void {
  by('found').replaceChildren(...summary.structures.map(structure), ...classes(summary));
  by('notes').replaceChildren(...[...notes, ...summary.notes].map((note) => make('li', {}, note)));
  by('results').hidden = false;
}

export function hideResults(): void {
  by('results').hidden = true;
}

function structure(one: StructureSummary): HTMLElement {
  const facts = one.count
    ? `Area: median ${shown(one.median)} ${one.unit}, from ${shown(one.smallest)} to ${shown(one.largest)}. ` +
      `They cover ${shown(100 * one.covered)} % of the image.`
    : 'Nothing was found. Check the channels, the pixel size, and seed_threshold among the settings.';
  const title = make('h3', {}, `${one.name}: `, make('span', { 'data-count': one.name }, one.count.toLocaleString('en')));
  return make('div', {}, title, make('p', {}, facts), ...(one.count > 1 ? [plot(one)] : []));
}

/** Draws how many objects there are of each area. */
function plot({ name, unit, largest, histogram: { end, counts } }: StructureSummary): HTMLElement {
  const most = Math.max(...counts, 1);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${counts.length} 1`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'plot');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${name} by area, from 0 to ${shown(end)} ${unit}; the tallest bar stands for ${most}.`);
  counts.forEach((count, place) => {
    const bar = document.createElementNS(SVG, 'rect');
    const tall = count / most;
    Object.entries({ x: place + 0.05, y: 1 - tall, width: 0.9, height: tall }).forEach(([key, value]) => bar.setAttribute(key, String(value)));
    svg.append(bar);
  });
  const figure = make('figure', { class: 'figure' });
  figure.append(svg, make('figcaption', { class: 'quiet' }, `Area from 0 to ${shown(end)} ${unit}${largest > end ? ' and more' : ''}`));
  return figure;
}

function classes({ classes }: Summary): HTMLElement[] {
  return classes.length ? [make('p', {}, `Classes: ${classes.map(([name, count]) => `${name} ${count}`).join(', ')}.`)] : [];
}
