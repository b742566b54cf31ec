// Sending files and folders to the archive, one instance per request, a few at once, each with its own result.

import { archive } from './archive.js';
import { $, h, icon, icons } from './dom.js';
import { known, size, t } from './texts.js';

const AT_ONCE = 4;
/** Lines shown; whatever fails is shown beyond it. */
const MOST_LINES = 200;

/** Every file below a dropped entry; folders are read to their end. */
async function* walk(entry) {
  if (entry.isFile) {
    yield await new Promise((resolve, reject) => entry.file(resolve, reject));
  } else if (entry.isDirectory) {
    const reader = entry.createReader();
    for (;;) {
      // A reader gives a hundred or so at a time.
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const child of some) yield* walk(child);
    }
  }
}

/** A Part 10 file by its mark, or a data set that begins with group 8 (PS3.10 Section 7.1). */
async function isDICOM(file) {
  const head = new Uint8Array(await file.slice(0, 132).arrayBuffer());
  if (head.length === 132 && String.fromCharCode(...head.slice(128)) === 'DICM') return true;
  return head.length > 8 && head[0] === 8 && head[1] === 0;
}

/** The uploads of this page: a queue, its total, and a line for each file. */
class Uploads {
  constructor() {
    this.waiting = [];
    this.running = new Set();
    this.reset();
  }

  reset() {
    Object.assign(this, { bytes: 0, gone: 0, kept: 0, failed: 0, skipped: 0, number: 0, isReading: 0 });
    this.lines = null;
  }

  get isBusy() { return this.waiting.length > 0 || this.running.size > 0 || this.isReading > 0; }

  async add(files) {
    if (!this.isBusy) this.reset();
    this.show();
    this.isReading += 1;
    try {
      for await (const file of files) {
        if (await isDICOM(file)) this.enqueue(file);
        else this.skip(file);
      }
    } finally {
      this.isReading -= 1;
      this.tell();
    }
  }

  enqueue(file) {
    const upload = { file, gone: 0, line: null };
    this.number += 1;
    this.bytes += file.size;
    if (this.number <= MOST_LINES) upload.line = this.line(file.name, size(file.size));
    this.waiting.push(upload);
    this.pump();
    this.tell();
  }

  skip(file) {
    this.skipped += 1;
    if (this.skipped <= 20) this.line(file.name, t('notDICOM')).dataset.state = 'skipped';
    this.tell();
  }

  pump() {
    while (this.running.size < AT_ONCE && this.waiting.length) this.start(this.waiting.shift());
  }

  async start(upload) {
    this.running.add(upload);
    const attempt = archive.store(upload.file, (gone) => {
      this.gone += gone - upload.gone;
      upload.gone = gone;
      if (upload.line) $('progress', upload.line).value = gone / Math.max(upload.file.size, 1);
      this.tell();
    });
    upload.stop = attempt.stop;
    let result;
    try {
      result = await attempt.done;
    } catch (error) {
      result = { kept: false, detail: error.name === 'AbortError' ? t('stop') : t('unreachable') };
    }
    this.running.delete(upload);
    this.gone += upload.file.size - upload.gone;
    this.finish(upload, result);
    this.pump();
    this.tell();
  }

  finish(upload, result) {
    if (result.kept) this.kept += 1;
    else this.failed += 1;
    if (!upload.line && !result.kept) upload.line = this.line(upload.file.name, '');
    if (!upload.line) return;
    upload.line.dataset.state = result.kept ? 'kept' : 'failed';
    $('progress', upload.line).value = 1;
    if (result.isConflict) $('small', upload.line).textContent = t('conflicting');
    if (result.kept) return;
    const code = `code${result.code}`;
    const why = (known(code) && t(code)) || (result.status === 403 && t('notAllowed')) || result.detail || result.status;
    $('small', upload.line).textContent = [t('refused'), why].filter(Boolean).join(': ');
    this.lines.prepend(upload.line);
  }

  line(name, note) {
    const line = h('li', { data: { state: 'waiting' } }, h('span', {}, name), h('small', {}, note),
      h('progress', { max: 1, value: 0, 'aria-label': name }));
    this.lines.append(line);
    return line;
  }

  stop() {
    this.failed += this.waiting.length;
    this.waiting = [];
    for (const upload of this.running) upload.stop();
  }

  show() {
    const panel = $('#uploads');
    panel.hidden = false;
    if (this.lines) return;
    this.lines = h('ul', {});
    this.total = h('progress', { max: 1, value: 0, 'aria-label': t('uploads') });
    this.said = h('p', { role: 'status' });
    panel.replaceChildren(
      h('header', {}, h('h2', {}, t('uploads')), h('button', {
        type: 'button', class: 'round', 'aria-label': t('close'),
        onclick: () => {
          if (this.isBusy) this.stop();
          panel.hidden = true;
        },
      }, icon(icons.close))), this.said, this.total, this.lines);
  }

  tell() {
    if (!this.lines) return;
    const done = this.kept + this.failed;
    this.total.value = this.bytes ? this.gone / this.bytes : 0;
    const parts = this.isBusy
      ? [t('sentOf', { n: done, all: this.number }), `${size(this.gone)} / ${size(this.bytes)}`]
      : [this.number ? t('sent', { n: this.kept }) : t('nothingToSend')];
    if (this.failed) parts.push(t('failedNumber', { n: this.failed }));
    if (this.skipped) parts.push(`${this.skipped} ${t('notDICOM')}`);
    this.said.textContent = parts.join(' · ');
    if (!this.isBusy && this.kept) dispatchEvent(new Event('phim-stored'));
    $('#uploads').dataset.state = this.isBusy ? 'busy' : this.failed ? 'failed' : 'done';
  }
}

const uploads = new Uploads();

async function* dropped(items) {
  // The list of items is void after the event: entries must be taken at once.
  for (const entry of items) yield* walk(entry);
}

/** Opens the chooser: the same files and folders as by dropping. */
export function chooseFiles() {
  const choose = (isFolder) => {
    const input = h('input', { type: 'file', multiple: true, webkitdirectory: isFolder });
    input.onchange = () => {
      $('#dialog').close();
      uploads.add(input.files);
    };
    return input;
  };
  const [files, folder] = [choose(false), choose(true)];
  files.id = 'upload-files';
  files.className = folder.className = 'hidden';
  $('#dialog').replaceChildren(
    h('h2', { id: 'dialog-title' }, t('upload')), h('p', { class: 'quiet' }, t('uploadLead')), files, folder,
    h('div', { class: 'row' },
      h('button', { type: 'button', class: 'primary', onclick: () => files.click() }, t('uploadFiles')),
      h('button', { type: 'button', onclick: () => folder.click() }, t('uploadFolder')),
      h('button', { type: 'button', class: 'text', onclick: () => $('#dialog').close() }, t('cancel'))));
  $('#dialog').showModal();
}

/** Lets files be dropped anywhere on the page. */
export function acceptDrops() {
  const veil = $('#drop');
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    veil.hidden = false;
  });
  addEventListener('dragleave', () => {
    depth = Math.max(depth - 1, 0);
    veil.hidden = depth === 0;
  });
  addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    uploads.add(entries.length ? dropped(entries) : event.dataTransfer.files);
  });
  addEventListener('beforeunload', (event) => { if (uploads.isBusy) event.preventDefault(); });
}
