// Draws the world: its ground, what stands on it, and what moves.

import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const HOME = { position: [17, 17, 40], target: [0, 5.5, 4] };
const SIGHT = 210;
// How fast what is shown follows what is known: rows come some 20 or 30 times a second, pictures more often.
const FOLLOW = 16;
// Where drawing is slow, it is drawn coarser, and then less often: half of the time is left for what comes in.
const SLOW_MS = 45;
const COARSEST = 0.6;
// A view is told to the server when it has moved so far, in metres.
const MOVED = 12;

const SKIES = {
  light: { high: 0x6fa9d8, low: 0xdfeaf0, sun: 0xfff1d8, ground: 0x6b7d5b, strength: 2.6, ambient: 1.25, sea: 0x2f7f9f, deep: 0x1d5a75 },
  dark: { high: 0x0c1426, low: 0x33415c, sun: 0xb9c8ff, ground: 0x2c3140, strength: 1.7, ambient: 1.5, sea: 0x17405a, deep: 0x0d2436 },
};

export class View extends EventTarget {
  /** @param {HTMLCanvasElement} canvas @param {HTMLElement} labels @param {import("./world.js").World} world @param {string} files where meshes are */
  constructor(canvas, labels, world, files) {
    super();
    Object.assign(this, { canvas, world, files });
    this.frames = 0;
    this.next = 0;
    this.loader = new GLTFLoader();
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(50, 1, 0.5, 1600);
    this.software = software();
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: !this.software, powerPreference: "low-power" });
    this.sharpness = Math.min(devicePixelRatio, this.software ? 1 : 2);
    this.renderer.setPixelRatio(this.sharpness);
    this.pace = { frames: 0, began: performance.now(), idle: 0 };
    this.controls = this.#controls();
    this.ground = new THREE.Group();
    this.things = new THREE.Group();
    this.scene.add(this.ground, this.things, this.camera);
    /** @type {Map<number | string, THREE.Group>} */
    this.shown = new Map();
    /** @type {Map<string, Promise<THREE.Object3D>>} by path */
    this.meshes = new Map();
    this.places = new Places(labels, this.camera);

    this.#sky();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    this.#light(scheme.matches);
    scheme.addEventListener("change", () => this.#light(scheme.matches));
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
    this.#resize();

    world.addEventListener("thing", ({ detail }) => this.#thing(detail));
    world.addEventListener("gone", ({ detail }) => this.#gone(detail));
    world.addEventListener("look", ({ detail }) => this.#dress(this.shown.get(detail.id), detail));
    world.addEventListener("properties", () => this.places.put(world.properties));
    world.addEventListener("plan", ({ detail }) => this.#sea(detail?.water_level));
    world.addEventListener("reset", () => [...this.shown.keys()].forEach((id) => this.#gone(id)));
    this.#picking();
    this.timer = new THREE.Timer();
    this.renderer.setAnimationLoop((time) => this.#frame(time));
  }

  /** What the server is to show. */
  looking() {
    const { x, y, z } = this.controls.target;
    return { position: [x, y, z].map((number) => Math.round(number * 10) / 10), radius: SIGHT };
  }

  home() {
    this.camera.position.fromArray(HOME.position);
    this.controls.target.fromArray(HOME.target);
  }

  /** A chunk's file, ready to be shown. Throws with `retryAfter` where the server is still making it. */
  async load({ path, origin, key }) {
    const answer = await fetch(this.files + path);
    if (!answer.ok) {
      const retryAfter = answer.status === 503 ? Number(answer.headers.get("retry-after")) || 1 : undefined;
      throw Object.assign(new Error(`chunk ${key}: ${answer.status}`), { retryAfter });
    }
    const { scene } = await this.loader.parseAsync(await answer.arrayBuffer(), "");
    scene.position.fromArray(origin);
    scene.traverse((node) => {
      // The sea is one sheet here, to the horizon.
      if (node.name.startsWith("water")) node.visible = false;
      if (node.isMesh) node.material = matte(node.material);
      node.matrixAutoUpdate = false;
      node.updateMatrix();
    });
    return scene;
  }

  show(_chunk, made) {
    this.ground.add(made);
  }

  hide(made) {
    made.removeFromParent();
    free(made);
  }

  #thing(thing) {
    this.#gone(thing.id, thing);
    const group = new THREE.Group();
    group.rotation.order = "YXZ";
    group.userData.id = thing.id;
    const shadow = new THREE.Mesh(SHADOW.geometry, SHADOW.material);
    shadow.position.y = 0.06;
    group.userData.shadow = shadow;
    this.things.add(group, shadow);
    this.shown.set(thing.id, group);
    this.#pose(group, thing, 1);
    this.#dress(group, thing);
  }

  async #dress(group, thing) {
    const path = thing.glb ?? thing.mesh?.path;
    if (!path) return;
    try {
      const mesh = await this.#file(path);
      if (this.shown.get(thing.id) === group) group.clear().add(mesh.clone());
    } catch (error) {
      console.warn(`what ${thing.name} looks like could not be loaded: ${error.message}`);
    }
  }

  // One file for all that look like it.
  #file(path) {
    if (!this.meshes.has(path)) {
      const loaded = this.loader.loadAsync(this.files + path).then(({ scene }) => {
        scene.traverse((node) => { if (node.isMesh) node.material = matte(node.material); });
        return scene;
      });
      loaded.catch(() => this.meshes.delete(path));
      this.meshes.set(path, loaded);
    }
    return this.meshes.get(path);
  }

  #gone(id) {
    const group = this.shown.get(id);
    if (!group) return;
    this.shown.delete(id);
    group.removeFromParent();
    group.userData.shadow.removeFromParent();
  }

  #pose(group, { position, rotation, scale, visible }, share) {
    const { shadow } = group.userData;
    group.position.lerp(V.fromArray(position), share);
    group.scale.lerp(V.fromArray(scale), share);
    group.rotation.set(...["x", "y", "z"].map((axis, i) => group.rotation[axis] + turn(rotation[i] - group.rotation[axis]) * share));
    group.visible = shadow.visible = visible;
    // Where it was put is on the ground, and what scripts do to it is mostly above.
    shadow.position.x = group.position.x;
    shadow.position.z = group.position.z;
    const ground = (group.userData.ground ??= position[1]);
    shadow.position.y = ground + 0.06;
    const height = Math.max(group.position.y - ground, 0);
    shadow.scale.setScalar(Math.max(0.5 - height * 0.06, 0.15) * Math.max(group.scale.x, 0.1));
  }

  /** How many pixels are drawn for one of the page; what is slow is set by itself. */
  sharpen(ratio) {
    this.sharpness = ratio;
    this.renderer.setPixelRatio(ratio);
    this.#resize();
  }

  // Looks at the pace of the last pictures now and then.
  #measure() {
    const { pace } = this;
    if (++pace.frames < 12) return;
    const each = (performance.now() - pace.began) / pace.frames - pace.idle;
    if (each > SLOW_MS && this.sharpness > COARSEST) this.sharpen(Math.max(this.sharpness * 0.75, COARSEST));
    else pace.idle = each > SLOW_MS ? Math.min(each, 250) : 0;
    Object.assign(pace, { frames: 0, began: performance.now() });
  }

  #frame(time) {
    if (time < this.next) return;
    this.#measure();
    this.next = performance.now() + this.pace.idle;
    this.timer.update(time);
    const delta = Math.min(this.timer.getDelta(), 0.25);
    const share = 1 - Math.exp(-FOLLOW * delta);
    for (const [id, group] of this.shown) this.#pose(group, this.world.things.get(id), share);
    this.controls.update(delta);
    if (this.controls.target.y < 0) this.controls.target.y = 0;
    this.#looked();
    this.renderer.render(this.scene, this.camera);
    this.places.draw(this.canvas.clientWidth, this.canvas.clientHeight);
    this.frames++;
  }

  #looked() {
    this.told ??= this.controls.target.clone();
    if (this.told.distanceTo(this.controls.target) < MOVED) return;
    this.told.copy(this.controls.target);
    this.dispatchEvent(new Event("look"));
  }

  #controls() {
    const controls = new OrbitControls(this.camera, this.canvas);
    Object.assign(controls, { enableDamping: true, dampingFactor: 0.09, minDistance: 6, maxDistance: 240, maxPolarAngle: 1.5, keyPanSpeed: 24, zoomToCursor: true });
    this.controls = controls;
    this.home();
    controls.listenToKeyEvents(this.canvas);
    this.canvas.addEventListener("keydown", ({ key }) => {
      const from = this.camera.position.clone().sub(controls.target);
      if (key === "+" || key === "=") from.multiplyScalar(0.85);
      else if (key === "-") from.multiplyScalar(1.18);
      else if (key === "q") from.applyAxisAngle(UP, 0.12);
      else if (key === "e") from.applyAxisAngle(UP, -0.12);
      else if (key === "Home") return this.home();
      else return;
      this.camera.position.copy(controls.target).add(from.clampLength(controls.minDistance, controls.maxDistance));
    });
    return controls;
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (!width || !height) return;
    this.camera.aspect = width / height;
    this.camera.fov = width < height ? 62 : 50;
    this.camera.updateProjectionMatrix();
    this.renderer.setSize(width, height, false);
  }

  #sky() {
    this.hemisphere = new THREE.HemisphereLight();
    this.sun = new THREE.DirectionalLight();
    this.sun.position.set(60, 90, 30);
    this.dome = new THREE.Mesh(
      new THREE.SphereGeometry(1200, 24, 12),
      new THREE.ShaderMaterial({
        side: THREE.BackSide, depthWrite: false, fog: false,
        uniforms: { high: { value: new THREE.Color() }, low: { value: new THREE.Color() } },
        vertexShader: "varying float h; void main() { h = normalize(position).y; gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0); }",
        fragmentShader: "uniform vec3 high; uniform vec3 low; varying float h; void main() { gl_FragColor = vec4(mix(low, high, smoothstep(0.0, 0.45, h)), 1.0); \n#include <colorspace_fragment>\n }",
      }),
    );
    this.sea = new THREE.Mesh(sheet(), new THREE.MeshStandardMaterial({ transparent: true, opacity: 0.78, roughness: 0.35, metalness: 0.1, depthWrite: false }));
    this.deep = new THREE.Mesh(sheet(), new THREE.MeshBasicMaterial());
    this.sea.visible = this.deep.visible = false;
    this.scene.fog = new THREE.Fog(0, 180, 900);
    this.scene.add(this.dome, this.hemisphere, this.sun, this.sea, this.deep);
  }

  #light(dark) {
    const sky = SKIES[dark ? "dark" : "light"];
    this.dome.material.uniforms.high.value.setHex(sky.high);
    this.dome.material.uniforms.low.value.setHex(sky.low);
    this.scene.fog.color.setHex(sky.low);
    this.hemisphere.color.setHex(sky.low);
    this.hemisphere.groundColor.setHex(sky.ground);
    this.hemisphere.intensity = sky.ambient;
    this.sun.color.setHex(sky.sun);
    this.sun.intensity = sky.strength;
    this.sea.material.color.setHex(sky.sea);
    this.deep.material.color.setHex(sky.deep);
  }

  #sea(level) {
    this.sea.visible = this.deep.visible = typeof level === "number";
    if (!this.sea.visible) return;
    this.sea.position.y = level;
    this.deep.position.y = level - 13.2;
  }

  // A click, not a drag.
  #picking() {
    let down;
    this.canvas.addEventListener("pointerdown", ({ clientX, clientY }) => { down = [clientX, clientY]; });
    this.canvas.addEventListener("pointerup", ({ clientX, clientY }) => {
      if (!down || Math.hypot(clientX - down[0], clientY - down[1]) > 4) return;
      const box = this.canvas.getBoundingClientRect();
      const at = new THREE.Vector2(((clientX - box.left) / box.width) * 2 - 1, 1 - ((clientY - box.top) / box.height) * 2);
      const ray = new THREE.Raycaster();
      ray.setFromCamera(at, this.camera);
      const [hit] = ray.intersectObjects([...this.shown.values()]);
      if (!hit) return;
      let node = hit.object;
      while (node.userData.id === undefined) node = node.parent;
      this.dispatchEvent(new CustomEvent("pick", { detail: this.world.things.get(node.userData.id) }));
    });
  }
}

