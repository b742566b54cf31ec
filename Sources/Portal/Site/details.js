// What is inside a study: its series with their pictures, and the patient's other studies.

import { archive } from './archive.js';
import { h, picture } from './dom.js';
import { counted, date, size, t } from './texts.js';

const open = (study, series) =>
  `/ohif/viewer?StudyInstanceUIDs=${study}${series ? `&SeriesInstanceUIDs=${series}` : ''}`;

/** The lower half of a row; it fills itself. */
export function details(study) {
  const box = h('div', { class: 'details', 'aria-busy': 'true' });
  fill(box, study).catch((error) => {
    box.ariaBusy = 'false';
    box.replaceChildren(h('p', { class: 'error' }, error.message || t('unreachable')));
  });
  return box;
}

async function fill(box, study) {
  const [found, others] = await Promise.all([archive.study(study.uid), archive.priors(study.uid)]);
  box.ariaBusy = 'false';
  const facts = [
    [t('accession'), found.accessionNumber], [t('birth'), found.patient.birthDate && date(found.patient.birthDate)],
    [t('sizes'), size(found.bytes)], [t('fetchedFrom'), found.origin?.source],
  ].filter(([, value]) => value);
  box.replaceChildren(
    h('dl', {}, ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
    h('ul', { class: 'series' }, ...found.series.map((series) => seriesCard(found, series))),
    ...(others.priors.length ? [h('div', { class: 'priors' }, h('h2', {}, t('priors')),
      h('ul', {}, ...others.priors.slice(0, 12).map(priorLine)))] : []));
}

function seriesCard(study, series) {
  const label = [series.number ?? '', series.description ?? series.modality ?? ''].filter((part) => part !== '').join('. ');
  const facts = [series.modality, series.geometry && t(series.geometry.plane), counted('image1', 'images', series.frames)].filter(Boolean).join(' · ');
  return h('li', {},
    h('a', { href: open(study.studyInstanceUID, series.seriesInstanceUID), title: label },
      picture(series.thumbnail ? `${series.thumbnail}?viewport=160,160` : 'data:,'),
      h('span', { class: 'label' }, label || t('noSeries')), h('span', { class: 'quiet' }, facts)));
}

function priorLine(prior) {
  const days = prior.daysBefore;
  let distance = '';
  if (days === 0) distance = t('sameDay');
  else if (days > 0) distance = t('older', { n: days });
  else if (days < 0) distance = t('newer', { n: -days });
  return h('li', { class: prior.isComparable ? 'comparable' : '' },
    h('a', { href: open(prior.studyInstanceUID) },
      h('span', {}, prior.date ? date(prior.date) : ''), h('span', { class: 'badges' }, ...prior.modalities.map((m) => h('i', {}, m))),
      h('span', {}, prior.description ?? ''), h('span', { class: 'quiet' }, distance)));
}
