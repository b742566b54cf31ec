// What the page asks of the archive; every answer is checked here, and a lost session is told once.

/** A request that was refused: its status, and the archive's own sentence. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Called when the session has ended. */
export const lost = { session: () => {} };

async function ask(path, options = {}) {
  const answer = await fetch(path, { credentials: 'same-origin', ...options });
  if (answer.ok) return answer;
  let detail = '';
  try {
    detail = (await answer.json()).detail ?? '';
  } catch { /* not every refusal is JSON */ }
  if (answer.status === 401 && !options.isSignIn) lost.session();
  throw new Refused(answer.status, detail);
}

const json = async (path, options) => {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
};

const post = (body, more = {}) => ({
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), ...more,
});

export const archive = {
  /** The hospital's identity provider, where there is one. */
  provider: () => json('/api/v1/oidc'),
  /** What the viewer loads first. */
  viewerFiles: () => json('/ohif/start-files.json'),
  session: () => json('/api/v1/session', { isSignIn: true }),
  signIn: (name, password) => json('/api/v1/session', post({ name, password }, { isSignIn: true })),
  signOut: () => ask('/api/v1/session', { method: 'DELETE' }),
  changePassword: (current, password) =>
    ask('/api/v1/session/password', post({ current, new: password }, { method: 'PUT', isSignIn: true })),
  study: (uid, signal) => json(`/api/v1/studies/${uid}`, { signal }),
  /** By UID, where studies were fetched from. */
  origins: async (studies, signal) => (await json('/api/v1/studies/origins', post({ studies }, { signal }))).origins,
  priors: (uid, signal) => json(`/api/v1/studies/${uid}/priors`, { signal }),
  patients: (wanted) => json('/api/v1/patients/search', post(wanted)),
  orders: (wanted) => json('/api/v1/orders/search', post(wanted)),
  order: (id) => json(`/api/v1/orders/${id}`),
  enterOrder: (wish, key) => json('/api/v1/orders', post(wish, {
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
  })),
  stepOrder: (id, step) => json(`/api/v1/orders/${id}/steps`, post(step)),
  cancelOrder: (id, why) => json(`/api/v1/orders/${id}/cancel`, post(why)),
  inbox: (wanted) => json(`/api/v1/inbox?${new URLSearchParams(wanted)}`),
  studyLinks: (wanted) => json(`/api/v1/study-links?${new URLSearchParams(wanted)}`),
  linkStudy: (uid, place) => json(`/api/v1/studies/${uid}/order`, post(place, { method: 'PUT' })),
  unlinkStudy: (uid, why) => json(`/api/v1/studies/${uid}/order/undo`, post(why)),
  outbox: () => json('/api/v1/outbox'),
  shipments: (wanted) => json(`/api/v1/outbox/shipments?${new URLSearchParams(wanted)}`),
  shipmentDoes: (number, action, body = {}) => json(`/api/v1/outbox/shipments/${number}/${action}`, post(body)),
  lineDoes: (name, action) => json(`/api/v1/destinations/${encodeURIComponent(name)}/${action}`, post({})),
  ledger: (uid) => json(`/api/v1/studies/${uid}/shipments`),
  /** At a centre, the archives that send to it. */
  fleet: () => json('/api/v1/fleet'),
  share: (uid, seconds) => json(`/api/v1/studies/${uid}/links`, post({ seconds })),

  /** Studies of one query, with the total where the archive counts it. */
  async studies(parameters, signal) {
    const answer = await ask(`/dicom-web/studies?${parameters}`, { signal, headers: { Accept: 'application/dicom+json' } });
    const total = answer.headers.get('X-Total-Count');
    return { rows: answer.status === 204 ? [] : await answer.json(), total: total === null ? null : Number(total) };
  },

  /** One file by STOW-RS (PS3.18 Section 10.5); `progress` hears how many bytes have gone. Gives the attempt and a stop. */
  store(file, progress) {
    const request = new XMLHttpRequest();
    const boundary = `phim-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`;
    const head = `--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`;
    const body = new Blob([head, file, `\r\n--${boundary}--\r\n`]);
    const done = new Promise((resolve, reject) => {
      request.open('POST', '/dicom-web/studies');
      request.setRequestHeader('Content-Type', `multipart/related; type="application/dicom"; boundary="${boundary}"`);
      request.setRequestHeader('Accept', 'application/dicom+json');
      request.upload.onprogress = (event) => progress(Math.min(event.loaded, file.size));
      request.onload = () => {
        if (request.status === 401) lost.session();
        resolve(stored(request.status, request.responseText));
      };
      request.onerror = () => reject(new Refused(0, ''));
      request.onabort = () => reject(new DOMException('stopped', 'AbortError'));
      request.send(body);
    });
    return { done, stop: () => request.abort() };
  },
};

/** What became of an instance: kept, or why not. */
function stored(status, text) {
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch { /* an empty answer */ }
  // Failed SOP Sequence, or Other Failures Sequence for what does not even say which instance it is.
  const failed = answer['00081198']?.Value?.[0] ?? answer['0008119A']?.Value?.[0];
  if (failed) return { kept: false, status, code: failed['00081197']?.Value?.[0] ?? null };
  const kept = answer['00081199']?.Value?.[0];
  if (kept) return { kept: true, status, isConflict: '00081196' in kept };
  return { kept: false, status, detail: answer.detail ?? '' };
}
