// The inbox: studies that no rule could place, where each could belong and why, one decision, and the way back.

import { archive } from './archive.js';
import { ask, notice } from './dialogs.js';
import { $, h, toast } from './dom.js';
import { orderDay } from './orders.js';
import { because } from './reasons.js';
import { viewerURL } from './studies.js';
import { date, t, time } from './texts.js';

/** Milliseconds between two looks for how many wait. */
const EVERY = 30_000;

export class Inbox {
  constructor(rights) {
    this.rights = rights;
    this.shows = 'waiting';
    this.items = [];
    this.links = [];
    this.next = null;
    $('#inbox-more').onclick = () => this.load();
    for (const chip of document.querySelectorAll('#inbox-kinds button')) {
      chip.onclick = () => {
        this.shows = chip.dataset.shows;
        this.restart();
      };
    }
    this.count();
    setInterval(() => { if (!document.hidden) this.count(); }, EVERY);
  }

  /** The number beside the word, on every page. */
  async count() {
    try {
      this.said((await archive.inbox({ limit: 1 })).total);
    } catch { /* it is asked again */ }
  }

  said(total) {
    const badge = $('#inbox-total');
    badge.hidden = total === 0;
    badge.textContent = String(total);
    badge.ariaLabel = t('inboxWaits', { n: total });
  }

  relabel() { this.draw(); }

  async restart() {
    this.items = [];
    this.links = [];
    this.next = null;
    await this.load();
  }

  async load() {
    const { shows } = this;
    try {
      if (shows === 'waiting') {
        const { waiting, total, next } = await archive.inbox({ limit: 50, ...(this.next && { after: this.next }) });
        this.items.push(...waiting);
        this.next = next ?? null;
        this.said(total);
      } else {
        const { links, next } = await archive.studyLinks({ limit: 50, ...(this.next && { before: this.next }) });
        this.links.push(...links);
        this.next = next ?? null;
      }
      if (shows === this.shows) this.draw();
    } catch (error) {
      notice($('#inbox-empty'), error);
    }
  }

  draw() {
    const isWaiting = this.shows === 'waiting';
    for (const chip of document.querySelectorAll('#inbox-kinds button')) {
      chip.setAttribute('aria-pressed', String(chip.dataset.shows === this.shows));
    }
    const rows = isWaiting ? this.items : this.links;
    $('#inbox').replaceChildren(...rows.map((row) => (isWaiting ? this.card(row) : this.linked(row))));
    $('#inbox-more').hidden = !this.next;
    $('#inbox-empty').hidden = rows.length > 0;
    if (!rows.length) {
      $('#inbox-empty').replaceChildren(h('p', {}, t(isWaiting ? 'nothingWaits' : 'noLinks')),
        h('p', { class: 'quiet' }, isWaiting ? t('nothingWaitsHint') : ''));
    }
  }

  card({ study, candidates }) {
    const name = study.patientName ? study.patientName.replaceAll('^', ' ').trim() : t('noName');
    const when = study.startedAt ? `${date(study.startedAt.slice(0, 8))} ${time(study.startedAt.slice(8))}` : '';
    const birth = study.birthDate ? `${t('birth')} ${date(study.birthDate)}` : '';
    const places = h('ul', { class: 'places' }, ...candidates.map((candidate) => this.place(study, candidate)));
    return h('li', { class: 'waits', data: { uid: study.studyInstanceUID } },
      h('h2', {}, name, ' ', h('span', { class: 'badges' }, ...study.modalities.map((word) => h('i', {}, word)))),
      h('p', { class: 'quiet' }, [study.patientID, birth, study.sex && t(`sex${study.sex}`), when,
        study.accessionNumber && `${t('accession')} ${study.accessionNumber}`, study.description].filter(Boolean).join(' · ')),
      study.isHeld && h('p', { class: 'quiet' }, t('linkTakenAway')),
      h('h3', {}, t(candidates.length ? 'couldBelong' : 'nothingFits')), places,
      this.finder(study, places),
      this.rights.includes('read') && h('a', { class: 'button', href: viewerURL(study.studyInstanceUID) }, t('seeImages')));
  }

