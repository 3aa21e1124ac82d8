import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** One workspace package, as its package.json says. */
export interface WorkspacePackage {
  readonly name: string
  readonly folder: string
  readonly private: boolean
  readonly exports: readonly string[]
  readonly bins: readonly (readonly [name: string, path: string])[]
  readonly dependencies: Readonly<Record<string, string>>
  /** What an application may bring for entry points of their own. */
  readonly peers: readonly string[]
}

/** Every workspace package, each after the ones it depends on. */
export function workspacePackages(root: string): WorkspacePackage[] {
  const found = globSync("packages/*/package.json", { cwd: root }).map((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), "utf8"))
    return {
      name: manifest.name as string,
      folder: dirname(path),
      private: manifest.private === true,
      exports: Object.keys(manifest.exports ?? {}),
      bins: Object.entries<string>(manifest.bin ?? {}),
      dependencies: { ...manifest.dependencies, ...manifest.optionalDependencies },
      peers: Object.keys(manifest.peerDependencies ?? {}),
    }
  })
  const ordered: WorkspacePackage[] = []
  const waiting = new Map(found.map((entry) => [entry.name, entry]))
  while (waiting.size > 0) {
    const next = [...waiting.values()].find((entry) =>
      Object.keys(entry.dependencies).every((name) => !waiting.has(name)),
    )
    if (!next) throw new Error(`packages depend on each other: ${[...waiting.keys()].join(", ")}`)
    waiting.delete(next.name)
    ordered.push(next)
  }
  return ordered
}
