// The little that is needed to make pages.

/** An element with properties and children; `on…` are listeners, `data` its data set, `aria-…` and `role` attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'class') element.className = value;
    else if (name.includes('-') || name === 'role' || name === 'for') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A line drawing on a grid of 20. */
export function icon(path) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

export const icons = {
  share: 'M7 10.5 13 7m-6 3.5L13 14M5 8.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4Zm10-5a2 2 0 1 0 0 4 2 2 0 0 0 0-4Zm0 9a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z',
  more: 'm6 8 4 4 4-4',
  close: 'm5 5 10 10M15 5 5 15',
};

export const $ = (selector, root = document) => root.querySelector(selector);

/** Calls a function once it has not been asked for during a while. */
export function debounced(milliseconds, run) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
}

/** A picture that shows itself once it is there; until then, and without one, a calm square. */
export function picture(url, label = '') {
  const image = h('img', { alt: label, loading: 'lazy', decoding: 'async', draggable: false });
  image.addEventListener('load', () => image.classList.add('shown'));
  image.addEventListener('error', () => image.remove());
  image.src = url;
  return h('span', { class: 'thumbnail' }, image);
}

let toastTimer;

/** A short word at the foot of the page. */
export function toast(text) {
  const line = $('#toast');
  line.textContent = text;
  line.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { line.hidden = true; }, 4000);
}
