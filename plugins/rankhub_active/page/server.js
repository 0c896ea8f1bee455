// Talks to `rankhub label serve`: waits for a server that is not there, and turns refusals into sentences.

const PAUSE = 1000; // ms between attempts
const PATIENCE = 45000; // ms for one attempt; the server itself waits up to 30 s for its table
const MOVED = "This address is not valid any more: open the one that rankhub label serve printed.";

const pause = (ms) => new Promise((go) => setTimeout(go, ms));

/** The server's refusal: `message` is its sentence, `status` its code, `image` the image as it is now (409). */
export class Refused extends Error {
  constructor(message, status, image) {
    super(message);
    this.status = status;
    this.image = image;
  }
}

async function ask(path, options, absent) {
  for (;;) {
    let response;
    try {
      response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE), ...options });
      // The body may be cut off as well, where the server ends while it sends.
      const body = response.ok && options.bytes ? await response.blob() : await response.text();
      absent(false);
      return { response, body };
    } catch {
      absent(true);
      await pause(PAUSE);
    }
  }
}

function told({ response, body }) {
  let answer = null;
  try {
    answer = JSON.parse(body);
  } catch {
    answer = null;
  }
  if (response.ok && answer !== null) return answer;
  if (answer?.error) throw new Refused(answer.error, response.status, answer.image);
  if (response.status === 404) throw new Refused(MOVED, 404);
  throw new Refused(`The server failed (${response.status}); its console says why.`, response.status);
}

/**
 * A server as the page uses it.
 *
 * `absent(gone)` is called whenever an attempt shows that the server is there, or is not; attempts go on until it is.
 * What the server refuses is thrown as `Refused`.
 */
export class Server {
  constructor(absent) {
    this.absent = absent;
  }

  async get(path) {
    return told(await ask(path, {}, this.absent));
  }

  async bytes(path) {
    const answer = await ask(path, { bytes: true }, this.absent);
    return answer.response.ok ? answer.body : told(answer);
  }

  async post(path, what) {
    const options = { method: "POST", body: JSON.stringify(what), headers: { "Content-Type": "application/json" } };
    return told(await ask(path, options, this.absent));
  }
}

/** The images as the browser shows them: the ones around the present one are fetched ahead and kept. */
export class Pictures {
  constructor(server) {
    this.server = server;
    this.held = new Map(); // id -> promise of an object URL
  }

  /** An URL of an image; it stays valid until `keep` no longer names the image. */
  take(id) {
    if (!this.held.has(id)) {
      const url = this.server.bytes(`images/${id}`).then((blob) => URL.createObjectURL(blob));
      url.catch(() => this.held.delete(id)); // to be asked for again
      this.held.set(id, url);
    }
    return this.held.get(id);
  }

  keep(ids) {
    for (const [id, url] of this.held) {
      if (ids.includes(id)) continue;
      this.held.delete(id);
      url.then((old) => URL.revokeObjectURL(old), () => {});
    }
  }
}

/** Answers that are begun and not saved yet: they outlive a reload of the page. */
export class Drafts {
  constructor() {
    this.prefix = `rankhub:${location.pathname}:`; // the path holds the folder's token
  }

  read(id) {
    try {
      return JSON.parse(localStorage.getItem(this.prefix + id));
    } catch {
      return null;
    }
  }

  write(id, version, value) {
    try {
      localStorage.setItem(this.prefix + id, JSON.stringify({ version, value }));
    } catch {
      // A full or forbidden store costs the draft only; answers do not pass through it.
    }
  }

  drop(id) {
    try {
      localStorage.removeItem(this.prefix + id);
    } catch {
      // As above.
    }
  }
}
