// The outbox: what waits for which destination, how fast it goes, why something was not sent, and what to do about it.

import { archive } from './archive.js';
import { ask, notice, show, closing } from './dialogs.js';
import { $, h, toast } from './dom.js';
import { orderDay } from './orders.js';
import { date, size, t } from './texts.js';

/** Milliseconds between two looks at how far it has come. */
const EVERY = 10_000;
const PAGE = 50;
const PRIORITIES = ['stat', 'normal', 'bulk'];

/** A time of the archive as people read it. */
const at = (stamp) => (stamp ? orderDay(stamp) : '');

/** `3 min`, `5 h`, `2 d`. */
function age(seconds) {
  if (seconds < 3600) return t('minutes', { n: Math.max(1, Math.round(seconds / 60)) });
  if (seconds < 172_800) return t('hours', { n: Math.round(seconds / 3600) });
  return t('daysLong', { n: Math.round(seconds / 86_400) });
}

export class Outbox {
  constructor(rights) {
    this.rights = rights;
    this.state = 'waiting';
    this.lines = [];
    this.rows = [];
    this.names = new Map();
    this.next = null;
    $('#outbox-more').onclick = () => this.load();
    for (const chip of document.querySelectorAll('#outbox-kinds button')) {
      chip.onclick = () => {
        this.state = chip.dataset.shows;
        this.restart();
      };
    }
    setInterval(() => {
      if (!document.hidden && document.body.dataset.place === 'outbox' && !$('#dialog').open) this.refresh();
    }, EVERY);
  }

  relabel() { this.draw(); }

  async restart() {
    this.rows = [];
    this.next = null;
    await this.load();
  }

  /** What moved meanwhile; who is at a button stays there. */
  async refresh() {
    try {
      const before = JSON.stringify([this.lines, this.rows]);
      this.lines = (await archive.outbox()).backlog;
      if (this.rows.length <= PAGE) {
        const { shipments, next } = await archive.shipments(this.wanted);
        this.rows = shipments;
        this.next = next ?? null;
      }
      if (before === JSON.stringify([this.lines, this.rows])) return;
      await this.findNames();
      const held = document.activeElement;
      const place = held?.closest?.('[data-key]')?.dataset.key;
      const label = held?.ariaLabel;
      this.draw();
      if (place) [...document.querySelectorAll(`[data-key="${CSS.escape(place)}"] button`)].find((b) => b.ariaLabel === label)?.focus();
    } catch { /* it is asked again */ }
  }

  get wanted() { return { limit: PAGE, ...(this.state && { state: this.state }) }; }

  async load() {
    const { state } = this;
    try {
      const [{ backlog }, { shipments, next }] = await Promise.all([
        archive.outbox(), archive.shipments({ ...this.wanted, ...(this.next && { before: this.next }) })]);
      if (state !== this.state) return;
      this.lines = backlog;
      this.rows.push(...shipments);
      this.next = next ?? null;
      await this.findNames();
      this.draw();
    } catch (error) {
      notice($('#outbox-empty'), error);
    }
  }

  /** Whose studies these are; one that is not here any more stays without a name. */
  async findNames() {
    const unknown = [...new Set(this.rows.map((row) => row.studyInstanceUID))].filter((uid) => !this.names.has(uid));
    if (!unknown.length || !this.rights.includes('search')) return;
    for (let start = 0; start < unknown.length; start += PAGE) {
      const part = unknown.slice(start, start + PAGE);
      const { rows } = await archive.studies(new URLSearchParams({ StudyInstanceUID: part.join(','), limit: PAGE }));
      for (const uid of part) this.names.set(uid, null);
      for (const row of rows) {
        const value = (tag) => row[tag]?.Value?.[0];
        this.names.set(value('0020000D'), {
          name: (value('00100010')?.Alphabetic ?? '').replaceAll('^', ' ').trim(), id: value('00100020') ?? '',
          modalities: row['00080061']?.Value ?? [], when: value('00080020') ?? '', what: value('00081030') ?? '',
        });
      }
    }
  }

