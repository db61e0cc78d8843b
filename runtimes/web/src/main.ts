// The page: loads the model, then opens images and segments them.

import { type Remote, wrap } from 'comlink';
import type { Answer, DataApi } from './data/data.worker.ts';
import { checkBrowser, findGpu, type Gpu } from './engine/capabilities.ts';
import { Cancelled, Engine } from './engine/engine.ts';
import { told, untold } from './failure.ts';
import { address, type Manifest, readManifest, readModel } from './model/manifest.ts';
import { Segmentation } from './segment.ts';
import { Controls } from './ui/controls.ts';
import { by, make } from './ui/dom.ts';
import { hideResults, showResults } from './ui/results.ts';
import { busy, clearProblem, idle, showProblem } from './ui/status.ts';
import { Viewer } from './ui/viewer.ts';

const ENDINGS = { tiff: 'labels.tif', geojson: 'objects.geojson', csv: 'objects.csv' } as const;

class Page {
  #data: Remote<DataApi> = wrap<DataApi>(new Worker(new URL('data.js', document.baseURI), { type: 'module' }));
  #engine = new Engine();
  #viewer = new Viewer();
  #controls: Controls;
  #segmentation: Segmentation;
  #name = '';
  #opening = 0;

  constructor(manifest: Manifest, bytes: Uint8Array, gpu: Gpu) {
    this.#controls = new Controls(manifest, (channels) => void this.#show(channels));
    this.#segmentation = new Segmentation(manifest, bytes, gpu, this.#engine, this.#data);
    by('form').onsubmit = (event) => {
      event.preventDefault();
      void this.#run();
    };
    by('cancel').onclick = () => this.#engine.cancel();
    by<HTMLInputElement>('file').onchange = ({ target }) => {
      const input = target as HTMLInputElement;
      const file = input.files?.[0];
      if (file) void this.open(file.name, file);
      input.value = '';
    };
    for (const sample of manifest.samples) {
      const button = make('button', { type: 'button', 'data-sample': sample.file }, sample.title);
      button.onclick = () => void this.#openSample(sample.file);
      by('samples').append(button);
    }
    by('files').onclick = ({ target }) => {
      const kind = (target as HTMLElement).dataset.file as keyof typeof ENDINGS | undefined;
      if (kind) void this.#save(kind);
    };
    this.#takeDrops();
    by<HTMLInputElement>('file').disabled = false;
  }

  /** Opens an image; one that is opened while another is read takes its place. */
  async open(name: string, blob: Blob): Promise<void> {
    const turn = ++this.#opening;
    this.#engine.cancel();
    clearProblem();
    hideResults();
    busy(`Reading ${name} …`);
    try {
      const image = given(await this.#data.open(name, blob));
      if (turn !== this.#opening) return;
      this.#name = name;
      const facts = `${name}: ${image.width} x ${image.height} pixels, ${image.names.length} channel${image.names.length === 1 ? '' : 's'}, ${image.type}.`;
      by('image-facts').textContent = [facts, ...image.notes].join(' ');
      await this.#data.show(this.#controls.offer(image));
      await this.#viewer.open(image.width, image.height, (...square) => this.#data.picture(...square));
      idle('Ready to segment.');
    } catch (error) {
      if (turn === this.#opening) this.#failed(error);
    }
  }

  async #openSample(file: string): Promise<void> {
    const response = await fetch(address(file)).catch(() => null);
    if (response?.ok) await this.open(file, await response.blob());
    else showProblem({ message: `The host does not give ${file}.`, hint: 'Copy the whole folder to the host again.' });
  }

  async #show(channels: number[]): Promise<void> {
    if (!channels.length) return;
    await this.#data.show(channels);
    this.#viewer.redraw();
  }

  async #run(): Promise<void> {
    const turn = this.#opening;
    clearProblem();
    hideResults();
    this.#setRunning(true);
    try {
      await this.#viewer.outline(null);
      const { summary, notes, seconds, engine } = await this.#segmentation.run(this.#controls.read(), busy);
      by('engine').textContent = engine;
      await this.#viewer.outline((...square) => this.#data.outlines(...square));
      showResults(summary, notes);
      idle(`Done in ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s.`);
    } catch (error) {
      if (!(error instanceof Cancelled)) this.#failed(error);
      else if (turn === this.#opening) {
        await this.#data.forget();
        idle('Cancelled.');
      }
    } finally {
      this.#setRunning(false);
    }
  }

  #setRunning(running: boolean): void {
    by('cancel').hidden = !running;
    by<HTMLButtonElement>('run').disabled = running;
    if (running) by('cancel').focus();
    else if (document.activeElement === by('cancel') || document.activeElement === document.body) by('run').focus();
  }

  async #save(kind: keyof typeof ENDINGS): Promise<void> {
    try {
      const blob = given(await this.#data.file(kind));
      const link = make('a', { download: `${this.#name.replace(/\.[^.]*$/, '')}_${ENDINGS[kind]}`, href: URL.createObjectURL(blob) });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    idle('');
    showProblem(told(error));
  }

  #takeDrops(): void {
    document.ondragover = (event) => {
      event.preventDefault();
      document.body.classList.add('drop');
    };
    document.ondragleave = () => document.body.classList.remove('drop');
    document.ondrop = (event) => {
      event.preventDefault();
      document.body.classList.remove('drop');
      const file = event.dataTransfer?.files[0];
      if (file) void this.open(file.name, file);
    };
  }
}

function given<T>(answer: Answer<T>): T {
  if ('failure' in answer) throw untold(answer.failure);
  return answer.value;
}

function introduce(manifest: Manifest): void {
  document.title = `${manifest.name}: cell segmentation`;
  by('title').textContent = manifest.name;
  by('about').textContent = manifest.description;
  const credits = [
    manifest.authors.length ? `By ${manifest.authors.join(', ')}.` : '',
    manifest.license ? `Licence: ${manifest.license}.` : '',
    ...manifest.cite,
    `Exported by instanseg-export ${manifest.written_by}.`,
  ];
  by('credits').textContent = credits.filter(Boolean).join(' ');
}

async function start(): Promise<void> {
  try {
    checkBrowser();
    const manifest = await readManifest();
    introduce(manifest);
    const [bytes, gpu] = await Promise.all([readModel(manifest, (done) => busy('Loading the model …', done)), findGpu()]);
    new Page(manifest, bytes, gpu);
    idle('Open an image, or try a sample.');
  } catch (error) {
    idle('');
    if (by('title').textContent?.startsWith('Loading')) by('title').textContent = 'Cell segmentation';
    showProblem(told(error));
  }
}

void start();
