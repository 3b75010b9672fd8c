/**
 * echo: says what the SDK reads and writes; test/guests_test.exs asks. PROCESS: the row itself, value by value.
 * PHYSICS_PROCESS: how each value, and one behind the last, reads as REAL, as INTEGER and as bytes. Else: no change.
 * `process`: the bytes backwards.
 */
export { wasgo_alloc } from "../../../guest/assemblyscript/wasgo";
import {
  NO_CHANGE,
  NOTIFICATION_PHYSICS_PROCESS,
  NOTIFICATION_PROCESS,
  Row,
  RowWriter,
  Span,
  ValueType,
  span,
} from "../../../guest/assemblyscript/wasgo";

const answer = new RowWriter();

function put(row: Row, i: u32): void {
  const type = row.type(i);
  if (type == ValueType.INTEGER) answer.integer(row.integer(i));
  else if (type == ValueType.REAL) answer.real(row.real(i));
  else if (type == ValueType.TEXT) answer.text(row.text(i));
  else if (type == ValueType.BLOB) answer.blob(row.bytes(i), row.byteLength(i));
  else answer.null();
}

export function _notification(what: i32, pointer: usize, length: u32): Span {
  const row = Row.at(pointer, length);
  if (row == null) return NO_CHANGE;
  if (what == NOTIFICATION_PROCESS) {
    answer.begin(row.count);
    for (let i: u32 = 0; i < row.count; i++) put(row, i);
    return answer.end();
  }
  if (what == NOTIFICATION_PHYSICS_PROCESS) {
    answer.begin(3 * (row.count + 1));
    for (let i: u32 = 0; i <= row.count; i++) {
      answer.real(row.real(i)).integer(row.integer(i));
      const size = row.byteLength(i);
      answer.blob(size > 0 ? row.bytes(i) : 0, size);
    }
    return answer.end();
  }
  return NO_CHANGE;
}

export function process(pointer: usize, length: u32): Span {
  for (let i: u32 = 0; i < length / 2; i++) {
    const other = length - 1 - i;
    const byte = load<u8>(pointer + i);
    store<u8>(pointer + i, load<u8>(pointer + other));
    store<u8>(pointer + other, byte);
  }
  return span(pointer, length);
}
