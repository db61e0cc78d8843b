// Elements of the page.

/** Returns the element of an id, which index.html has. */
export function by<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Makes an element with attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Returns a number as people write it. */
export function shown(value: number, digits = 3): string {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)).toLocaleString('en') : '–';
}
