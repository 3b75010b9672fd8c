/**
 * wasgo.ts: what a Wasgo script in AssemblyScript needs.
 *
 * It gives a script the exported `wasgo_alloc`, `Row` to read, `RowWriter` to answer, the `Instance` record of an
 * instance table, and spans. `guest/README.md` is the contract behind it. In a script:
 *
 *     export { wasgo_alloc } from "./wasgo";
 *     import { Row, RowWriter, columns } from "./wasgo";
 *
 * Memory: the runtime that scripts are built with (`--runtime stub`) never frees, so a script must not make objects or
 * strings in every call. Nothing here does, but for `Row.text`: input and output have one buffer each, which is used
 * again and again and grows only when a larger row or table than ever before comes along.
 *
 * For sine, cosine and the like use AssemblyScript's `Math`: it is compiled into the script, so it gives the same bits
 * on every machine.
 */

/** Where a result lies: pointer in the upper half, length in the lower. */
export type Span = u64;

/** What `_notification` returns when nothing is to change. */
export const NO_CHANGE: Span = 0;

/** Notifications of a Godot node that scripts meet most; the full list is in Godot's class reference. */
export const NOTIFICATION_READY: i32 = 13;
export const NOTIFICATION_PHYSICS_PROCESS: i32 = 16;
export const NOTIFICATION_PROCESS: i32 = 17;
/** The first number that is the world's own. */
export const NOTIFICATION_WORLD: i32 = 10000;

/** Types of a value: SQLite's numbers. */
export namespace ValueType {
  export const INTEGER: u32 = 1;
  export const REAL: u32 = 2;
  export const TEXT: u32 = 3;
  export const BLOB: u32 = 4;
  export const NULL: u32 = 5;
}

const HEADER: u32 = 8;
const VALUE: u32 = 16;

/** Larger inputs get 0 from `wasgo_alloc`, and outputs trap: the host's own limit for a result, 16 MiB. */
const LARGEST_BUFFER: u32 = 16 << 20;

/** A place in memory that is used again for each call; replaced by one at least twice as large when it gets too small. */
@final class Buffer {
  start: usize = 0;
  capacity: u32 = 0;

  /** The place, with room for `size` bytes of which the first `kept` are as before; `size` at most LARGEST_BUFFER. */
  reserve(size: u32, kept: u32): usize {
    if (size > this.capacity || this.start == 0) {
      const capacity = max<u32>(max<u32>(size, this.capacity * 2), 256);
      const start = heap.alloc(capacity);
      if (kept > 0) memory.copy(start, this.start, kept);
      this.start = start;
      this.capacity = capacity;
    }
    return this.start;
  }
}

const input = new Buffer();
const output = new Buffer();

/** The host's: where the next input goes, or 0 when it is too large. */
export function wasgo_alloc(size: u32): usize {
  return size > LARGEST_BUFFER ? 0 : input.reserve(size, 0);
}

/** The span of `length` bytes at `pointer`. */
@inline export function span(pointer: usize, length: u32): Span {
  return ((<u64>pointer) << 32) | length;
}

/** What `_columns` returns, from names with commas between them. */
export function columns(names: string): Span {
  const length = <u32>String.UTF8.byteLength(names);
  const start = output.reserve(length, 0);
  String.UTF8.encodeUnsafe(changetype<usize>(names), names.length, start);
  return span(start, length);
}

/**
 * A row, read where it lies. A value that the row does not have, or of another type, reads as 0, and as no bytes.
 */
@unmanaged @final export class Row {
  readonly count: u32;
  readonly size: u32;

  /** The row at `pointer`, or null when header and values do not fit into `length` bytes. */
  static at(pointer: usize, length: u32): Row | null {
    if (length < HEADER) return null;
    const row = changetype<Row>(pointer);
    const fits = row.size <= length && row.size >= HEADER && row.count <= (row.size - HEADER) / VALUE;
    return fits ? row : null;
  }

  @inline private place(i: u32): usize {
    return changetype<usize>(this) + HEADER + i * VALUE;
  }

  /** The type of value `i`, of `ValueType`. */
  type(i: u32): u32 {
    return i < this.count ? load<u32>(this.place(i)) : ValueType.NULL;
  }

