// The small windows: a link to share, the keys, another password.

import { archive } from './archive.js';
import { $, h, toast } from './dom.js';
import { moment, t } from './texts.js';

const dialog = () => $('#dialog');

export function show(title, ...content) {
  dialog().replaceChildren(h('h2', { id: 'dialog-title' }, title), ...content);
  if (!dialog().open) dialog().showModal();
}

export const closing = (text = t('close')) =>
  h('button', { type: 'button', class: 'text', onclick: () => dialog().close() }, text);

/** What went wrong, in the place of a list. */
export function notice(place, error) {
  place.hidden = false;
  place.replaceChildren(h('p', { role: 'alert' }, error.message || t('unreachable')));
}

/** Asks for a reason, then does what is asked; what is refused is said and can be tried again. */
export function ask(title, about, isNeeded, run) {
  const reason = h('input', { id: 'reason', autocomplete: 'off', maxLength: 200, required: isNeeded });
  const said = h('p', { class: 'error', role: 'alert', hidden: true });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await run(reason.value.trim());
      dialog().close();
    } catch (error) {
      said.hidden = false;
      said.textContent = error.message || t('unreachable');
    }
  };
  show(title, h('form', { onsubmit: submit }, h('p', { class: 'quiet' }, about),
    h('label', { for: 'reason' }, t(isNeeded ? 'reason' : 'reasonIfAny')), reason, said,
    h('div', { class: 'row' }, h('button', { type: 'submit', class: 'primary' }, title), closing(t('cancel')))));
  reason.focus();
}

/** A link to exactly one study. */
export function shareDialog(study) {
  const days = h('select', { id: 'link-days' },
    ...[['linkHours', 1], ['linkWeek', 7], ['linkMonth', 30]].map(([key, value]) => h('option', { value }, t(key))));
  days.value = '7';
  const said = h('p', { class: 'error', role: 'alert', hidden: true });
  const make = async (event) => {
    event.preventDefault();
    try {
      const link = await archive.share(study.uid, Number(days.value) * 86_400);
      ready(new URL(link.path, location.origin).href, link.expiresAt);
    } catch (error) {
      said.hidden = false;
      said.textContent = error.message || t('unreachable');
    }
  };
  show(t('shareStudy', { name: study.name || t('noName') }), h('form', { onsubmit: make },
    h('p', { class: 'quiet' }, t('shareLead')), h('label', { for: 'link-days' }, t('linkFor')), days, said,
    h('div', { class: 'row' }, h('button', { type: 'submit', class: 'primary' }, t('makeLink')), closing(t('cancel')))));
}

function ready(url, expiresAt) {
  const field = h('input', { id: 'link', readOnly: true, value: url, 'aria-label': t('share') });
  const copy = h('button', {
    type: 'button', class: 'primary',
    onclick: async () => {
      field.select();
      // The clipboard is for secure pages; the older way works everywhere.
      if (navigator.clipboard) await navigator.clipboard.writeText(url);
      else document.execCommand('copy');
      toast(t('copied'));
    },
  }, t('copy'));
  show(t('share'), h('p', { class: 'quiet' }, t('linkReady', { when: moment(expiresAt) })), field,
    h('div', { class: 'row' }, copy, closing()));
  field.select();
  copy.focus();
}

export function keysDialog() {
  const keys = [['/', 'keySearch'], ['↑ ↓', 'keyMove'], ['Enter', 'keyOpen'], ['→', 'keyDetails'], ['s', 'keyShare'],
    ['u', 'keyUpload'], ['1', 'studies'], ['2', 'orders'], ['3', 'inbox'], ['4', 'outbox'],
    ['5', 'fleet'], ['Esc', 'keyBack'], ['?', 'keyHelp']];
  show(t('keys'), h('dl', { class: 'keys' }, ...keys.flatMap(([key, text]) => [
    h('dt', {}, ...key.split(' ').map((part) => h('kbd', {}, part))), h('dd', {}, t(text))])),
  h('div', { class: 'row' }, closing()));
}

/** Resolves once the password is another; `isForced` leaves no other way. */
export function passwordDialog(isForced = false) {
  return new Promise((resolve) => {
    const field = (id, key, autocomplete) => [h('label', { for: id }, t(key)),
      h('input', { id, type: 'password', autocomplete, required: true })];
    const [current, fresh, repeat] = [
      field('password-current', 'currentPassword', 'current-password'),
      field('password-new', 'newPassword', 'new-password'), field('password-repeat', 'repeat', 'new-password')];
    const said = h('p', { class: 'error', role: 'alert', hidden: true });
    const say = (text) => {
      said.hidden = false;
      said.textContent = text;
    };
    const change = async (event) => {
      event.preventDefault();
      if (fresh[1].value !== repeat[1].value) {
        say(t('repeatWrong'));
        return;
      }
      try {
        await archive.changePassword(current[1].value, fresh[1].value);
        dialog().oncancel = null;
        dialog().close();
        toast(t('passwordChanged'));
        resolve();
      } catch (error) {
        say(error.message || t('unreachable'));
      }
    };
    show(t('changePassword'), h('form', { onsubmit: change },
      isForced && h('p', { class: 'quiet' }, t('mustChange')), ...current, ...fresh, ...repeat, said,
      h('div', { class: 'row' }, h('button', { type: 'submit', class: 'primary' }, t('save')), isForced ? '' : closing(t('cancel')))));
    dialog().oncancel = isForced ? (event) => event.preventDefault() : null;
  });
}
