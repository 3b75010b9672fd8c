// Sends a compiled script, and gets the source of the one that runs.

export class UploadError extends Error {
  constructor({ reason, message, line, column }, status) {
    super(message ?? `the server answered ${status}`);
    Object.assign(this, { reason: reason ?? "failed", line, column, status });
  }
}

/**
 * @param {{name: string, language: "assemblyscript" | "wat", source: string, wasm: Uint8Array, sourceMap: object | null, token: string | null}} script
 * @returns {Promise<{name: string, version: number, changed: boolean}>}
 */
export async function upload({ name, language, source, wasm, sourceMap, token }) {
  const [type, body] = language === "wat"
    ? ["text/wat", source]
    : ["application/json", JSON.stringify({ wasm: base64(wasm), source_map: sourceMap, language })];
  const headers = { "content-type": type, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(`/wasgo/scripts/${encodeURIComponent(name)}`, { method: "PUT", headers, body });
  return read(answer);
}

/** @returns {Promise<{version: number, sources: {file: string, text: string}[]}>} */
export async function source(name) {
  return read(await fetch(`/wasgo/scripts/${encodeURIComponent(name)}`, { cache: "no-store" }));
}

async function read(answer) {
  let body;
  try { body = await answer.json(); } catch { body = {}; }
  if (!answer.ok) throw new UploadError(body.error ?? {}, answer.status);
  return body;
}

export function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
