// The list of studies: pages that come as one scrolls, and the keyboard.

import { archive } from './archive.js';
import { details } from './details.js';
import { shareDialog } from './dialogs.js';
import { $, debounced, h, icon, icons, picture } from './dom.js';
import { dicomDate, Search } from './search.js';
import { applyTexts, counted, date, known, t, time } from './texts.js';

const MODALITIES = ['CT', 'MR', 'CR', 'DX', 'US', 'MG', 'XA', 'RF', 'NM', 'PT', 'ES', 'XC', 'OT', 'SR', 'SEG'];
/** Milliseconds between two looks for new studies. */
const EVERY = 10_000;
const PRESETS = ['anyDate', 'today', 'yesterday', 'days7', 'days30', 'between'];

export const viewerURL = (uid) => `/ohif/viewer?StudyInstanceUIDs=${encodeURIComponent(uid)}`;

/** The list and its filters. */
export class StudyList {
  constructor(rights) {
    this.rights = rights;
    this.list = $('#studies');
    this.preset = 'anyDate';
    this.search = null;
    this.isLoading = false;
    this.controls();
    this.watcher = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.more();
    }, { rootMargin: '600px' });
    this.watcher.observe($('#more'));
  }

  controls() {
    const soon = debounced(120, () => this.restart());
    $('#query').oninput = soon;
    $('#modality').onchange = () => this.restart();
    for (const end of ['#from', '#to']) $(end).onchange = () => this.restart();
    $('#fresh').onclick = () => this.restart();
    this.texts();
  }

  texts() {
    const chosen = $('#modality').value;
    $('#modality').replaceChildren(
      h('option', { value: '' }, t('anyModality')), ...MODALITIES.map((name) => h('option', { value: name }, name)));
    $('#modality').value = chosen;
    $('#dates').replaceChildren(...PRESETS.map((key) => h('button', {
      type: 'button', class: 'chip', 'aria-pressed': String(key === this.preset), data: { preset: key },
      onclick: () => this.choose(key),
    }, t(key))));
  }

  choose(preset) {
    this.preset = preset;
    for (const chip of $('#dates').children) chip.setAttribute('aria-pressed', String(chip.dataset.preset === preset));
    $('#between').hidden = preset !== 'between';
    if (preset === 'between') $('#from').focus();
    else this.restart();
  }

  get dates() {
    const now = new Date();
    const before = (days) => dicomDate(new Date(now.getFullYear(), now.getMonth(), now.getDate() - days));
    switch (this.preset) {
      case 'today': return before(0);
      case 'yesterday': return before(1);
      case 'days7': return `${before(6)}-${before(0)}`;
      case 'days30': return `${before(29)}-${before(0)}`;
      case 'between': {
        const [from, to] = ['#from', '#to'].map((end) => $(end).value.replaceAll('-', ''));
        return from || to ? `${from}-${to}` : '';
      }
      default: return '';
    }
  }

  get isFiltered() { return Boolean($('#query').value.trim() || $('#modality').value || this.dates); }

  /** A new search; what is shown stays until its first answer is there. */
  async restart() {
    this.search?.stop();
    $('#fresh').hidden = true;
    this.search = new Search({ text: $('#query').value, dates: this.dates, modality: $('#modality').value });
    this.isLoading = false;
    await this.more(true);
  }

  async more(isFirst = false) {
    const search = this.search;
    if (!search || this.isLoading || (!isFirst && search.isOver)) return;
    this.isLoading = true;
    this.list.ariaBusy = 'true';
    try {
      const rows = await search.next();
      if (search !== this.search) return;
      const items = rows.map((study) => this.row(study));
      if (isFirst) this.list.replaceChildren(...items);
      else this.list.append(...items);
      this.tell(null);
      this.markOrigins(items, search);
    } catch (error) {
      if (search !== this.search || error.name === 'AbortError') return;
      if (isFirst) this.list.replaceChildren();
      this.tell(error);
      return;
    } finally {
      if (search === this.search) {
        this.isLoading = false;
        this.list.ariaBusy = 'false';
      }
    }
    // A tall screen wants more at once.
    if (search === this.search && !search.isOver && $('#more').getBoundingClientRect().top < innerHeight + 600) {
      this.more();
    }
  }

  /** Says of rows where their studies were fetched from; the list does not wait for it. */
  async markOrigins(items, search) {
    if (!items.length) return;
    try {
      const origins = await archive.origins(items.map((item) => item.study.uid), search.stopper.signal);
      for (const item of items) {
        const origin = origins[item.study.uid];
        if (origin) {
          $('.badges', item).append(h('i', { class: 'origin', title: `${t('fetchedFrom')} ${origin.source}` }, `← ${origin.source}`));
        }
      }
    } catch { /* The details say it too. */ }
  }

  tell(error) {
    const shown = this.list.children.length;
    const total = this.search.total ?? shown;
    const isMore = this.search.total === null && !this.search.isOver;
    $('#count').textContent = shown ? counted('study1', 'studiesOf', total) + (isMore ? '+' : '') : '';
    const empty = $('#empty');
    empty.hidden = shown > 0;
    if (error) {
      empty.hidden = false;
      empty.replaceChildren(
        h('p', {}, error.message || t('unreachable')),
        h('button', { type: 'button', onclick: () => this.restart() }, t('again')));
    } else if (!shown) {
      const kind = this.isFiltered ? 'nothing' : 'noStudies';
      empty.replaceChildren(h('p', {}, t(kind)), h('p', { class: 'quiet' }, t(`${kind}Hint`)));
    }
  }

  row(study) {
    const name = study.name || t('noName');
    const toggle = h('button', {
      type: 'button', class: 'round', 'aria-expanded': 'false', 'aria-label': `${t('details')}: ${name}`,
      onclick: () => this.toggle(item),
    }, icon(icons.more));
    const share = this.rights.includes('share') && h('button', {
      type: 'button', class: 'round share', 'aria-label': t('shareStudy', { name }), onclick: () => shareDialog(study),
    }, icon(icons.share));
    const item = h('li', { class: 'study', data: { uid: study.uid } },
      h('a', { class: 'open', href: viewerURL(study.uid), 'aria-label': t('openStudy', { name }) },
        picture(`/dicom-web/studies/${study.uid}/thumbnail?viewport=128,128`),
        h('span', { class: 'who' }, h('b', {}, name),
          h('span', { class: 'quiet' }, [study.id, study.birthDate.slice(0, 4), known(`sex${study.sex}`) && t(`sex${study.sex}`)]
            .filter(Boolean).join(' · '))),
        h('span', { class: 'what' }, h('span', { class: 'badges' }, ...study.modalities.map((m) => h('i', {}, m))),
          h('span', { class: 'description' }, study.description)),
        h('span', { class: 'when' }, h('span', {}, date(study.date)), h('span', { class: 'quiet' }, time(study.time))),
        h('span', { class: 'size quiet' }, h('span', {}, study.accession),
          h('span', {}, `${counted('series1', 'series', study.series)} · ${counted('image1', 'images', study.instances)}`))),
      h('span', { class: 'buttons' }, share, toggle));
    item.study = study;
    return item;
  }

  async toggle(item) {
    const button = $('[aria-expanded]', item);
    const isOpen = button.getAttribute('aria-expanded') === 'true';
    button.setAttribute('aria-expanded', String(!isOpen));
    $('.details', item)?.remove();
    if (!isOpen) item.append(details(item.study));
  }

  /** The rows that hold the focus, by arrows. */
  get focused() { return document.activeElement?.closest?.('.study') ?? null; }

  move(step) {
    const items = [...this.list.children];
    if (!items.length) return;
    const at = items.indexOf(this.focused);
    const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step;
    if (next < 0) {
      $('#query').focus();
      return;
    }
    const item = items[Math.min(next, items.length - 1)];
    $('.open', item).focus();
    item.scrollIntoView({ block: 'nearest' });
  }

  /** Takes the keys of the list; says whether a key was one of them. */
  key(event) {
    const isTyping = event.target.matches('input, select, textarea');
    const item = this.focused;
    switch (event.key) {
      case 'ArrowDown':
        if (isTyping && event.target.id !== 'query') return false;
        this.move(1);
        return true;
      case 'ArrowUp':
        if (isTyping) return false;
        this.move(-1);
        return true;
      case 'Home': case 'End':
        if (isTyping || !item) return false;
        this.move(event.key === 'Home' ? 1 - this.list.children.length : this.list.children.length);
        return true;
      case 'Enter':
        if (event.target.id === 'query' && this.list.children.length) {
          $('.open', this.list).click();
          return true;
        }
        return false;
      case 'ArrowRight': case 'ArrowLeft': case ' ':
        if (isTyping || !item || event.target.matches('button')) return false;
        this.toggle(item);
        return true;
      case 's':
        if (isTyping || !item || !this.rights.includes('share')) return false;
        shareDialog(item.study);
        return true;
      default: return false;
    }
  }

  /** Looks for what is new now and then, while the page is looked at; asking costs the archive next to nothing. */
  listen() {
    setInterval(() => { if (!document.hidden) this.refresh(); }, EVERY);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.refresh(); });
  }

  /** Shows what came meanwhile: at once where it disturbs nobody, else behind a button. */
  async refresh() {
    if (!this.search || this.isLoading) return;
    const shown = [...this.list.children].map((item) => item.dataset.uid + item.study.instances);
    try {
      const newest = await new Search(this.search.terms).next();
      const known = newest.every((study, index) => shown[index] === study.uid + study.instances);
      if (known && (newest.length > 0 || shown.length === 0)) return;
    } catch {
      return;
    }
    if (scrollY < 40 && !this.focused && !$('.details', this.list)) this.restart();
    else $('#fresh').hidden = false;
  }

  relabel() {
    this.texts();
    applyTexts();
    this.restart();
  }
}