  draw() {
    for (const chip of document.querySelectorAll('#outbox-kinds button')) {
      chip.setAttribute('aria-pressed', String(chip.dataset.shows === this.state));
    }
    $('#outbox-lines').replaceChildren(...this.lines.map((line) => this.line(line)));
    $('#outbox').replaceChildren(...this.rows.map((row) => this.shipment(row)));
    $('#outbox-more').hidden = !this.next;
    $('#outbox-empty').hidden = this.rows.length > 0;
    if (!this.rows.length) {
      const key = this.lines.length ? 'outboxEmpty' : 'noDestinations';
      $('#outbox-empty').replaceChildren(h('p', {}, t(key)), h('p', { class: 'quiet' }, this.lines.length ? '' : t('noDestinationsHint')));
    }
  }

  /** One destination: how its line is, what waits, until when. */
  line(one) {
    const { destination: name, line } = one;
    const button = (key, run) => h('button', {
      type: 'button', 'aria-label': `${t(key)}: ${name}`, onclick: () => this.does(run),
    }, t(key));
    const state = line?.state ?? 'gone';
    const fact = (key, value, more) => h('div', {}, h('dt', {}, t(key)), h('dd', {}, value, more && h('span', { class: 'quiet' }, more)));
    const ends = one.finishAt ? at(one.finishAt) : t(one.studies ? 'cannotBeTold' : 'nothing-');
    const allows = line && line.allowance !== 'all' && t(`allows-${line.allowance}`) !== `allows-${line.allowance}`
      ? t(`allows-${line.allowance}`) : line?.allowance !== 'all' && line ? t('allowsRate', { rate: line.allowance }) : '';
    return h('li', { class: 'waits line', data: { key: `line-${name}`, state } },
      h('h2', {}, name, ' ', h('span', { class: 'state' }, h('i', { data: { state } }, t(`line-${state}`)))),
      line?.reason && h('p', { class: 'error' }, `${line.reason}${line.since ? ` · ${t('since', { when: at(line.since) })}` : ''}`
        + `${line.nextAt ? ` · ${t('triedAgain', { when: at(line.nextAt) })}` : ''}`),
      h('dl', { class: 'facts' },
        fact('waiting', t('studiesOf', { n: one.studies }), one.studies > 0 && `${t('instances', { n: one.instances })} · ${size(one.bytes)}`),
        fact('rate', one.rate ? `${size(one.rate)}/s` : '–', allows),
        fact('oldest', one.oldest ? age(one.oldestSeconds) : '–'), fact('finish', ends)),
      one.classes.length > 1 && h('p', { class: 'quiet' }, one.classes.map((part) =>
        `${t(`urgency-${part.priority}`)}: ${part.studies} (${size(part.bytes)})`).join(' · ')),
      (one.unproven > 0 || one.refused > 0) && h('p', { class: 'quiet' }, [one.unproven > 0 && t('unproven', { n: one.unproven }),
        one.refused > 0 && t('refusedOf', { n: one.refused })].filter(Boolean).join(' · ')),
      line && h('div', { class: 'row' },
        state === 'paused' || state === 'stopped' ? button('resume', () => archive.lineDoes(name, 'resume'))
          : button('pause', () => archive.lineDoes(name, 'pause')),
        state === 'waiting' && button('retryNow', () => archive.lineDoes(name, 'retry'))));
  }

