// From what somebody types to QIDO-RS queries (PS3.18 Section 10.6), and from their answers to one list.

import { archive } from './archive.js';

const PAGE = 50;
const FIELDS = '00081030,00080061,00100030,00100040,00201206,00201208';

const pad = (number) => String(number).padStart(2, '0');
export const dicomDate = (date) => `${date.getFullYear()}${pad(date.getMonth() + 1)}${pad(date.getDate())}`;

/** `15/3/2024`, `15.3.2024`, `2024-03-15`, `03/2024` or `2024` as a DICOM range; null for anything else. */
export function typedDate(word) {
  let found = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(word);
  if (found) return day(found[1], found[2], found[3]);
  found = /^(\d{1,2})[/.](\d{1,2})[/.](\d{4})$/.exec(word);
  if (found) return day(found[3], found[2], found[1]);
  found = /^(\d{1,2})[/.](\d{4})$/.exec(word);
  if (found && found[1] >= 1 && found[1] <= 12) {
    const last = new Date(Number(found[2]), Number(found[1]), 0).getDate();
    return `${found[2]}${pad(found[1])}01-${found[2]}${pad(found[1])}${pad(last)}`;
  }
  return null;
}

function day(year, month, date) {
  const made = new Date(Number(year), month - 1, Number(date));
  return made.getMonth() === month - 1 && made.getDate() === Number(date) ? dicomDate(made) : null;
}

/**
 * The queries of a search: words without digits are a name in any order and without marks; a word with digits is a
 * patient ID or an accession number, so it makes two queries whose answers are joined.
 */
export function queries({ text = '', dates = '', modality = '' }) {
  const words = text.trim().split(/\s+/).filter(Boolean);
  let range = dates;
  const names = [];
  const numbers = [];
  for (const word of words) {
    const date = typedDate(word);
    if (date) range = date;
    else if (/\d/.test(word)) numbers.push(word);
    else names.push(word);
  }
  const base = new URLSearchParams({ includefield: FIELDS, fuzzymatching: 'true' });
  if (range) base.set('StudyDate', range);
  if (modality) base.set('ModalitiesInStudy', modality);
  if (names.length) base.set('PatientName', `*${names.join(' ').replaceAll('*', '')}*`);
  if (!numbers.length) return [base];
  const number = `*${numbers.join(' ').replaceAll('*', '')}*`;
  return ['PatientID', 'AccessionNumber'].map((key) => {
    const query = new URLSearchParams(base);
    query.set(key, number);
    return query;
  });
}

const value = (row, tag) => row[tag]?.Value?.[0] ?? '';

/** A row of the list from a QIDO answer. */
export function study(row) {
  const name = value(row, '00100010');
  return {
    uid: value(row, '0020000D'),
    name: displayName(typeof name === 'object' ? name.Alphabetic ?? '' : name),
    id: String(value(row, '00100020')),
    birthDate: String(value(row, '00100030')),
    sex: String(value(row, '00100040')),
    date: String(value(row, '00080020')),
    time: String(value(row, '00080030')),
    accession: String(value(row, '00080050')),
    description: String(value(row, '00081030')),
    modalities: row['00080061']?.Value ?? [],
    series: Number(value(row, '00201206')) || 0,
    instances: Number(value(row, '00201208')) || 0,
  };
}

export const displayName = (name) => name.split('=')[0].split('^').filter(Boolean).join(' ');

/** One search, page by page; a later search makes it void. */
export class Search {
  constructor(terms) {
    this.terms = terms;
    this.sources = queries(terms).map((query) => ({ query, offset: 0, isOver: false }));
    this.seen = new Set();
    this.stopper = new AbortController();
    this.total = null;
  }

  get isOver() { return this.sources.every((source) => source.isOver); }

  stop() { this.stopper.abort(); }

  /** The next studies, newest first. */
  async next() {
    const pages = await Promise.all(this.sources.map((source) => this.page(source)));
    const fresh = [];
    for (const row of pages.flat()) {
      if (row.uid && !this.seen.has(row.uid)) {
        this.seen.add(row.uid);
        fresh.push(row);
      }
    }
    if (this.sources.length > 1) fresh.sort((a, b) => (b.date + b.time).localeCompare(a.date + a.time));
    return fresh;
  }

  async page(source) {
    if (source.isOver) return [];
    const query = new URLSearchParams(source.query);
    query.set('limit', String(PAGE));
    query.set('offset', String(source.offset));
    const { rows, total } = await archive.studies(query, this.stopper.signal);
    source.offset += rows.length;
    source.isOver = rows.length < PAGE;
    if (this.sources.length === 1) this.total = total ?? (source.isOver ? source.offset : null);
    return rows.map(study);
  }
}
