// The fleet: at a centre, the archives that send to it, as they last said of themselves.

import { archive } from './archive.js';
import { notice } from './dialogs.js';
import { $, h } from './dom.js';
import { moment, size, t } from './texts.js';

/** Milliseconds between two looks; a station says something every minute. */
const EVERY = 20_000;
/** Seconds that a station's clock may be off. */
const SKEW = 60;
/** A disk with less than this part free wants somebody. */
const SCARCE = 0.1;

export class Fleet {
  constructor() {
    this.stations = [];
    setInterval(() => {
      if (!document.hidden && document.body.dataset.place === 'fleet') this.restart();
    }, EVERY);
  }

  relabel() { this.draw(); }

  async restart() {
    try {
      this.stations = await archive.fleet();
      this.draw();
    } catch (error) {
      notice($('#fleet-empty'), error);
    }
  }

  draw() {
    // Who is silent or falls behind comes first.
    const worry = (one) => (one.isSilent ? 2 : 0) + (one.backlog.length ? 1 : 0);
    const rows = [...this.stations].sort((first, second) => worry(second) - worry(first) || first.name.localeCompare(second.name));
    $('#fleet').replaceChildren(...rows.map((one) => this.station(one)));
    $('#fleet-empty').hidden = rows.length > 0;
    if (!rows.length) $('#fleet-empty').replaceChildren(h('p', {}, t('noStations')), h('p', { class: 'quiet' }, t('noStationsHint')));
  }

  station(one) {
    const sum = (key) => one.backlog.reduce((total, part) => total + part[key], 0);
    const oldest = one.backlog.map((part) => part.oldest).sort()[0];
    const isScarce = one.diskTotal > 0 && one.diskFree / one.diskTotal < SCARCE;
    const isOff = Math.abs(one.clockSkew) > SKEW;
    const state = one.isSilent ? 'stopped' : 'open';
    const fact = (key, value, more, isBad) => h('div', {}, h('dt', {}, t(key)), h('dd', { class: isBad ? 'error' : '' }, value,
      more && h('span', { class: 'quiet' }, more)));
    return h('li', { class: 'waits line', data: { station: one.name, state } },
      h('h2', {}, one.name, ' ', h('span', { class: 'state' }, h('i', { data: { state } }, t(one.isSilent ? 'silent' : 'heard')))),
      h('dl', { class: 'facts' },
        fact('lastContact', moment(one.lastAt), '', one.isSilent),
        fact('waiting', t('studiesOf', { n: sum('studies') }), sum('studies') > 0 && size(sum('octets'))),
        fact('oldest', oldest ? moment(oldest) : '–'),
        fact('diskFree', size(one.diskFree), t('ofAll', { all: size(one.diskTotal) }), isScarce),
        fact('newestImage', one.newestAt ? moment(one.newestAt) : '–'),
        fact('version', one.version),
        isOff && fact('clockOff', t('secondsOff', { n: Math.round(one.clockSkew) }), '', true)),
      one.backlog.length > 1 && h('p', { class: 'quiet' }, one.backlog.map((part) =>
        `${t(`urgency-${part.priority}`)}: ${part.studies} (${size(part.octets)})`).join(' · ')));
  }
}
