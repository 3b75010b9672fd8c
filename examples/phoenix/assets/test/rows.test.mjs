import assert from "node:assert/strict";
import test from "node:test";
import { readRows } from "../js/rows.js";

// Writes what the channel writes.
function rows(seq, groups) {
  const bytes = [];
  const view = new DataView(new ArrayBuffer(8));
  const raw = (count, write) => { write(); for (let i = 0; i < count; i++) bytes.push(view.getUint8(i)); };
  const u32 = (value) => raw(4, () => view.setUint32(0, value, true));
  const pad = () => { while (bytes.length % 4) bytes.push(0); };
  u32(seq);
  u32(groups.length);
  for (const { ids, columns } of groups) {
    u32(ids.length);
    u32(columns.length);
    for (const { type, name } of columns) bytes.push(type, Buffer.byteLength(name), ...Buffer.from(name));
    pad();
    for (const id of ids) { u32(id % 4294967296); u32(Math.floor(id / 4294967296)); }
    for (const { type, values } of columns) {
      if (type === 0) {
        const text = Buffer.from(JSON.stringify(values));
        u32(text.length);
        bytes.push(...text);
        pad();
      } else for (const value of values) {
        const parts = value === null ? Array(type === 8 ? 1 : type).fill(NaN) : [value].flat();
        for (const part of parts) type === 8 ? raw(8, () => view.setFloat64(0, part, true)) : raw(4, () => view.setFloat32(0, part, true));
      }
    }
  }
  return new Uint8Array(bytes).buffer;
}

test("rows of every type are read, and what a row does not have is null", () => {
  const columns = [
    { type: 1, name: "rotation:y", values: [0.5, null] },
    { type: 2, name: "uv", values: [[1, 2], null] },
    { type: 3, name: "position", values: [null, [1, -2, 3.5]] },
    { type: 4, name: "modulate", values: [[0, 0.25, 0.5, 1], null] },
    { type: 8, name: "time", values: [1 / 3, null] },
    { type: 0, name: "té", values: ["a", { b: null }] },
  ];
  const groups = [{ ids: [7, 2 ** 40 + 3], columns }, { ids: [1], columns: [{ type: 1, name: "position:x", values: [2] }] }];
  assert.deepEqual(readRows(rows(19, groups)), { seq: 19, groups });
});

test("no groups are no rows", () => {
  assert.deepEqual(readRows(rows(1, [])), { seq: 1, groups: [] });
});

test("a payload that is cut off anywhere is an error, and never endless", () => {
  const whole = rows(3, [{ ids: [1, 2], columns: [{ type: 3, name: "position", values: [[1, 2, 3], [4, 5, 6]] }] }]);
  for (let length = 0; length < whole.byteLength; length++) assert.throws(() => readRows(whole.slice(0, length)), RangeError);
});

test("a count that the bytes cannot hold is refused before room is made for it", () => {
  const bytes = new DataView(rows(3, [{ ids: [1], columns: [] }]));
  bytes.setUint32(8, 0xffffffff, true);
  assert.throws(() => readRows(bytes.buffer), /4294967295 rows/);
});

test("a type that there is none of is refused", () => {
  const bytes = rows(3, [{ ids: [1], columns: [{ type: 1, name: "ab", values: [1] }] }]);
  new Uint8Array(bytes)[16] = 7;
  assert.throws(() => readRows(bytes), /type 7/);
});
