// Checks all GLB files of a folder with the Khronos validator, in one process:
//   node validate.js <folder of node_modules> <folder of files>
// Prints a line of JSON for each error and warning: [file, severity, code, pointer, message]; then ["", files].
const fs = require("fs");
const path = require("path");
const [modules, folder] = process.argv.slice(2);
const validator = require(path.join(modules, "gltf-validator"));

(async () => {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".glb")).sort();
  for (const name of files) {
    const bytes = new Uint8Array(fs.readFileSync(path.join(folder, name)));
    const report = await validator.validateBytes(bytes, { maxIssues: 1000 });
    for (const { severity, code, pointer, message } of report.issues.messages) {
      const kind = ["error", "warning"][severity];
      if (kind) console.log(JSON.stringify([name, kind, code, pointer || "", message]));
    }
  }
  console.log(JSON.stringify(["", files.length]));
})();
