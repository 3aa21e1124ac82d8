import { globSync } from "node:fs"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type Check, execute } from "./check.ts"

const scratchFolder = ".lockkeeper/docs-examples"

/** A fenced block of a page whose first line is ```ts run, or ```ts check (types only). */
export interface Example {
  readonly page: string
  readonly line: number
  readonly run: boolean
  readonly code: string
}

export const examples: Check = {
  name: "examples",
  proves:
    "TypeScript blocks marked `ts run` in README and docs compile and run; `ts check` compile",
  async run(root) {
    const pages = globSync(["*.md", "docs/**/*.md", "packages/*/**/*.md"], {
      cwd: root,
      exclude: (path) => path.includes("node_modules"),
    }).sort()
    const found: Example[] = []
    for (const page of pages) found.push(...extract(page, await readFile(join(root, page), "utf8")))
    if (found.length === 0) return { problems: [], notes: ["no page has a marked example yet"] }

    const folder = join(root, scratchFolder, String(process.pid))
    await mkdir(folder, { recursive: true })
    try {
      const files = await Promise.all(found.map((example) => place(folder, example)))
      const problems = await typeCheck(root, folder, found, files)
      for (const [index, example] of found.entries()) {
        if (example.run) problems.push(...(await runExample(folder, example, files[index] ?? "")))
      }
      const ran = found.filter((example) => example.run).length
      return { problems, notes: [`${found.length} examples, ${ran} of them run`] }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** The marked blocks of one page. */
export function extract(page: string, text: string): Example[] {
  const found: Example[] = []
  const lines = text.split("\n")
  for (let index = 0; index < lines.length; index += 1) {
    const mark = /^```ts (run|check)\s*$/.exec(lines[index] ?? "")
    if (!mark) continue
    const end = lines.indexOf("```", index + 1)
    if (end < 0) throw new Error(`${page}:${index + 1}: the block has no end`)
    const code = `${lines.slice(index + 1, end).join("\n")}\n`
    found.push({ page, line: index + 1, run: mark[1] === "run", code })
    index = end
  }
  return found
}

async function place(folder: string, example: Example): Promise<string> {
  const file = `${example.page.replaceAll(/[^\w]+/g, "-")}-${example.line}.ts`
  // `export {}` makes a module of an example that imports nothing.
  await writeFile(join(folder, file), `${example.code}export {}\n`)
  return file
}

async function typeCheck(
  root: string,
  folder: string,
  found: readonly Example[],
  files: readonly string[],
): Promise<string[]> {
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { noUnusedLocals: false },
    include: files,
  }
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config))
  const { code, stdout } = await execute("tsc", ["-p", folder, "--pretty", "false"], {
    cwd: folder,
  })
  if (code === 0) return []
  const named = stdout.replaceAll(/^(\S+\.ts)\((\d+),/gm, (whole, file: string, line: string) => {
    const example = found[files.indexOf(file)]
    return example ? `${example.page}(${example.line + Number(line)},` : whole
  })
  return [named]
}

async function runExample(folder: string, example: Example, file: string): Promise<string[]> {
  const args = ["-C", "lockkeeper-source", file]
  const { code, stdout, stderr } = await execute("node", args, { cwd: folder, timeoutMs: 120_000 })
  return code === 0 ? [] : [`${example.page}:${example.line} exits ${code}:\n${stdout}${stderr}`]
}