// Names of places over the land: the highest ones, as far as they leave each other room.
class Places {
  constructor(element, camera) {
    Object.assign(this, { element, camera, places: [], room: 96, taken: { width: 0, height: 0 } });
    // The upper left corner is the heading's.
    const heading = element.parentElement.querySelector("header");
    new ResizeObserver(() => {
      this.taken = { width: heading.offsetLeft + heading.offsetWidth, height: heading.offsetTop + heading.offsetHeight };
    }).observe(heading);
  }

  put(properties) {
    const named = [...properties].filter(([name, value]) => name.startsWith("place ") && Array.isArray(value));
    this.places = named.map(([key, [name, x, y, z, trees]]) => ({ key, name, trees, at: new THREE.Vector3(x, y + 4, z) })).sort((a, b) => b.at.y - a.at.y);
    this.element.replaceChildren(...this.places.map((place) => {
      place.label = document.createElement("span");
      place.label.textContent = place.name;
      return place.label;
    }));
  }

  draw(width, height) {
    const taken = [];
    for (const { at, label } of this.places) {
      const seen = V.copy(at).project(this.camera);
      const x = ((seen.x + 1) / 2) * width;
      const y = ((1 - seen.y) / 2) * height;
      const far = this.camera.position.distanceTo(at);
      const fits = seen.z < 1 && x > 70 && x < width - 70 && y > 24 && y < height - 20 && far > 45
        && !(x < this.taken.width + 70 && y < this.taken.height + 24)
        && taken.every(([tx, ty]) => Math.abs(tx - x) > this.room * 1.6 || Math.abs(ty - y) > 34);
      label.style.opacity = fits ? Math.max(1 - far / 500, 0.6) : 0;
      if (!fits) continue;
      taken.push([x, y]);
      label.style.transform = `translate(-50%, -100%) translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    }
  }
}

const V = new THREE.Vector3();
const UP = new THREE.Vector3(0, 1, 0);

const SHADOW = {
  geometry: new THREE.CircleGeometry(1, 20).rotateX(-Math.PI / 2),
  material: new THREE.MeshBasicMaterial({ color: 0, transparent: true, opacity: 0.26, depthWrite: false }),
};

const sheet = () => new THREE.PlaneGeometry(3000, 3000).rotateX(-Math.PI / 2);

// The shorter way round.
const turn = (angle) => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));

// Whether there is no graphics processor to draw with.
function software() {
  const probe = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  probe?.getExtension("WEBGL_lose_context")?.loseContext();
  return !probe;
}

// Colours are those of the vertices; nothing here shines.
function matte(material) {
  material.metalness = 0;
  material.roughness = Math.max(material.roughness ?? 1, 0.85);
  return material;
}

function free(root) {
  root.traverse((node) => {
    node.geometry?.dispose();
    for (const material of [node.material ?? []].flat()) material.dispose();
  });
}
