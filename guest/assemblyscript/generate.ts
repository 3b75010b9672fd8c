/**
 * generate.ts: what a script in AssemblyScript needs whose `generate` a plan calls, beside `wasgo.ts`.
 *
 * A field: the values at some places.
 *
 *     export function generate(seed: u64, x: i32, z: i32, lod: u32, pointer: usize, length: u32): Span {
 *       const row = Row.at(pointer, length);
 *       if (row == null || !places.read(row)) return NOTHING;
 *       for (let n: u32 = 0; n < places.count; n++) places.set(n, Math.sin(places.x(n)) * row.real(1));
 *       return places.end();
 *     }
 *
 * A generator: what stands in a chunk, by `chunk` and `geometry` in the same way. Value 0 of the row is what is asked; the plan's
 * parameters count from 1. Nothing here makes objects in a call.
 */
import { Row, Span, span } from "./wasgo";

/** What `generate` returns where there is nothing to make. */
export const NOTHING: Span = 0;

const ASKED_PLACES: u32 = 1;
const ASKED_CHUNK: u32 = 2;

const MOST_PLACES: u32 = 512;
const VALUES = memory.data(2048, 8);

/** The places that a field is asked for, and their values. */
@final class Places {
  count: u32 = 0;
  private at: usize = 0;

  /** Looks at what a row asks; false when it is not the values at places. */
  read(row: Row): bool {
    if (row.byteLength(0) < 8 || load<u32>(row.bytes(0)) != ASKED_PLACES) return false;
    this.count = load<u32>(row.bytes(0), 4);
    this.at = row.bytes(0) + 8;
    return this.count <= MOST_PLACES && row.byteLength(0) == 8 + 24 * this.count;
  }

  /** East, in metres of the world. */
  @inline x(n: u32): f64 {
    return load<f64>(this.at + 24 * n);
  }

  /** Up; 0 for a field in the plane. */
  @inline y(n: u32): f64 {
    return load<f64>(this.at + 24 * n, 8);
  }

  /** South. */
  @inline z(n: u32): f64 {
    return load<f64>(this.at + 24 * n, 16);
  }

  /** Sets the value at place `n`. */
  @inline set(n: u32, value: f64): void {
    store<f32>(VALUES + 4 * n, <f32>value);
  }

  /** The values' span, to return from `generate`. */
  end(): Span {
    return span(VALUES, 4 * this.count);
  }
}

/** The chunk whose content a generator is asked for. */
@final class Chunk {
  /** Samples of the ground along a side. */
  samples: u32 = 0;
  /** The corner with the least coordinates, in metres of the world. */
  x: f64 = 0;
  z: f64 = 0;
  /** Its side in metres. */
  size: f64 = 0;
  private heights: usize = 0;

  /** Looks at what a row asks; false when it is not the content of a chunk. */
  read(row: Row): bool {
    if (row.byteLength(0) < 32 || load<u32>(row.bytes(0)) != ASKED_CHUNK) return false;
    const at = row.bytes(0);
    this.samples = load<u32>(at, 4);
    this.x = load<f64>(at, 8);
    this.z = load<f64>(at, 16);
    this.size = load<f64>(at, 24);
    this.heights = at + 32;
    return this.samples >= 2 && <u64>row.byteLength(0) == 32 + 4 * <u64>this.samples * <u64>this.samples;
  }

  /** The ground's height at a sample, in metres. */
  @inline height(column: u32, row: u32): f64 {
    return <f64>load<f32>(this.heights + 4 * (row * this.samples + column));
  }

  /** The ground's height at a place in metres from the corner, on the very triangles that are drawn. */
  ground(x: f64, z: f64): f64 {
    const squares = <f64>(this.samples - 1);
    const u = min(max(x / this.size * squares, 0.0), squares);
    const v = min(max(z / this.size * squares, 0.0), squares);
    const column = min<u32>(<u32>u, this.samples - 2);
    const row = min<u32>(<u32>v, this.samples - 2);
    const right = u - <f64>column;
    const down = v - <f64>row;
    const a = this.height(column, row);
    const b = this.height(column, row + 1);
    const c = this.height(column + 1, row);
    const d = this.height(column + 1, row + 1);
    return right + down <= 1.0
      ? a + right * (c - a) + down * (b - a)
      : d + (1.0 - right) * (b - d) + (1.0 - down) * (c - d);
  }
}

/** Bytes that grow, and are used again for each call. */
@final class Bytes {
  start: usize = 0;
  length: u32 = 0;
  private capacity: u32 = 0;

  /** A place for so many more bytes. Valid until the next call. */
  more(size: u32): usize {
    const needed = this.length + size;
    if (needed > this.capacity) {
      const capacity = max<u32>(needed, max<u32>(this.capacity * 2, 4096));
      const start = heap.alloc(capacity);
      memory.copy(start, this.start, this.length);
      this.start = start;
      this.capacity = capacity;
    }
    const at = this.start + this.length;
    this.length = needed;
    return at;
  }

  append(other: Bytes): void {
    memory.copy(this.more(other.length), other.start, other.length);
  }
}

