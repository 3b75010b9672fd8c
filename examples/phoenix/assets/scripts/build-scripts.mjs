// Compiles the scripts that the island begins with, ../priv/scripts/*.ts, with their source maps inside: `npm run scripts`.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const scripts = join(here, "../../priv/scripts");

// The page's own compiler, with the SDK in it as text.
const { outputFiles } = await esbuild.build({
  entryPoints: [join(here, "../js/compile/assemblyscript.js")],
  bundle: true, write: false, format: "esm", platform: "node", loader: { ".ts": "text" }, logLevel: "warning",
  external: ["assemblyscript/asc"],
});
const bundle = join(here, "../node_modules/.wasgo-compiler.mjs");
await writeFile(bundle, outputFiles[0].contents);
const { compile } = await import(bundle);

for (const file of (await readdir(scripts)).filter((name) => name.endsWith(".ts"))) {
  const result = await compile(file, await readFile(join(scripts, file), "utf8"));
  for (const { line, message } of result.problems) console.error(`${file}:${line}: ${message}`);
  if (!result.ok) process.exit(1);
  const wasm = withMap(result.wasm, result.sourceMap);
  await writeFile(join(scripts, file.replace(/\.ts$/, ".wasm")), wasm);
  console.log(`${file}: ${wasm.length} bytes`);
}

// asc names the map's file in a custom section of that name; here the map itself takes its place.
function withMap(wasm, map) {
  const url = new TextEncoder().encode(`data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}`);
  const name = new TextEncoder().encode("sourceMappingURL");
  const body = [...leb(name.length), ...name, ...leb(url.length), ...url];
  return Buffer.concat([strip(wasm, "sourceMappingURL"), Buffer.from([0, ...leb(body.length), ...body])]);
}

function strip(wasm, unwanted) {
  const kept = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length; ) {
    const [size, start] = read(wasm, at + 1);
    const [length, name] = wasm[at] === 0 ? read(wasm, start) : [0, start];
    const called = wasm[at] === 0 ? Buffer.from(wasm.subarray(name, name + length)).toString() : "";
    if (called !== unwanted) kept.push(wasm.subarray(at, start + size));
    at = start + size;
  }
  return Buffer.concat(kept);
}

function leb(value) {
  const bytes = [];
  do { bytes.push((value & 127) | (value > 127 ? 128 : 0)); value >>>= 7; } while (value);
  return bytes;
}

function read(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}
