// The first page: who is here, then the list of studies.

import { archive, lost, Refused } from './archive.js';
import { keysDialog, passwordDialog } from './dialogs.js';
import { $, h } from './dom.js';
import { Fleet } from './fleet.js';
import { Inbox } from './inbox.js';
import { OrderList } from './orders.js';
import { Outbox } from './outbox.js';
import { StudyList } from './studies.js';
import { applyTexts, t, toggleLanguage } from './texts.js';
import { acceptDrops, chooseFiles } from './upload.js';

/** The right that each place of the page needs. */
const PLACES = { studies: 'search', orders: 'readOrders', inbox: 'reconcile', outbox: 'forward', fleet: 'forward' };

let list = null;
let orders = null;
let inbox = null;
let outbox = null;
let fleet = null;
let session = null;

/** Where the visitor was going: a path of this server, or nowhere. */
function destination() {
  const wanted = new URLSearchParams(location.search).get('return');
  if (!wanted?.startsWith('/')) return null;
  const url = new URL(wanted, location.origin);
  // `/.//host` is of this server, but its path alone would name another one.
  return url.origin === location.origin && !url.pathname.startsWith('//') ? url.pathname + url.search : null;
}

function view(name) {
  document.body.dataset.view = name;
  $('#sign-in').hidden = name !== 'sign-in';
  $('#home').hidden = name !== 'home';
}

function askWho() {
  if (document.body.dataset.view === 'sign-in') return;
  session = null;
  if ($('#dialog').open) $('#dialog').close();
  view('sign-in');
  $('#name').focus();
}

async function enter(found) {
  session = found;
  if (session.mustChangePassword) {
    await passwordDialog(true);
    session = await archive.session();
  }
  const wanted = destination();
  if (wanted) {
    location.replace(wanted);
    return;
  }
  view('home');
  $('#account').textContent = session.account;
  for (const right of ['store', 'register']) {
    for (const element of document.querySelectorAll(`.needs-${right}`)) element.hidden = !session.rights.includes(right);
  }
  const places = Object.keys(PLACES).filter((place) => session.rights.includes(PLACES[place]));
  // What a link opens is one thing: there is nowhere to go.
  $('#places').hidden = places.length < 2 || session.credential === 'link';
  for (const link of document.querySelectorAll('#places a')) link.hidden = !places.includes(link.dataset.place);
  if (places.includes('inbox')) inbox ??= new Inbox(session.rights);
  await go();
  warmUp();
}

/** The list of studies, which listens for new ones from the first time that it is shown. */
function studyList() {
  if (list) {
    list.rights = session.rights;
    return list;
  }
  list = new StudyList(session.rights);
  if (session.rights.includes('store')) acceptDrops();
  list.listen();
  addEventListener('phim-stored', () => list.refresh());
  return list;
}

