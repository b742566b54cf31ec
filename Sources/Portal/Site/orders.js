// Orders of a day: what they are, how far they have come, a new one, one that is not needed any more.

import { archive } from './archive.js';
import { ask, closing, notice, show } from './dialogs.js';
import { $, h, toast } from './dom.js';
import { viewerURL } from './studies.js';
import { counted, date, t, time } from './texts.js';

const MODALITIES = ['CT', 'MR', 'CR', 'DX', 'US', 'MG', 'XA', 'RF', 'NM', 'PT', 'ES', 'ECG', 'OT'];
const STATES = ['ordered', 'scheduled', 'arrived', 'in-progress', 'completed', 'reported', 'released', 'cancelled'];
const WAITING = ['ordered', 'scheduled', 'arrived'];
/** Milliseconds between two looks at how far they have come. */
const EVERY = 15_000;

/** `2026-11-21`: the hospital's day, wherever the browser is. */
const day = () => new Date().toLocaleDateString('en-CA', { timeZone: 'Asia/Ho_Chi_Minh' });

export class OrderList {
  constructor(rights) {
    this.rights = rights;
    this.rows = [];
    this.next = null;
    this.asked = 0;
    $('#orders-day').value = day();
    $('#orders-day').onchange = () => this.restart();
    $('#orders-modality').onchange = () => this.restart();
    $('#orders-state').onchange = () => this.restart();
    $('#orders-more').onclick = () => this.load();
    $('#order-new').onclick = () => orderDialog((made) => this.entered(made));
    this.texts();
    setInterval(() => {
      if (!document.hidden && document.body.dataset.place === 'orders' && !$('#dialog').open) this.refresh();
    }, EVERY);
  }

  texts() {
    const fill = (box, all, values, name) => {
      const chosen = box.value;
      box.replaceChildren(h('option', { value: '' }, t(all)), ...values.map((value) => h('option', { value }, name(value))));
      box.value = chosen;
    };
    fill($('#orders-modality'), 'anyModality', MODALITIES, (value) => value);
    fill($('#orders-state'), 'anyState', STATES, (value) => t(`state-${value}`));
  }

  relabel() {
    this.texts();
    this.draw();
  }

  async restart() {
    this.rows = [];
    this.next = null;
    await this.load();
  }

  get wanted() {
    return {
      date: $('#orders-day').value.replaceAll('-', '') || day().replaceAll('-', ''), limit: 200,
      ...($('#orders-modality').value && { modality: $('#orders-modality').value }),
      ...($('#orders-state').value && { states: [$('#orders-state').value] }),
    };
  }

  /** What modalities reported meanwhile; who is at a button stays there. */
  async refresh() {
    if (this.rows.length > 200 || this.next) return;
    const number = this.asked;
    try {
      const { orders, next } = await archive.orders(this.wanted);
      if (number !== this.asked || JSON.stringify(orders) === JSON.stringify(this.rows)) return;
      const held = document.activeElement?.closest?.('.order')?.dataset.id;
      this.rows = orders;
      this.next = next ?? null;
      this.draw();
      if (held) $(`.order[data-id="${held}"] button`)?.focus();
    } catch { /* it is asked again */ }
  }

  async load() {
    const number = this.asked += 1;
    try {
      const { orders, next } = await archive.orders({ ...this.wanted, ...(this.next && { after: this.next }) });
      // A later question has the word.
      if (number !== this.asked) return;
      this.rows.push(...orders);
      this.next = next ?? null;
      this.draw();
    } catch (error) {
      notice($('#orders-empty'), error);
    }
  }

  draw() {
    $('#orders').replaceChildren(...this.rows.map((row) => this.line(row)));
    $('#orders-more').hidden = !this.next;
    $('#orders-count').textContent = counted('order1', 'ordersOf', this.rows.length);
    $('#orders-empty').hidden = this.rows.length > 0;
    if (!this.rows.length) $('#orders-empty').replaceChildren(h('p', {}, t('noOrders')));
  }

  line(row) {
    const name = row.patientName || t('noName');
    const what = row.meaning || row.code || t('noProcedure');
    const may = this.rights.includes('register');
    const button = (key, run, isShown, more = '') => isShown && h('button', {
      type: 'button', class: more, onclick: run, 'aria-label': `${t(key)}: ${name}, ${what}`,
    }, t(key));
    const born = [row.birthDate.slice(0, 4), row.sex && t(`sex${row.sex}`)].filter(Boolean).join(' · ');
    return h('li', { class: 'order', data: { id: String(row.id), state: row.state } },
      h('span', { class: 'at' }, h('b', {}, time(row.scheduledAt.slice(8))), h('span', { class: 'badges' }, h('i', {}, row.modality))),
      h('span', { class: 'who' }, h('b', {}, name), h('span', { class: 'quiet' }, [row.patientIDs[0], born].filter(Boolean).join(' · '))),
      h('span', { class: 'what' }, h('span', {}, what),
        h('span', { class: 'quiet' }, [row.accessionNumber, row.visit].filter(Boolean).join(' · '))),
      h('span', { class: 'state' }, row.priority === 'STAT' && h('i', { class: 'urgent' }, t('urgent')),
        h('i', { data: { state: row.state } }, t(`state-${row.state}`))),
      h('span', { class: 'does' },
        button('open', () => this.open(row), this.rights.includes('read') && !WAITING.includes(row.state) && row.state !== 'cancelled'),
        button('arrived', () => this.step(row, 'arrive'), may && (row.state === 'ordered' || row.state === 'scheduled')),
        button('cancelOrder', () => this.cancel(row), may && WAITING.includes(row.state), 'text')));
  }

