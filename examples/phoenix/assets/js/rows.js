// The binary payload of the channel's "rows": newest values of objects' properties, by column. Little-endian.
// The layout is in Wasgo's guide "Wasgo in a Phoenix application".

const MOST_ROWS = 1_000_000;

/**
 * @typedef {{type: number, name: string, values: any[]}} Column null where a row does not have it
 * @param {ArrayBuffer} buffer
 * @returns {{seq: number, groups: {ids: number[], columns: Column[]}[]}}
 * @throws {RangeError} where the payload is not what it says
 */
export function readRows(buffer) {
  const view = new DataView(buffer);
  const text = new TextDecoder();
  let at = 0;

  const u32 = () => { at += 4; return view.getUint32(at - 4, true); };
  const utf8 = (length) => { at += length; return text.decode(new Uint8Array(buffer, at - length, length)); };
  const align = () => { at = (at + 3) & ~3; };

  const seq = u32();
  const groups = [];

  for (let left = u32(); left > 0; left--) {
    const rows = u32();
    const count = u32();
    if (rows > MOST_ROWS || rows * 8 > buffer.byteLength) throw new RangeError(`${rows} rows in ${buffer.byteLength} bytes`);

    const columns = [];
    for (let i = 0; i < count; i++) {
      const type = view.getUint8(at++);
      const length = view.getUint8(at++);
      columns.push({ type, name: utf8(length), values: [] });
    }
    align();

    const ids = [];
    for (let i = 0; i < rows; i++) {
      const low = u32();
      ids.push(u32() * 4294967296 + low);
    }

    for (const column of columns) {
      if (column.type === 0) {
        column.values = JSON.parse(utf8(u32()));
        align();
      } else {
        column.values = numbers(column.type, rows);
      }
    }
    groups.push({ ids, columns });
  }
  return { seq, groups };

  function numbers(type, rows) {
    if (type === 8) return Array.from({ length: rows }, () => { at += 8; return there(view.getFloat64(at - 8, true)); });
    if (type < 1 || type > 4) throw new RangeError(`a column of the type ${type}`);
    return Array.from({ length: rows }, () => {
      const parts = Array.from({ length: type }, () => { at += 4; return view.getFloat32(at - 4, true); });
      return there(parts[0]) === null ? null : type === 1 ? parts[0] : parts;
    });
  }
}

const there = (number) => (Number.isNaN(number) ? null : number);