/** Shows the place that the address names, or the first that this account has. */
async function go() {
  const places = Object.keys(PLACES).filter((place) => session?.rights.includes(PLACES[place]));
  const wanted = location.hash.slice(1);
  const place = places.includes(wanted) ? wanted : places[0];
  document.body.dataset.place = place ?? '';
  for (const element of document.querySelectorAll('[data-in]')) element.hidden = element.dataset.in !== place;
  for (const link of document.querySelectorAll('#places a')) {
    if (link.dataset.place === place) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  $('.search').hidden = place !== 'studies';
  switch (place) {
    case 'studies':
      if (matchMedia('(pointer: fine)').matches) $('#query').focus();
      return studyList().restart();
    case 'orders':
      orders ??= new OrderList(session.rights);
      orders.rights = session.rights;
      return orders.restart();
    case 'inbox':
      inbox.rights = session.rights;
      return inbox.restart();
    case 'outbox':
      outbox ??= new Outbox(session.rights);
      outbox.rights = session.rights;
      return outbox.restart();
    case 'fleet':
      fleet ??= new Fleet();
      return fleet.restart();
    default: return undefined;
  }
}

/** Fetches the viewer while the visitor reads the list: most of the wait for a first image is the viewer itself. */
async function warmUp() {
  if (navigator.connection?.saveData) return;
  let files = [];
  try {
    files = await archive.viewerFiles();
  } catch { /* without the viewer there is nothing to fetch */ }
  for (const href of files) document.head.append(h('link', { rel: 'prefetch', href }));
}

async function signIn(event) {
  event.preventDefault();
  const said = $('#sign-in-error');
  const button = $('#sign-in-form button[type=submit]');
  said.hidden = true;
  button.disabled = true;
  try {
    const found = await archive.signIn($('#name').value, $('#password').value);
    $('#password').value = '';
    await enter(found);
  } catch (error) {
    let text = t('unreachable');
    if (error instanceof Refused && error.status === 401) text = t('wrongPassword');
    else if (error instanceof Refused && error.status === 429) text = t('tooMany');
    else if (error.message) text = error.message;
    said.textContent = text;
    said.hidden = false;
    $('#password').select();
  } finally {
    button.disabled = false;
  }
}

async function signOut() {
  await archive.signOut();
  location.replace('/');
}

function menu(isOpen) {
  $('#account-menu').hidden = !isOpen;
  $('#account').setAttribute('aria-expanded', String(isOpen));
  if (isOpen) $('#account-menu button').focus();
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $('#dialog').open || document.body.dataset.view !== 'home') return;
  const isTyping = event.target.matches('input, select, textarea');
  const isInList = document.body.dataset.place === 'studies' && list?.key(event);
  const isTaken = isInList || commandKey(event, isTyping);
  if (isTaken) event.preventDefault();
}

function commandKey(event, isTyping) {
  if (event.key === 'Escape') {
    if (!$('#account-menu').hidden) {
      menu(false);
      $('#account').focus();
    } else if (document.body.dataset.place !== 'studies') {
      $('#places [aria-current]')?.focus();
    } else if (event.target.id === 'query' && $('#query').value) {
      $('#query').value = '';
      list.restart();
    } else {
      $('#query').focus();
    }
    return true;
  }
  if (isTyping) return false;
  switch (event.key) {
    case '1':
    case '2':
    case '3':
    case '4':
    case '5': {
      const link = $('#places').hidden ? null : document.querySelectorAll('#places a')[Number(event.key) - 1];
      if (!link || link.hidden) return false;
      location.hash = link.dataset.place;
      return true;
    }
    case '/':
      $('#query').focus();
      $('#query').select();
      return true;
    case 'u':
      if (session.rights.includes('store')) chooseFiles();
      return true;
    case '?':
      keysDialog();
      return true;
    default: return false;
  }
}

function wire() {
  lost.session = askWho;
  $('#sign-in-form').onsubmit = signIn;
  for (const button of document.querySelectorAll('button.language')) {
    button.dataset.t = 'language';
    button.onclick = () => {
      toggleLanguage();
      if (session) for (const part of [list, orders, inbox, outbox, fleet]) part?.relabel();
    };
  }
  $('#upload-open').onclick = chooseFiles;
  $('#account').onclick = () => menu($('#account-menu').hidden);
  $('#show-keys').onclick = () => { menu(false); keysDialog(); };
  $('#change-password').onclick = () => { menu(false); passwordDialog(); };
  $('#sign-out').onclick = signOut;
  addEventListener('click', (event) => { if (!event.target.closest('#account, #account-menu')) menu(false); });
  addEventListener('keydown', key);
  addEventListener('hashchange', () => { if (session) go(); });
  applyTexts();
}

/** The hospital's own sign-in, beside the one by name and password. */
async function offerProvider() {
  try {
    const { isAvailable, name, signIn } = await archive.provider();
    const button = $('#sign-in-elsewhere');
    button.hidden = !isAvailable;
    if (!isAvailable) return;
    button.href = `${signIn}?return=${encodeURIComponent(destination() ?? '/')}`;
    if (name) {
      delete button.dataset.t;
      button.textContent = name;
    }
  } catch { /* none here */ }
}

async function start() {
  wire();
  offerProvider();
  try {
    await enter(await archive.session());
  } catch {
    askWho();
  }
}

start();
