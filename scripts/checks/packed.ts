import { existsSync } from "node:fs"
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { buildPackages } from "../build.ts"
import type { WorkspacePackage } from "../workspace.ts"
import { type Check, execute } from "./check.ts"

export const packed: Check = {
  name: "packed",
  proves:
    "every published package builds, packs, and imports from an empty folder, types and threads included",
  async run(root) {
    const { built, problems } = await buildPackages(root)
    if (problems.length > 0) return { problems }
    const scratch = await realpath(await mkdtemp(join(tmpdir(), "lockkeeper-packed-")))
    try {
      for (const entry of built) problems.push(...(await unpack(root, scratch, entry)))
      if (problems.length > 0) return { problems }
      const app = await linkConsumer(scratch, built)
      const imported = built.flatMap(specifiersOf)
      // Main entry points do without any peer; the others are for applications that bring theirs.
      const main = new Set(built.map((entry) => entry.name))
      problems.push(...(await importAll(app, [...main])))
      for (const entry of built) await linkAll(root, scratch, entry, entry.peers)
      const others = imported.filter((name) => !main.has(name))
      problems.push(...(await importAll(app, others)))
      problems.push(...(await typeCheck(root, app, imported)))
      problems.push(...(await runBins(scratch, built)))
      problems.push(...(await runThread(app)))
      return { problems, notes: [`${built.length} packages, ${imported.length} entry points`] }
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  },
}

const placeOf = (scratch: string, name: string) => join(scratch, "packed", ...name.split("/"))

/**
 * Packs one package and lays it out as an installation would, with nothing beside it but links to
 * the dependencies that it declares: an import of anything undeclared finds nothing.
 */
async function unpack(root: string, scratch: string, entry: WorkspacePackage): Promise<string[]> {
  const tarballs = join(scratch, "tarballs")
  const place = placeOf(scratch, entry.name)
  await mkdir(tarballs, { recursive: true })
  await mkdir(join(place, "node_modules"), { recursive: true })
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", tarballs]
  const pack = await execute("npm", args, { cwd: join(root, entry.folder) })
  if (pack.code !== 0) return [`npm pack ${entry.name}: ${pack.stderr}`]
  const { filename, files } = packResult(pack.stdout)
  const tar = await execute(
    "tar",
    ["xzf", join(tarballs, filename), "--strip-components=1", "-C", place],
    { cwd: root },
  )
  if (tar.code !== 0) return [`${filename}: ${tar.stderr}`]
  await linkAll(root, scratch, entry, Object.keys(entry.dependencies))
  const absent = ["README.md", "LICENSE"].filter((path) => !files.includes(path))
  const stray = files
    .filter(
      (path) => !/^(bin\/.*\.js|dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/.test(path),
    )
    .map((path) => `${entry.name} would publish ${path}`)
  return [...stray, ...absent.map((path) => `${entry.name} would be published without ${path}`)]
}

/** Puts packages beside an unpacked one. */
async function linkAll(
  root: string,
  scratch: string,
  entry: WorkspacePackage,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const target = name.startsWith("@lockkeeper/")
      ? placeOf(scratch, name)
      : installed(root, entry, name)
    const link = join(placeOf(scratch, entry.name), "node_modules", ...name.split("/"))
    await mkdir(dirname(link), { recursive: true })
    await symlink(target, link)
  }
}

/** npm 10 and 11 print a list, npm 12 an object by package name. */
function packResult(json: string): { filename: string; files: string[] } {
  const parsed = JSON.parse(json.slice(json.search(/[[{]/)))
  const [result] = Array.isArray(parsed) ? parsed : Object.values<Record<string, never>>(parsed)
  return {
    filename: result.filename,
    files: result.files.map((file: { path: string }) => file.path),
  }
}

function installed(root: string, entry: WorkspacePackage, name: string): string {
  const own = join(root, entry.folder, "node_modules", name)
  return existsSync(own) ? own : join(root, "node_modules", name)
}

async function linkConsumer(scratch: string, built: readonly WorkspacePackage[]): Promise<string> {
  const app = join(scratch, "app")
  for (const entry of built) {
    const link = join(app, "node_modules", ...entry.name.split("/"))
    await mkdir(dirname(link), { recursive: true })
    await symlink(placeOf(scratch, entry.name), link)
  }
  return app
}

const specifiersOf = (entry: WorkspacePackage) =>
  entry.exports.filter((key) => key !== "./package.json").map((key) => entry.name + key.slice(1))

async function importAll(app: string, specifiers: readonly string[]): Promise<string[]> {
  const problems: string[] = []
  for (const specifier of specifiers) {
    const code = `const m = await import(${JSON.stringify(specifier)}); if (Object.keys(m).length === 0) throw new Error("it exports nothing")`
    const args = ["--input-type=module", "--eval", code]
    const { code: status, stderr } = await execute("node", args, { cwd: app, timeoutMs: 60_000 })
    if (status !== 0) problems.push(`import "${specifier}" from the packed package:\n${stderr}`)
  }
  return problems
}

/** A strict consumer without this repository's conditions sees types for every entry point. */
async function typeCheck(
  root: string,
  app: string,
  specifiers: readonly string[],
): Promise<string[]> {
  const lines = specifiers.map((name, index) => `import * as m${index} from "${name}"`)
  const uses = specifiers.map((_, index) => `m${index}`)
  await writeFile(join(app, "consumer.mts"), `${lines.join("\n")}\nexport default [${uses}]\n`)
  const types = join(root, "node_modules/@types")
  const config = {
    compilerOptions: {
      target: "ES2024",
      lib: ["ES2024", "DOM", "DOM.Iterable"],
      module: "NodeNext",
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      typeRoots: [types],
      types: ["node"],
    },
    files: ["consumer.mts"],
  }
  await writeFile(join(app, "tsconfig.json"), JSON.stringify(config))
  await writeFile(join(app, "package.json"), '{ "type": "module" }')
  const { code, stdout } = await execute("tsc", ["-p", app, "--pretty", "false"], { cwd: app })
  return code === 0 ? [] : [`a consumer's types:\n${stdout}`]
}

async function runBins(scratch: string, built: readonly WorkspacePackage[]): Promise<string[]> {
  const problems: string[] = []
  for (const entry of built) {
    for (const [name, path] of entry.bins) {
      const place = placeOf(scratch, entry.name)
      const args = [join(place, path), "--help"]
      const { code, stdout, stderr } = await execute("node", args, {
        cwd: place,
        timeoutMs: 60_000,
      })
      if (code !== 0 || !stdout.includes(name)) problems.push(`${name} --help: ${stderr}${stdout}`)
    }
  }
  return problems
}

/** A thread of the packed key server loads: it is reached by its file's name, not by an import. */
async function runThread(app: string): Promise<string[]> {
  const code = `
    const { WorkerCompute } = await import("@lockkeeper/server")
    const compute = new WorkerCompute({ threads: 1, queue: 1 })
    const error = await compute.work(new Uint8Array(1), "now").catch((error) => error)
    if (!(error instanceof Error) || error.code === "unavailable") throw error.cause ?? error`
  const args = ["--input-type=module", "--eval", code]
  const { code: status, stderr } = await execute("node", args, { cwd: app, timeoutMs: 60_000 })
  return status === 0 ? [] : [`a thread of the packed key server:\n${stderr}`]
}