  place(study, candidate) {
    const where = [candidate.accessionNumber && `${candidate.meaning || t('order')} (${candidate.accessionNumber})`,
      orderDay(candidate.scheduledAt), candidate.visit && `${t('visit')} ${candidate.visit}`].filter(Boolean).join(' · ');
    const target = candidate.order ? { order: candidate.order }
      : candidate.visitID ? { visit: candidate.visitID } : { patient: candidate.patient };
    const words = `${candidate.patientName}${where && `, ${where}`}`;
    return h('li', {},
      candidate.score !== undefined && h('span', { class: 'score', title: t('howSure') },
        h('b', {}, `${Math.round(candidate.score * 100)} %`),
        h('progress', { max: 1, value: candidate.score, 'aria-label': t('howSure') })),
      h('span', { class: 'where' }, h('b', {}, candidate.patientName), h('span', {}, where || t('patientOnly')),
        candidate.reason && h('span', { class: 'quiet' }, because(candidate.reason))),
      h('button', {
        type: 'button', class: 'primary', 'aria-label': `${t('linkHere')}: ${words}`,
        onclick: () => this.decide(study, target, words),
      }, t('linkHere')));
  }

  /** An order that no rule thought of: by its number, or by the patient. */
  finder(study, places) {
    const id = `find-${study.studyInstanceUID}`;
    const field = h('input', { id, type: 'search', autocomplete: 'off', placeholder: t('findOrderHint') });
    const find = async (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (!text) return;
      try {
        const found = [await archive.orders({ accessionNumber: text }), await archive.orders({ patientID: text })];
        const rows = [...new Map(found.flatMap(({ orders }) => orders).map((order) => [order.id, order])).values()];
        if (!rows.length) toast(t('nothing'));
        places.append(...rows.map((row) => this.place(study, {
          order: row.id, accessionNumber: row.accessionNumber, meaning: row.meaning || row.code, scheduledAt: row.scheduledAt,
          visit: row.visit, patientName: row.patientName,
        })));
      } catch (error) {
        toast(error.message || t('unreachable'));
      }
    };
    return h('form', { class: 'finder', onsubmit: find }, h('label', { for: id }, t('findOrder')), field,
      h('button', { type: 'submit' }, t('find')));
  }

  decide(study, target, words) {
    ask(t('linkHere'), words, false, async (reason) => {
      await archive.linkStudy(study.studyInstanceUID, { ...target, reason });
      toast(t('linkMade'));
      await this.restart();
      $('#inbox button, #inbox-kinds button')?.focus();
    });
  }

  linked(link) {
    const where = [link.accessionNumber && `${link.meaning || t('order')} (${link.accessionNumber})`, orderDay(link.scheduledAt),
      link.visit && `${t('visit')} ${link.visit}`].filter(Boolean).join(' · ');
    return h('li', { class: 'waits', data: { uid: link.studyInstanceUID } },
      h('h2', {}, link.patientName || t('noName')), h('p', {}, where || t('patientOnly')),
      h('p', {}, because(link.reason)),
      h('p', { class: 'quiet' }, t('linkedBy', {
        who: link.by === 'rule' ? t('aRule') : link.by, when: orderDay(link.at), n: Math.round(link.score * 100),
      })),
      h('div', { class: 'row' },
        this.rights.includes('read') && h('a', { class: 'button', href: viewerURL(link.studyInstanceUID) }, t('seeImages')),
        h('button', {
          type: 'button', class: 'text', 'aria-label': `${t('takeAway')}: ${link.patientName}`,
          onclick: () => ask(t('takeAway'), `${link.patientName}${where && `, ${where}`}`, true, async (reason) => {
            await archive.unlinkStudy(link.studyInstanceUID, { link: link.id, reason });
            toast(t('linkUndone'));
            await this.restart();
            this.count();
          }),
        }, t('takeAway'))));
  }
}
