import { globSync } from "node:fs"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Check, execute } from "./check.ts"

const protoFolder = "packages/api/proto"
const generatedFolder = "packages/api/src/gen"

export const generated: Check = {
  name: "generated",
  proves: "the .proto files pass buf lint and packages/api/src/gen is what they generate",
  async run(root) {
    const cwd = join(root, protoFolder)
    const lint = await execute("buf", ["lint"], { cwd })
    if (lint.code !== 0) return { problems: [lint.stdout + lint.stderr] }

    const scratch = await mkdtemp(join(tmpdir(), "lockkeeper-generated-"))
    try {
      // buf.gen.yaml writes to ../src/gen, so the same layout appears under the scratch folder.
      const made = await execute("buf", ["generate", "-o", join(scratch, "proto")], { cwd })
      if (made.code !== 0) return { problems: [made.stdout + made.stderr] }
      return { problems: await compare(join(root, generatedFolder), join(scratch, "src/gen")) }
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  },
}

async function compare(committed: string, fresh: string): Promise<string[]> {
  const problems: string[] = []
  const expected = new Set(globSync("**/*.ts", { cwd: fresh }))
  const present = new Set(globSync("**/*.ts", { cwd: committed }))
  if (expected.size === 0) problems.push("buf generated no file")
  for (const file of new Set([...expected, ...present])) {
    const name = `${generatedFolder}/${file}`
    if (!expected.has(file)) problems.push(`${name} is generated from no .proto file`)
    else if (!present.has(file)) problems.push(`${name} is missing: run npm run generate`)
    else if (
      (await readFile(join(committed, file), "utf8")) !==
      (await readFile(join(fresh, file), "utf8"))
    )
      problems.push(`${name} is out of date: run npm run generate`)
  }
  return problems
}
