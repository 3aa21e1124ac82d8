import { readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type Check, execute } from "./check.ts"

const LINES_EXPLAINED = 400
const LINES_MOST = 600
const EMPTY_NAMES = /^(utils?|helpers?|commons?|misc|managers?|services?)$/

export const shape: Check = {
  name: "shape",
  proves: "file lengths, names that say what a thing is, TODO(#n) only, no test left out",
  async run(root) {
    // Tracked files and new ones that are not ignored.
    const listed = await execute("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root })
    if (listed.code !== 0) return { problems: [listed.stderr] }
    const problems: string[] = []
    const notes: string[] = []
    for (const path of listed.stdout.split("\n").filter(Boolean)) {
      const name = emptyName(path)
      if (name) problems.push(name)
      if (!/\.(ts|tsx|mjs)$/.test(path) || path.startsWith("packages/api/src/gen/")) continue
      const text = readIfPresent(join(root, path))
      if (text === null) continue
      const found = inspect(path, text)
      problems.push(...found.problems)
      notes.push(...found.notes)
    }
    return { problems, notes }
  },
}

/** A path whose folder or file name says nothing about what it holds, as a problem; else null. */
export function emptyName(path: string): string | null {
  const parts = path.split("/")
  const stem = basename(path).replace(/(\.test)?\.[a-z]+$/, "")
  const empty = [...parts.slice(0, -1), stem].find((part) => EMPTY_NAMES.test(part))
  return empty ? `${path}: "${empty}" names nothing; name it for what it is` : null
}

/** What of one source file breaks the house rules. */
export function inspect(path: string, text: string): { problems: string[]; notes: string[] } {
  const problems: string[] = []
  const notes: string[] = []
  const lines = text.split("\n")
  const count = lines.length - (lines.at(-1) === "" ? 1 : 0)
  if (count > LINES_MOST) problems.push(`${path}: ${count} lines, at most ${LINES_MOST}`)
  else if (count > LINES_EXPLAINED) notes.push(`${path}: ${count} lines`)
  lines.forEach((line, index) => {
    if (/\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(line) && !path.endsWith("shape.ts"))
      problems.push(`${path}:${index + 1}: a TODO names its issue, as TODO(#12)`)
  })
  return { problems, notes }
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}
