// What the page is doing, and what went wrong.

import type { Told } from '../failure.ts';
import { by } from './dom.ts';

/** Says what is done, and how far it is, from 0 to 1; without a number the bar only moves. */
export function busy(words: string, done?: number): void {
  by('status').textContent = words;
  by('work').hidden = false;
  const bar = by<HTMLProgressElement>('progress');
  if (done === undefined) bar.removeAttribute('value');
  else bar.value = done;
}

export function idle(words: string): void {
  by('status').textContent = words;
  by('work').hidden = true;
}

export function showProblem({ message, hint }: Told): void {
  by('problem-message').textContent = message;
  by('problem-hint').textContent = hint;
  by('problem').hidden = false;
  by('problem').scrollIntoView({ block: 'nearest' });
}

export function clearProblem(): void {
  by('problem').hidden = true;
}