  async open(row) {
    try {
      const { studies } = await archive.order(row.id);
      if (studies.length) location.assign(viewerURL(studies.join(',')));
      else toast(t('noImagesYet'));
    } catch (error) {
      toast(error.message || t('unreachable'));
    }
  }

  replace(order) {
    this.rows = this.rows.map((row) => (row.id === order.id ? order : row));
    this.draw();
    $(`.order[data-id="${order.id}"] button`)?.focus();
  }

  async step(row, step) {
    try {
      this.replace((await archive.stepOrder(row.id, { step, version: row.version })).order);
    } catch (error) {
      toast(error.message || t('unreachable'));
      this.restart();
    }
  }

  cancel(row) {
    ask(t('cancelOrder'), `${row.patientName} · ${row.meaning || row.code || row.modality}`, true, async (reason) => {
      this.replace((await archive.cancelOrder(row.id, { reason, version: row.version })).order);
      toast(t('orderCancelled'));
    });
  }

  entered({ order, warning }) {
    toast(warning ? `${t('orderEntered')} · ${t('orderTwice')}` : `${t('orderEntered')} · ${order.accessionNumber}`);
    const local = order.scheduledAt;
    $('#orders-day').value = `${local.slice(0, 4)}-${local.slice(4, 6)}-${local.slice(6, 8)}`;
    this.restart();
  }
}

/** Enters an order; a patient code that is known fills in who that is. */
function orderDialog(done) {
  const field = (id, key, { tag = 'input', options = [], ...properties } = {}) => h('label', { for: id },
    h('span', {}, t(key)), h(tag, { id, autocomplete: 'off', ...properties }, ...options));
  const sexes = ['', 'F', 'M', 'O'].map((value) => h('option', { value }, value ? t(`sex${value}`) : ''));
  const modalities = MODALITIES.map((value) => h('option', { value }, value));
  const priorities = ['ROUTINE', 'HIGH', 'STAT'].map((value) => h('option', { value }, t(`priority-${value}`)));
  const said = h('p', { class: 'error', role: 'alert', hidden: true });
  const known = h('p', { class: 'quiet', role: 'status' });
  const form = h('form', { class: 'grid' },
    field('order-patient', 'patientCode', { required: true, maxLength: 64 }),
    field('order-name', 'patientName', { required: true, maxLength: 64 }),
    field('order-birth', 'birthDate', { placeholder: t('birthHint'), pattern: '([0-9]{1,2}/){0,2}[0-9]{4}' }),
    field('order-sex', 'sex', { tag: 'select', options: sexes }), known,
    field('order-modality', 'modality', { tag: 'select', options: modalities }),
    field('order-at', 'scheduledAt', { type: 'datetime-local' }),
    field('order-code', 'procedureCode', { maxLength: 64 }), field('order-meaning', 'procedureName', { maxLength: 64, required: true }),
    field('order-visit', 'visitNumber', { maxLength: 100 }),
    field('order-priority', 'priority', { tag: 'select', options: priorities }),
    field('order-physician', 'physician', { maxLength: 64 }), field('order-reason', 'clinicalReason', { maxLength: 200 }),
    said, h('div', { class: 'row wide' }, h('button', { type: 'submit', class: 'primary' }, t('enterOrder')), closing(t('cancel'))));
  show(t('newOrder'), form);
  const value = (name) => $(`#order-${name}`, form).value.trim();
  let person = null;
  $('#order-patient', form).onchange = async () => {
    person = null;
    known.textContent = '';
    if (!value('patient')) return;
    try {
      const { patients } = await archive.patients({ identifier: value('patient') });
      if (patients.length !== 1) return;
      [person] = patients;
      $('#order-name', form).value = person.name;
      $('#order-birth', form).value = shown(person.birthDate);
      $('#order-sex', form).value = person.sex;
      known.textContent = t('patientKnown');
    } catch { /* who is not known is entered */ }
  };
  // The same form sent twice, because the answer was lost, is one order.
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${crypto.getRandomValues(new Uint32Array(3)).join('-')}`;
  form.onsubmit = async (event) => {
    event.preventDefault();
    said.hidden = true;
    const told = { name: value('name'), birthDate: stored(value('birth')), sex: $('#order-sex', form).value };
    const isSame = person && ['name', 'birthDate', 'sex'].every((name) => person[name] === told[name]);
    const patient = isSame ? { number: person.number } : { identifiers: [{ value: value('patient') }], ...told };
    const wish = {
      patient, modality: $('#order-modality', form).value, priority: $('#order-priority', form).value,
      code: { value: value('code'), meaning: value('meaning') },
      ...(value('at') && { scheduledAt: value('at').replace(/\D/g, '').slice(0, 12) }),
      ...(value('visit') && { visit: { number: value('visit') } }),
      ...(value('physician') && { requestingPhysician: value('physician') }),
      ...(value('reason') && { reason: value('reason') }),
    };
    try {
      const made = await archive.enterOrder(wish, key);
      $('#dialog').close();
      done(made);
    } catch (error) {
      said.hidden = false;
      said.textContent = error.message || t('unreachable');
    }
  };
  $('#order-patient', form).focus();
}

/** `15/02/1980`, `02/1980` or `1980`: as people here write it. */
const shown = (da) => [da.slice(6, 8), da.slice(4, 6), da.slice(0, 4)].filter(Boolean).join('/');
const stored = (text) => text.split('/').reverse().map((part) => part.padStart(2, '0')).join('');

export const orderDay = (scheduledAt) => (scheduledAt ? `${date(scheduledAt.slice(0, 8))} ${time(scheduledAt.slice(8))}`.trim() : '');
