import { type Check, execute, tool } from "./check.ts"

export const types: Check = {
  name: "types",
  proves: "the TypeScript compiler accepts every source, test, script and bench file",
  run: (root) => tool(root, "tsc", ["-p", ".", "--pretty", "false"]),
}

export const lint: Check = {
  name: "lint",
  proves: "format and lint; no clock, randomness, I/O or console in a pure package",
  run: (root) => tool(root, "biome", ["check", "--error-on-warnings", "--max-diagnostics=50", "."]),
}

export const layers: Check = {
  name: "layers",
  proves: "each package imports only what its row in docs/architecture.md allows; no cycles",
  async run(root) {
    const args = ["--config", ".dependency-cruiser.mjs", "--output-type", "err-long", "packages"]
    const { code, stdout, stderr } = await execute("depcruise", args, { cwd: root })
    const count = /\((\d+) modules, (\d+) dependencies cruised\)/.exec(stdout)
    if (code !== 0) return { problems: [stdout + stderr] }
    // Without a parser for TypeScript the tool finds no module, and no violation either.
    if (!count || Number(count[1]) < 20)
      return { problems: [`too few modules were read: ${stdout}`] }
    return { problems: [], notes: [`${count[1]} modules, ${count[2]} imports`] }
  },
}

export const unused: Check = {
  name: "unused",
  proves: "no unused file, export or dependency, and no undeclared dependency",
  run: (root) => tool(root, "knip", ["--no-progress"]),
}
