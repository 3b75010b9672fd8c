// Bundles the page into ../priv/static/assets: `npm run build [-- --minify | --watch]`.

import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, "../priv/static/assets");
const [minify, watch] = ["--minify", "--watch"].map((flag) => process.argv.includes(flag));

const settings = {
  absWorkingDir: here,
  entryPoints: { app: "js/app.js", compiler: "js/compile/worker.js", style: "css/style.css" },
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify,
  sourcemap: !minify && "linked",
  // The scripts' SDK is text that the compiler is given.
  loader: { ".ts": "text" },
  // The compilers ask for these where they run in node.
  external: ["node:*", "fs", "path", "crypto", "module", "url"],
  logLevel: "warning",
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await copyFile(join(here, "favicon.svg"), join(out, "../favicon.svg"));

if (watch) {
  await (await esbuild.context(settings)).watch();
} else {
  await esbuild.build(settings);
  // The compilers are large: packed once here, and not for each visitor.
  for (const name of await readdir(out)) {
    if (!/\.(js|css)$/.test(name)) continue;
    const file = join(out, name);
    await writeFile(`${file}.gz`, await promisify(gzip)(await readFile(file), { level: 9 }));
    if (name === "app.js" || name === "compiler.js") console.log(`${name}: ${(await stat(file)).size} bytes, ${(await stat(`${file}.gz`)).size} packed`);
  }
}
