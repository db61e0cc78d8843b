// What people choose: channels, pixel size, settings, tiles, processor.

import type { Opened } from '../data/data.worker.ts';
import { Failure } from '../failure.ts';
import type { Manifest, SettingRow, SettingValue } from '../model/manifest.ts';
import { changeable, type Settings } from '../model/settings.ts';
import { by, make, shown } from './dom.ts';

const SMALLEST = 1e-5;
const LARGEST = 1e5;

export interface Choices {
  channels: number[];
  pixelSize: [number, number] | null;
  settings: Settings;
  tile: number;
  halo: number;
  processor: 'auto' | 'wasm' | 'webgpu';
}

export class Controls {
  #rows: SettingRow[];
  #image: Opened | null = null;

  constructor(
    private readonly manifest: Manifest,
    private readonly onChannels: (channels: number[]) => void,
  ) {
    this.#rows = changeable(manifest);
    for (const row of this.#rows) by('setting-rows').append(this.#row(row));
    by('settings').hidden = this.#rows.length === 0;
    by('reset').onclick = () => this.#rows.forEach((row) => put(row, manifest.metadata.settings[row.name]));
  }

  /** Offers the channels and the pixel size of an image, and returns the channels that are chosen at first. */
  offer(image: Opened): number[] {
    this.#image = image;
    const { channels } = this.manifest.metadata.spec;
    const group = by('channels');
    group.querySelectorAll('.field').forEach((field) => field.remove());
    const fields = channels === null ? image.names.map((name, place) => this.#check(name, place)) : this.#selects(channels, image.names);
    group.append(...fields);
    group.onchange = () => this.onChannels(this.#channels());
    const size = by<HTMLInputElement>('pixel-size');
    size.value = image.pixelSize ? String(Number(((image.pixelSize[0] + image.pixelSize[1]) / 2).toPrecision(6))) : '';
    const wanted = this.manifest.metadata.spec.pixel_size;
    by('pixel-size-note').textContent =
      (image.pixelSize ? 'By the file. ' : 'The file does not say. ') +
      (wanted ? `The model wants ${wanted} µm; other images are rescaled for it. Empty: taken as the model's.` : 'The model does not say what it wants: nothing is rescaled.');
    by('form').hidden = false;
    return this.#channels();
  }

  /**
   * Returns what was chosen.
   *
   * @throws {Failure} something is out of range
   */
  read(): Choices {
    const channels = this.#channels();
    if (!channels.length) throw new Failure('No channel is chosen.', 'Choose at least one channel.');
    const tile = Number(by<HTMLSelectElement>('tile').value);
    const halo = by<HTMLInputElement>('halo').valueAsNumber;
    if (!(Number.isInteger(halo) && halo >= 0 && halo * 3 <= tile)) {
      throw new Failure('The overlap is out of range.', `Choose a whole number from 0 to ${Math.floor(tile / 3)}.`);
    }
    const settings = Object.fromEntries(this.#rows.map((row) => [row.name, take(row)]));
    return { channels, pixelSize: this.#pixelSize(), settings, tile, halo, processor: by<HTMLSelectElement>('processor').value as Choices['processor'] };
  }

  #pixelSize(): [number, number] | null {
    const field = by<HTMLInputElement>('pixel-size');
    if (field.validity.badInput) throw new Failure('The pixel size is no number.', 'Give it in micrometres, as in 0.5.');
    if (field.value === '') return null;
    const size = field.valueAsNumber;
    if (!(size >= SMALLEST && size <= LARGEST)) throw new Failure(`The pixel size ${field.value} is no length.`, 'Give it in micrometres, as in 0.5.');
    const own = this.#image?.pixelSize;
    // Pixels that are not square stay so, unless another size was entered.
    return own && Number(((own[0] + own[1]) / 2).toPrecision(6)) === size ? own : [size, size];
  }

  #channels(): number[] {
    const group = by('channels');
    const chosen = [...group.querySelectorAll<HTMLSelectElement>('select')].map((select) => Number(select.value));
    const ticked = [...group.querySelectorAll<HTMLInputElement>('input:checked')].map((box) => Number(box.value));
    return [...chosen, ...ticked];
  }

  #check(name: string, place: number): HTMLElement {
    const box = make('input', { type: 'checkbox', value: String(place), id: `channel-${place}` });
    box.checked = true;
    return make('div', { class: 'field' }, make('label', { for: box.id }, box, ` ${name}`));
  }

  #selects(count: number, names: string[]): HTMLElement[] {
    return Array.from({ length: count }, (_, place) => {
      const select = make('select', { id: `channel-${place}` });
      names.forEach((name, channel) => select.append(make('option', { value: String(channel) }, name)));
      select.value = String(names.length === 1 ? 0 : Math.min(place, names.length - 1));
      const title = count === 1 ? 'The model sees' : `Channel ${place + 1} of the model`;
      return make('div', { class: 'field' }, make('label', { for: select.id }, title), select);
    });
  }

  #row(row: SettingRow): HTMLElement {
    const id = `setting-${row.name}`;
    const help = make('p', { class: 'quiet', id: `${id}-help` }, `${row.help[0].toUpperCase()}${row.help.slice(1)}`);
    const described = { id, 'aria-describedby': help.id };
    if (row.kind === 'bool') {
      const box = make('input', { type: 'checkbox', ...described });
      box.checked = this.manifest.metadata.settings[row.name] === true;
      return make('div', { class: 'field' }, make('label', {}, box, ` ${row.name}`), help);
    }
    const field =
      row.kind === 'choice'
        ? make('select', described, ...row.choices.map((choice) => make('option', {}, choice)))
        : make('input', { type: 'number', step: row.kind === 'int' ? '1' : 'any', min: String(row.minimum ?? ''), max: String(row.maximum ?? ''), ...described });
    field.value = String(this.manifest.metadata.settings[row.name]);
    const range = row.kind === 'choice' ? '' : ` (${shown(row.minimum ?? NaN, 6)} to ${shown(row.maximum ?? NaN, 6)})`;
    return make('div', { class: 'field' }, make('label', { for: id }, `${row.name}${range}`), field, help);
  }
}

function put(row: SettingRow, value: SettingValue): void {
  const field = by<HTMLInputElement>(`setting-${row.name}`);
  if (row.kind === 'bool') field.checked = value === true;
  else field.value = String(value);
}

function take(row: SettingRow): SettingValue {
  const field = by<HTMLInputElement>(`setting-${row.name}`);
  if (row.kind === 'bool') return field.checked;
  if (row.kind === 'choice') return field.value;
  const value = field.value === '' ? NaN : Number(field.value);
  const whole = row.kind === 'float' || Number.isInteger(value);
  if (!whole || !(value >= (row.minimum ?? -Infinity) && value <= (row.maximum ?? Infinity))) {
    throw new Failure(
      `${row.name} is ${field.value || 'empty'}, and has to be a ${row.kind === 'int' ? 'whole ' : ''}number from ${row.minimum} to ${row.maximum}.`,
      'Change it, or go back to the model’s own settings.',
    );
  }
  return value;
}
