import { globSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Inside, Names } from "./inside.ts"

/** Modules that do something when they are loaded, or that only a browser can load. */
const PROGRAMS: readonly string[] = [
  "packages/cli/src/main.ts",
  "packages/cli/src/agent/main.ts",
  "packages/server/src/adapters/worker-compute/worker.ts",
]

/** Packages that nobody but this repository runs. */
const PRIVATE: readonly string[] = ["demo", "simulator"]

/** Whether a path is of a package that is not handed out. */
export function isPrivate(path: string): boolean {
  return PRIVATE.includes(path.split("/")[1] as string)
}

/** Paths of all source files in which a decoder may be, from the root of the tree. */
export function sourceFiles(root: string): readonly string[] {
  return globSync("packages/*/src/**/*.ts", { cwd: fileURLToPath(root) })
    .filter((path) => !isPrivate(path) && !path.includes("/gen/"))
    .sort()
}

/** Loads every module of the packages, so that whatever is in them is seen. */
export async function loadAll(root: string): Promise<void> {
  for (const path of sourceFiles(root)) {
    if (!PROGRAMS.includes(path)) await import(`${root}${path}`)
  }
}

/**
 * One top-level name of a module, exported or not.
 *
 * @throws Error when there is none: it was moved, and who reads it here has to follow.
 */
export function nameIn<T>({ modules }: Inside, path: string, name: string): T {
  const names: Names = modules.get(path) ?? {}
  if (!(name in names)) throw new Error(`there is no ${name} in ${path}`)
  return names[name] as T
}
