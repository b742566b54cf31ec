// Why a study could belong somewhere, in the reader's language: the archive says it in English sentences of fixed parts.

import { current } from './texts.js';

const vietnamese = [
  ['The Study Instance UID was given with the order', 'Mã ca chụp (Study Instance UID) trùng với phiếu chỉ định'],
  ["The Accession Number is the order's", 'Số phiếu (Accession Number) trùng với phiếu chỉ định'],
  [', and the patient code agrees.', ', và đúng mã người bệnh.'],
  [", and the patient's name agrees.", ', và đúng tên người bệnh.'],
  ['; the images name no patient.', '; trên ảnh không có tên người bệnh.'],
  [', but the images name another patient.', ', nhưng trên ảnh là người bệnh khác.'],
  ['Several procedures share the number.', 'Nhiều phiếu dùng chung số này.'],
  ['The modality is another.', 'Loại máy không khớp.'],
  ['The order was cancelled.', 'Phiếu đã hủy.'],
  ["The patient code and name agree, and this is the patient's only open order for the modality.",
    'Đúng mã và tên người bệnh, và đây là phiếu duy nhất còn chờ của loại máy này.'],
  ['The patient has an open order for the modality at about this time.',
    'Người bệnh có phiếu còn chờ của loại máy này vào khoảng thời gian này.'],
  ['A patient of this name has an open order for the modality at about this time.',
    'Một người bệnh trùng tên có phiếu còn chờ của loại máy này vào khoảng thời gian này.'],
  ['The patient code agrees.', 'Đúng mã người bệnh.'],
  ["The patient's name agrees.", 'Trùng tên người bệnh.'],
  ['Somebody decided.', 'Do người quyết định.'],
];

/** A sentence of the archive; words that a person typed stay as they are. */
export const because = (text) =>
  (current() === 'vi' ? vietnamese.reduce((whole, [en, vi]) => whole.replace(en, vi), text) : text);