  shipment(row) {
    const known = this.names.get(row.studyInstanceUID);
    const name = known?.name || (known === null ? t('notHere') : t('noName'));
    const waits = row.state === 'waiting';
    const button = (key, run, isShown, more = '') => isShown && h('button', {
      type: 'button', class: more, 'aria-label': `${t(key)}: ${name}, ${row.destination}`, onclick: () => this.does(run),
    }, t(key));
    const act = (action, body) => archive.shipmentDoes(row.number, action, body);
    return h('li', { class: 'order shipment', data: { key: `shipment-${row.number}`, id: String(row.number), state: row.state } },
      h('span', { class: 'at' }, h('b', {}, row.destination), h('span', { class: 'badges' }, ...(known?.modalities ?? []).map((word) => h('i', {}, word)))),
      h('span', { class: 'who' }, h('b', {}, name), h('span', { class: 'quiet' }, [known?.id, known?.when && date(known.when), known?.what].filter(Boolean).join(' · '))),
      h('span', { class: 'what' }, h('span', {}, row.why),
        waits && row.sentInstances > 0 && h('progress', { max: row.instances, value: row.sentInstances, 'aria-label': t('sentOf', { n: row.sentInstances, all: row.instances }) }),
        h('span', { class: 'quiet' }, `${at(row.createdAt)} · ${row.cause} · ${size(row.bytes)}`)),
      h('span', { class: 'state' }, row.priority === 'stat' && h('i', { class: 'urgent' }, t('urgent')),
        h('i', { data: { state: row.state } }, t(row.isHeld ? 'held' : `shipment-${row.state}`))),
      h('span', { class: 'does' },
        button('first', () => act('first'), waits && !row.isHeld),
        waits && this.urgency(row, name),
        button('hold', () => act('hold'), waits && !row.isHeld),
        button('release', () => act('release'), row.isHeld),
        button('retryNow', () => act('retry'), ['waiting', 'sent', 'refused', 'dropped'].includes(row.state) && !row.isHeld),
        ['waiting', 'refused', 'sent'].includes(row.state) && h('button', {
          type: 'button', class: 'text', 'aria-label': `${t('dropIt')}: ${name}, ${row.destination}`, onclick: () => this.drop(row, name),
        }, t('dropIt')),
        h('button', { type: 'button', class: 'text', 'aria-label': `${t('ledger')}: ${name}`, onclick: () => this.ledger(row, name) }, t('ledger'))));
  }

  urgency(row, name) {
    const box = h('select', {
      'aria-label': `${t('priority')}: ${name}, ${row.destination}`,
      onchange: () => this.does(() => archive.shipmentDoes(row.number, 'priority', { priority: box.value })),
    }, ...PRIORITIES.map((value) => h('option', { value, selected: value === row.priority }, t(`urgency-${value}`))));
    return box;
  }

  async does(run) {
    try {
      await run();
    } catch (error) {
      toast(error.message || t('unreachable'));
    }
    await this.refresh();
  }

  drop(row, name) {
    ask(t('dropIt'), `${name} · ${row.destination}`, false, async (reason) => {
      await archive.shipmentDoes(row.number, 'drop', { reason });
      await this.refresh();
    });
  }

  /** Queued, sent, proven: the way of a study to everybody. */
  async ledger(row, name) {
    try {
      const { lines, entries } = await archive.ledger(row.studyInstanceUID);
      const events = entries.flatMap(({ shipment, events: all, receipts }) => [
        ...all.map((event) => [event.at, shipment.destination, t(`event-${event.what}`)]),
        ...receipts.map((receipt) => [receipt.askedAt, shipment.destination, `${t(`proof-${receipt.kind}`)} `
          + `${receipt.answeredAt ? t(receipt.failed ? 'proofFailed' : 'proofGiven', { n: receipt.failed }) : t('proofAsked')}`]),
      ]).sort(([first], [second]) => first.localeCompare(second));
      show(t('ledgerOf', { name }), ...lines.map((line) => h('p', {}, line)),
        h('ol', { class: 'ledger' }, ...events.map(([when, who, what]) => h('li', {}, h('span', { class: 'quiet' }, at(when)), h('b', {}, who), h('span', {}, what)))),
        h('p', { class: 'quiet' }, row.studyInstanceUID), h('div', { class: 'row' }, closing()));
    } catch (error) {
      toast(error.message || t('unreachable'));
    }
  }
}
