/**
 * craters: ground that things have fallen onto.
 *
 * A field for plans: `Wasgo.Gen.Field.script("craters", parameters: [spacing, depth], low: -1.7 * depth, high: 0.5 * depth)`.
 *
 *     spacing REAL   metres from crater to crater, of the large ones
 *     depth REAL     metres from the ground to the bottom of the deepest
 *
 * Each cell of a grid may have a crater, whole within the cell; two finer grids, turned against the first, have smaller ones.
 * A value hangs on its place alone, and so the ground of neighbouring chunks meets.
 */
export { wasgo_alloc } from "../assemblyscript/wasgo";
import { Row, Span } from "../assemblyscript/wasgo";
import { NOTHING, hash, places, unit } from "../assemblyscript/generate";

/** How far what was thrown out lies, in radii of the crater. */
const REACH: f64 = 1.7;
/** The rim's height as a share of the depth. */
const RIM: f64 = 0.26;
/** The share of cells that have a crater. */
const HIT: f64 = 0.75;
/** How much smaller cells and craters of the finer grids are. */
const FINE: f64 = 0.45;
const FINEST: f64 = 0.19;
/** Grids are turned so that no rows are seen: cosine and sine of 0.6 and of 1.1 radians. */
const COS_A: f64 = 0.8253356149096783;
const SIN_A: f64 = 0.5646424733950354;
const COS_B: f64 = 0.4535961214255773;
const SIN_B: f64 = 0.8912073600614354;

export function generate(seed: u64, x: i32, z: i32, lod: u32, pointer: usize, length: u32): Span {
  const row = Row.at(pointer, length);
  if (row == null || !places.read(row)) return NOTHING;
  const spacing = max(row.real(1), 1.0);
  const depth = row.real(2);
  for (let n: u32 = 0; n < places.count; n++) {
    const x = places.x(n);
    const z = places.z(n);
    const large = crater(seed, x, z, spacing);
    const small = crater(seed + 1, x * COS_A - z * SIN_A, x * SIN_A + z * COS_A, spacing * FINE);
    const least = crater(seed + 2, x * COS_B - z * SIN_B, x * SIN_B + z * COS_B, spacing * FINEST);
    places.set(n, depth * (large + small * FINE + least * FINEST));
  }
  return places.end();
}

/** The ground's height at a place where craters of depth 1 are, each in a cell. */
function crater(seed: u64, x: f64, z: f64, cell: f64): f64 {
  const column = Math.floor(x / cell);
  const row = Math.floor(z / cell);
  const luck = hash(seed, <i64>column, <i64>row);
  if (unit(luck, 0) >= HIT) return 0.0;
  // Many small ones, few large ones.
  const share = 0.3 + 0.7 * unit(luck, 1) * unit(luck, 2);
  const radius = share * cell * 0.5 / REACH;
  const room = cell - 2.0 * REACH * radius;
  const dx = x - (column * cell + REACH * radius + room * unit(luck, 3));
  const dz = z - (row * cell + REACH * radius + room * unit(luck, 4));
  const distance = Math.sqrt(dx * dx + dz * dz) / radius;
  if (distance >= REACH) return 0.0;
  return share * profile(distance);
}

/** A bowl with a flat floor up to the rim at 1, and what was thrown out behind it. */
function profile(distance: f64): f64 {
  if (distance < 1.0) {
    const wall = smooth(0.3, 1.0, distance);
    return -1.0 + wall * (1.0 + RIM);
  }
  const fall = 1.0 - (distance - 1.0) / (REACH - 1.0);
  return RIM * fall * fall * fall;
}

function smooth(low: f64, high: f64, value: f64): f64 {
  const t = min(max((value - low) / (high - low), 0.0), 1.0);
  return t * t * (3.0 - 2.0 * t);
}
