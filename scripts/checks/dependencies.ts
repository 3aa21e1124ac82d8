import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Lockfile, missingOptional, nameOf, productionTree } from "../lockfile.ts"
import { workspacePackages } from "../workspace.ts"
import type { Check } from "./check.ts"

const page = "docs/dependencies.md"

/** `most` fails the check. `goal` is what we want; the page says why it is not reached. */
const budgets = [
  { workspace: "packages/server", goal: 45, most: 45 },
  { workspace: "packages/client", goal: 10, most: 13 },
]

/** Their prebuilt binaries are inside the package; the script would only compile them again. */
const scriptsNotNeeded = new Set(["secp256k1"])

export const dependencies: Check = {
  name: "dependencies",
  proves: `${page} is the lockfile's production tree; budgets; no install script is needed`,
  async run(root) {
    const lock: Lockfile = JSON.parse(
      readFileSync(join(root, "package-lock.json"), "utf8"),
    ).packages
    const runtime = Object.keys(lock[""]?.optionalDependencies ?? {}).map(
      (n) => `node_modules/${n}`,
    )
    const shipped = new Set(runtime)
    for (const { folder } of workspacePackages(root))
      for (const path of productionTree(lock, folder)) shipped.add(path)
    const budget = countAgainstBudgets(lock)
    return {
      problems: [
        ...comparePage(readFileSync(join(root, page), "utf8"), lock, shipped),
        ...budget.problems,
        ...inspectLock(lock, shipped),
        ...inspectSettings(readFileSync(join(root, ".npmrc"), "utf8")),
      ],
      notes: budget.notes,
    }
  },
}

interface Row {
  readonly name: string
  readonly versions: readonly string[]
  readonly brings: readonly string[]
  readonly licence: string
  readonly cells: readonly string[]
}

/** Rows of the page's tables: name, version, brings, five to eight more cells, none of them empty. */
export function readRows(text: string): Row[] {
  const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "")
  const rows: Row[] = []
  for (const line of text.split("\n")) {
    const cells = /^\| (`.+) \|$/.exec(line)?.[1]?.split(" | ")
    const name = quoted(cells?.[0] ?? "")[0]
    if (!cells || !name) continue
    const versions = (cells[1] ?? "").split(", ")
    rows.push({ name, versions, brings: quoted(cells[2] ?? ""), licence: cells[3] ?? "", cells })
  }
  return rows
}

/** What differs between the page and the packages at `shipped`, paths of the lockfile. */
export function comparePage(text: string, lock: Lockfile, shipped: ReadonlySet<string>): string[] {
  const problems: string[] = []
  const rows = readRows(text)
  const versions = new Map<string, Set<string>>()
  for (const path of shipped) {
    const known = versions.get(nameOf(path)) ?? new Set()
    versions.set(nameOf(path), known.add(lock[path]?.version ?? "?"))
  }
  const explained = new Set<string>()
  for (const row of rows) {
    explained.add(row.name)
    const locked = versions.get(row.name)
    if (!locked) problems.push(`${page}: ${row.name} is not in the production tree`)
    else if ([...locked].sort().join() !== [...row.versions].sort().join())
      problems.push(`${page}: ${row.name} is locked at ${[...locked].join(", ")}`)
    const licence = lock[[...shipped].find((path) => nameOf(path) === row.name) ?? ""]?.license
    if (locked && licence !== row.licence)
      problems.push(`${page}: ${row.name} has the licence ${licence}`)
    if (row.cells.length !== 10 || row.cells.some((cell) => cell.trim() === ""))
      problems.push(`${page}: the row of ${row.name} needs 10 cells, none empty`)
    for (const pattern of row.brings) {
      const matching = [...versions.keys()].filter((name) => matches(pattern, name))
      if (matching.length === 0) problems.push(`${page}: ${row.name} does not bring ${pattern}`)
      for (const name of matching) explained.add(name)
    }
  }
  for (const name of versions.keys())
    if (!explained.has(name)) problems.push(`${page}: no row for ${name}`)
  return problems
}

/** `@solana/*` covers a scope, `litesvm-*` the builds for each platform; else a whole name. */
const matches = (pattern: string, name: string) =>
  /[/-]\*$/.test(pattern) ? name.startsWith(pattern.slice(0, -1)) : name === pattern

function countAgainstBudgets(lock: Lockfile): { problems: string[]; notes: string[] } {
  const problems: string[] = []
  const notes: string[] = []
  for (const { workspace, goal, most } of budgets) {
    const count = productionTree(lock, workspace).size
    const missed = count > goal ? `, not met: ${page} says why` : ""
    notes.push(`${workspace}: ${count} packages, goal ${goal}${missed}`)
    if (count > most) problems.push(`${workspace} brings ${count} packages, at most ${most}`)
    if (count === 0) problems.push(`${workspace} has no production tree in the lockfile`)
  }
  return { problems, notes }
}

/** What of the lockfile would run code at installation or bind the project to one registry. */
export function inspectLock(lock: Lockfile, shipped: ReadonlySet<string>): string[] {
  const scripts = [...shipped].filter(
    (path) => lock[path]?.hasInstallScript && !scriptsNotNeeded.has(nameOf(path)),
  )
  const hosts = Object.entries(lock).filter(([, entry]) => /^https?:/.test(entry.resolved ?? ""))
  return [
    ...scripts.map((path) => `${path} has an install script that is not known to be unneeded`),
    ...hosts.map(([path]) => `package-lock.json: ${path} names a registry host`),
    ...missingOptional(lock).map(
      ({ name }) =>
        `package-lock.json lacks ${name}, so npm ci refuses it: node scripts/complete-lockfile.ts`,
    ),
  ]
}

function inspectSettings(npmrc: string): string[] {
  const set = npmrc.split("\n").includes("ignore-scripts=true")
  return set ? [] : [".npmrc must keep ignore-scripts=true"]
}