/**
 * Makes what a generator answers: `begin`, then for each mesh `mesh`, its `vertex`es and `triangle`s; `place`s at any time after the mesh
 * that they place; `end`.
 */
@final class Geometry {
  private out: Bytes = new Bytes();
  private vertices: Bytes = new Bytes();
  private indices: Bytes = new Bytes();
  private placements: Bytes = new Bytes();
  private meshes: u32 = 0;
  private red: f32 = 1;
  private green: f32 = 1;
  private blue: f32 = 1;

  begin(): void {
    this.out.length = 0;
    this.placements.length = 0;
    this.meshes = 0;
    this.out.more(16);
  }

  /** Begins a mesh; its number is the answer. Roughness and metallic are from 0 to 1; light of its own from 0 to 64. */
  mesh(roughness: f64 = 0.9, metallic: f64 = 0, red: f64 = 0, green: f64 = 0, blue: f64 = 0, bothSides: bool = false): u32 {
    this.finish();
    this.vertices.length = 0;
    this.indices.length = 0;
    const at = this.vertices.more(32);
    store<u32>(at, bothSides ? 1 : 0, 8);
    store<f32>(at, <f32>roughness, 12);
    store<f32>(at, <f32>metallic, 16);
    store<f32>(at, <f32>red, 20);
    store<f32>(at, <f32>green, 24);
    store<f32>(at, <f32>blue, 28);
    return this.meshes++;
  }

  /** The colour of vertices from now on: linear, from 0 to 1. */
  color(red: f64, green: f64, blue: f64): void {
    this.red = <f32>min(max(red, 0.0), 1.0);
    this.green = <f32>min(max(green, 0.0), 1.0);
    this.blue = <f32>min(max(blue, 0.0), 1.0);
  }

  /** Adds a vertex, in metres from the mesh's own origin; its number in the mesh is the answer. Without a normal it gets that of its triangles. */
  vertex(x: f64, y: f64, z: f64, nx: f64 = 0, ny: f64 = 0, nz: f64 = 0): u32 {
    const number = (this.vertices.length - 32) / 40;
    const at = this.vertices.more(40);
    store<f32>(at, <f32>x);
    store<f32>(at, <f32>y, 4);
    store<f32>(at, <f32>z, 8);
    store<f32>(at, <f32>nx, 12);
    store<f32>(at, <f32>ny, 16);
    store<f32>(at, <f32>nz, 20);
    store<f32>(at, this.red, 24);
    store<f32>(at, this.green, 28);
    store<f32>(at, this.blue, 32);
    store<f32>(at, 1, 36);
    return number;
  }

  /** Adds a triangle of three vertices of the mesh, counter-clockwise. */
  triangle(a: u32, b: u32, c: u32): void {
    const at = this.indices.more(12);
    store<u32>(at, a);
    store<u32>(at, b, 4);
    store<u32>(at, c, 8);
  }

  /** Puts a mesh somewhere: x and z in metres from the chunk's corner, y absolute, yaw in radians about +Y, scale from 0.001 to 1,000. */
  place(mesh: u32, x: f64, y: f64, z: f64, yaw: f64 = 0, scale: f64 = 1): void {
    const at = this.placements.more(44);
    store<u32>(at, mesh);
    store<f32>(at, <f32>x, 4);
    store<f32>(at, <f32>y, 8);
    store<f32>(at, <f32>z, 12);
    store<f32>(at, 0, 16);
    store<f32>(at, <f32>Math.sin(yaw * 0.5), 20);
    store<f32>(at, 0, 24);
    store<f32>(at, <f32>Math.cos(yaw * 0.5), 28);
    store<f32>(at, <f32>scale, 32);
    store<f32>(at, <f32>scale, 36);
    store<f32>(at, <f32>scale, 40);
  }

  /** The span of all of it, to return from `generate`. */
  end(): Span {
    this.finish();
    this.out.append(this.placements);
    const at = this.out.start;
    store<u32>(at, 0x4d475357); // "WSGM"
    store<u32>(at, 1, 4);
    store<u32>(at, this.meshes, 8);
    store<u32>(at, this.placements.length / 44, 12);
    return span(at, this.out.length);
  }

  private finish(): void {
    if (this.vertices.length == 0) return;
    store<u32>(this.vertices.start, (this.vertices.length - 32) / 40);
    store<u32>(this.vertices.start, this.indices.length / 4, 4);
    this.out.append(this.vertices);
    this.out.append(this.indices);
    this.vertices.length = 0;
    this.indices.length = 0;
  }
}

export const places = new Places();
export const chunk = new Chunk();
export const geometry = new Geometry();

/** A number for a place of a grid, the same for the same seed: where chance comes from. */
export function hash(seed: u64, x: i64, z: i64): u64 {
  let h = seed + <u64>x * 0x9e3779b97f4a7c15 + <u64>z * 0xd1b54a32d192ed03;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

/** The number `n` of a hash, from 0 to below 1. */
export function unit(hash: u64, n: u64): f64 {
  let h = hash + n * 0x9e3779b97f4a7c15;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = h ^ (h >> 31);
  return <f64>(h >> 11) * (1.0 / 9007199254740992.0);
}
