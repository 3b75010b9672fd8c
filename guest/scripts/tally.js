/**
 * tally: counts what stands in a chunk.
 *
 * A component for the world `processor` of wit/script.wit. An instance table comes in, and one buffer goes out: a text in JSON,
 *
 *     {"count": 3, "kinds": {"0": 2, "8": 1}, "tallest": {"kind": 8, "scale": 1.5, "x": 4, "y": 10, "z": 2.5}}
 *
 * with the thing of the largest scale as "tallest". Nothing goes out for an empty table. A buffer that is no table is an error.
 */
const RECORD = 32;

export function process(input) {
  const bytes = Uint8Array.from(input);
  if (bytes.length % RECORD !== 0) throw `${bytes.length} bytes are no instance table: a record has ${RECORD}`;
  if (bytes.length === 0) return [];

  const view = new DataView(bytes.buffer);
  const kinds = {};
  let tallest = { scale: -Infinity };
  for (let at = 0; at < bytes.length; at += RECORD) {
    const thing = {
      kind: view.getUint32(at, true),
      scale: view.getFloat32(at + 20, true),
      x: view.getFloat32(at + 4, true),
      y: view.getFloat32(at + 8, true),
      z: view.getFloat32(at + 12, true),
    };
    kinds[thing.kind] = (kinds[thing.kind] ?? 0) + 1;
    if (thing.scale > tallest.scale) tallest = thing;
  }
  return [utf8(JSON.stringify({ count: bytes.length / RECORD, kinds, tallest }))];
}

// JSON of numbers and these names has one byte to a character.
function utf8(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
