// What the page knows of the world: pushes of the channel go in, and what differs is told to who listens. Draws nothing.

/**
 * @typedef {{id: number | string, name: string, script: string | null, mesh: {name: string, path: string} | null, glb: string | null,
 *   position: number[], rotation: number[], scale: number[], visible: boolean, moved: number}} Thing
 * rotation: Euler angles as Godot has them (Y, then X, then Z), in radians; moved: how many rows have set something of it
 */

export class World extends EventTarget {
  constructor() {
    super();
    this.identity = null;
    this.reset();
  }

  /** Forgets objects, meshes and properties: all of it comes anew. */
  reset() {
    this.rev = 0;
    /** @type {Map<number | string, Thing>} */
    this.things = new Map();
    /** @type {Map<string, any>} */
    this.properties = new Map();
    this.#tell("reset");
  }

  /** The answer to a join. */
  joined(reply) {
    if (reply.reset || reply.identity !== this.identity) this.reset();
    this.identity = reply.identity;
    this.plan = reply.plan;
    this.#tell("plan", reply.plan);
  }

  /** A push "state". */
  state({ rev, reset = false, meshes = [], objects = [], gone = [], properties = {} }) {
    if (reset) this.reset();
    for (const mesh of meshes) this.#look(mesh);
    for (const object of objects) this.#put(object);
    for (const id of gone) if (this.things.delete(id)) this.#tell("gone", id);

    for (const [name, value] of Object.entries(properties)) {
      if (value === null) this.properties.delete(name);
      else this.properties.set(name, value);
    }
    if (Object.keys(properties).length) this.#tell("properties");
    this.rev = rev;
  }

  /** Groups of rows, of readRows(). Those of objects that are not there are nothing. */
  rows(groups) {
    for (const { ids, columns } of groups) {
      ids.forEach((id, row) => {
        const thing = this.things.get(id);
        if (!thing) return;
        for (const { name, values } of columns) if (values[row] !== null) set(thing, name, values[row]);
        thing.moved++;
      });
    }
  }

  // A mesh was replaced: what shows it looks otherwise.
  #look(mesh) {
    if (mesh.path === null) return;
    for (const thing of this.things.values()) {
      if (thing.mesh?.name !== mesh.name || thing.mesh.path === mesh.path) continue;
      thing.mesh = mesh;
      this.#tell("look", thing);
    }
  }

  #put(object) {
    const { id, name, script, mesh, glb, transform, properties = {}, values = {} } = object;
    const before = this.things.get(id);
    const thing = { id, name, script, mesh, glb, ...place(transform), visible: true, moved: before?.moved ?? 0 };
    for (const [path, value] of Object.entries({ ...properties, ...values })) if (value !== null) set(thing, path, value);
    this.things.set(id, thing);
    this.#tell("thing", thing);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const AXES = { x: 0, y: 1, z: 2 };
const VECTORS = new Set(["position", "rotation", "scale"]);

/** Sets a property path of a Godot node, as far as it can be seen here: "position", "rotation:y", "visible" ... */
export function set(thing, path, value) {
  const [property, part] = path.split(":");
  if (property === "visible" && part === undefined) {
    thing.visible = Boolean(value);
  } else if (VECTORS.has(property)) {
    if (part === undefined && Array.isArray(value) && value.length === 3) thing[property] = value.map(Number);
    else if (part in AXES && Number.isFinite(Number(value))) thing[property][AXES[part]] = Number(value);
  }
}

/** Position, Euler angles and scale of 12 numbers: the three columns of the turn, then the position. */
export function place(transform) {
  if (!Array.isArray(transform) || transform.length !== 12) return { position: [0, 0, 0], rotation: [0, 0, 0], scale: [1, 1, 1] };
  const columns = [0, 3, 6].map((at) => transform.slice(at, at + 3));
  const scale = columns.map((column) => Math.hypot(...column) || 1);
  const [x, y, z] = columns.map((column, i) => column.map((number) => number / scale[i]));
  const pitch = Math.asin(Math.min(Math.max(0 - z[1], -1), 1));
  const level = Math.abs(z[1]) < 0.999999;
  const rotation = level
    ? [pitch, Math.atan2(z[0], z[2]), Math.atan2(x[1], y[1])]
    : [pitch, Math.atan2(-x[2], x[0]), 0];
  return { position: transform.slice(9), rotation, scale };
}
