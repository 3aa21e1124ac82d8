import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Check } from "./check.ts"

const pages = ["docs/threat-model.md", "docs/custody.md"]

export const threatModel: Check = {
  name: "threat-model",
  proves: `every row of ${pages.join(" and ")} names tests that exist, or says "not yet"`,
  async run(root) {
    const read = (path: string): string | null => {
      try {
        return readFileSync(join(root, path), "utf8")
      } catch {
        return null
      }
    }
    const problems: string[] = []
    const notes: string[] = []
    for (const page of pages) {
      const text = read(page)
      if (text === null) problems.push(`${page} is missing`)
      else {
        const found = readMatrix(text, read, page)
        problems.push(...found.problems)
        notes.push(`${page}: ${found.tested} rows name their tests, ${found.notYet} say not yet`)
      }
    }
    return { problems, notes }
  },
}

/**
 * Reads the tables of the page. The last column of each row names its tests, as
 * `path/to/file.test.ts: "name of the test"`, several of them separated by semicolons, or `not yet`,
 * which may be followed by a reason.
 *
 * @param read - the text of a file of the tree, or null when there is none.
 */
export function readMatrix(
  text: string,
  read: (path: string) => string | null,
  page = "the page",
): { problems: string[]; tested: number; notYet: number } {
  const problems: string[] = []
  let tested = 0
  let notYet = 0
  let inTable = false
  for (const line of text.split("\n")) {
    const cells = /^\|(.+)\|\s*$/
      .exec(line)?.[1]
      ?.split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
    if (!cells) {
      inTable = false
      continue
    }
    const last = cells.at(-1) ?? ""
    // The head of a table is the row before its rule of dashes.
    if (/^[-: ]+$/.test(last)) {
      inTable = true
      continue
    }
    if (!inTable) continue
    const row = cells[0] ?? ""
    if (/^not yet\b/i.test(last)) notYet += 1
    else {
      const wrong = namedTests(last, read)
      if (wrong.length === 0) tested += 1
      problems.push(...wrong.map((why) => `${page}, row ${row}: ${why}`))
    }
  }
  if (tested + notYet === 0) problems.push(`${page} has no table`)
  return { problems, tested, notYet }
}

function namedTests(cell: string, read: (path: string) => string | null): string[] {
  const named = [...cell.matchAll(/`?([\w./-]+\.test\.ts)`?:\s*["“]([^"”]+)["”]/g)]
  if (named.length === 0)
    return [`the last column names no test and does not say "not yet": ${cell}`]
  return named.flatMap(([, path = "", name = ""]) => {
    const source = read(path)
    if (source === null) return [`${path} does not exist`]
    return source.includes(`"${name}"`) || source.includes(`\`${name}\``)
      ? []
      : [`${path} has no test "${name}"`]
  })
}