  /** Value `i` as a number; an INTEGER is converted (a database may store 2.0 as 2). */
  real(i: u32): f64 {
    const type = this.type(i);
    if (type == ValueType.REAL) return load<f64>(this.place(i), 8);
    if (type == ValueType.INTEGER) return <f64>load<i64>(this.place(i), 8);
    return 0;
  }

  /** Value `i`, an INTEGER. */
  integer(i: u32): i64 {
    return this.type(i) == ValueType.INTEGER ? load<i64>(this.place(i), 8) : 0;
  }

  /** How many bytes value `i`, a TEXT or BLOB, has. */
  byteLength(i: u32): u32 {
    const type = this.type(i);
    if (type != ValueType.TEXT && type != ValueType.BLOB) return 0;
    const length = load<u32>(this.place(i), 4);
    const offset = load<u64>(this.place(i), 8);
    return offset <= this.size && length <= this.size - <u32>offset ? length : 0;
  }

  /** Where the bytes of value `i` are; valid until the next call. Look at `byteLength` first. */
  bytes(i: u32): usize {
    return changetype<usize>(this) + <usize>load<u64>(this.place(i), 8);
  }

  /** Value `i`, a TEXT, as a string. It makes a new one: see the note on memory above. */
  text(i: u32): string {
    const length = this.byteLength(i);
    return length > 0 ? String.UTF8.decodeUnsafe(this.bytes(i), length) : "";
  }
}

/**
 * Writes rows: `begin`, one call for each value in order, `end`. Make one for the whole script, outside of functions.
 * A row that is not filled exactly, or larger than the host takes, traps.
 */
@final export class RowWriter {
  private count: u32 = 0;
  private filled: u32 = 0;
  private size: u32 = 0;

  begin(count: u32): this {
    if (count > (LARGEST_BUFFER - HEADER) / VALUE) unreachable();
    this.count = count;
    this.filled = 0;
    this.size = HEADER + count * VALUE;
    output.reserve(this.size, 0);
    return this;
  }

  integer(value: i64): this {
    store<i64>(this.next(ValueType.INTEGER, 0), value, 8);
    return this;
  }

  real(value: f64): this {
    store<f64>(this.next(ValueType.REAL, 0), value, 8);
    return this;
  }

  null(): this {
    store<u64>(this.next(ValueType.NULL, 0), 0, 8);
    return this;
  }

  text(value: string): this {
    const length = <u32>String.UTF8.byteLength(value);
    const start = this.reserve(ValueType.TEXT, length);
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, start);
    return this;
  }

  blob(pointer: usize, length: u32): this {
    const start = this.reserve(ValueType.BLOB, length);
    memory.copy(start, pointer, length);
    return this;
  }

  /** The finished row's span, to return from `_notification`. */
  end(): Span {
    if (this.filled != this.count) unreachable();
    store<u32>(output.start, this.count);
    store<u32>(output.start, this.size, 4);
    return span(output.start, this.size);
  }

  private next(type: u32, length: u32): usize {
    if (this.filled >= this.count) unreachable();
    const place = output.start + HEADER + this.filled++ * VALUE;
    store<u32>(place, type);
    store<u32>(place, length, 4);
    return place;
  }

  /** Room for the bytes of a TEXT or BLOB behind what the row has so far; its value is written too. */
  private reserve(type: u32, length: u32): usize {
    const offset = this.size;
    if (length > LARGEST_BUFFER - offset) unreachable();
    this.size += length;
    output.reserve(this.size, offset);
    store<u64>(this.next(type, length), offset, 8);
    return output.start + offset;
  }
}

/** One scattered thing of a chunk: a record of an instance table. */
@unmanaged @final export class Instance {
  /** Bytes from one record to the next. */
  static readonly SIZE: u32 = 32;

  /** Index into the plan's list of meshes. */
  kind: u32;
  /** Metres; x and z from the chunk's corner, y absolute. */
  x: f32;
  y: f32;
  z: f32;
  /** Radians about +Y. */
  yaw: f32;
  /** More than 0, at most 100. */
  scale: f32;
  /** Of the ground below: 0 flat .. 1 vertical, 1 - normal.y. */
  slope: f32;
  /** Of the ground below: 0 dry .. 1 wet. */
  moisture: f32;

  /** Record `i` of the table at `pointer`. It can be changed in place, and the table be returned. */
  @inline static at(pointer: usize, i: u32): Instance {
    return changetype<Instance>(pointer + i * Instance.SIZE);
  }
}
