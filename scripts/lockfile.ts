/** One entry of package-lock.json: a package at one place under node_modules, or a workspace. */
export interface LockedPackage {
  readonly version?: string
  readonly license?: string
  readonly link?: boolean
  readonly resolved?: string
  readonly optional?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

export type Lockfile = Readonly<Record<string, LockedPackage>>

/** The name of the package at a path of the lockfile: what follows the last node_modules. */
export const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + 13)

/**
 * Everything that an installation of one workspace package brings, as paths of the lockfile without
 * the workspaces themselves. Optional packages of other platforms count: they are shipped there.
 */
export function productionTree(lock: Lockfile, workspace: string): Set<string> {
  const seen = new Set<string>()
  const waiting = [workspace]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    for (const name of dependenciesOf(lock[path] ?? {})) {
      const found = resolve(lock, path, name)
      if (found !== null) waiting.push(found)
    }
  }
  return new Set([...seen].filter((path) => path.includes("node_modules/")))
}

function dependenciesOf(entry: LockedPackage): string[] {
  const peers = Object.keys(entry.peerDependencies ?? {}).filter(
    (name) => !entry.peerDependenciesMeta?.[name]?.optional,
  )
  return [
    ...Object.keys(entry.dependencies ?? {}),
    ...Object.keys(entry.optionalDependencies ?? {}),
    ...peers,
  ]
}

/** Node's own search: the nearest node_modules on the way up; a link leads to its workspace. */
function resolve(lock: Lockfile, from: string, name: string): string | null {
  const segments = from.split("/")
  for (let length = segments.length; length >= 0; length -= 1) {
    const path = [...segments.slice(0, length), "node_modules", name].join("/")
    const entry = lock[path]
    if (entry) return entry.link ? (entry.resolved ?? path) : path
  }
  return null
}

/** Optional packages that an entry asks for and the lockfile lacks: `npm ci` refuses such a lockfile. */
export function missingOptional(lock: Lockfile): { name: string; version: string; dev: boolean }[] {
  const missing = new Map<string, { name: string; version: string; dev: boolean }>()
  for (const [path, entry] of Object.entries(lock)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (resolve(lock, path, name) !== null) continue
      missing.set(name, { name, version, dev: entry.dev === true })
    }
  }
  return [...missing.values()]
}
