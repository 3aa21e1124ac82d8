/**
 * Builds the packages that are published: `dist/*.js` with declarations, and the licence beside.
 *
 *   npm run build
 */
import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type CommandResult, execute } from "./checks/check.ts"
import { type WorkspacePackage, workspacePackages } from "./workspace.ts"

/** Builds every published package in the order of their dependencies; stops at the first failure. */
export async function buildPackages(
  root: string,
): Promise<{ built: WorkspacePackage[]; problems: string[] }> {
  const built: WorkspacePackage[] = []
  for (const entry of workspacePackages(root).filter((candidate) => !candidate.private)) {
    const result = await buildOne(root, entry)
    if (result.code !== 0) {
      return {
        built,
        problems: [`${entry.name} does not build:\n${result.stdout}${result.stderr}`],
      }
    }
    built.push(entry)
  }
  return { built, problems: [] }
}

function buildOne(root: string, entry: WorkspacePackage): Promise<CommandResult> {
  const folder = join(root, entry.folder)
  rmSync(join(folder, "dist"), { recursive: true, force: true })
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"))
  return execute("tsc", ["-p", join(folder, "tsconfig.build.json"), "--pretty", "false"], {
    cwd: root,
  })
}

if (import.meta.main) {
  const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "")
  process.env["PATH"] = `${root}/node_modules/.bin:${process.env["PATH"] ?? ""}`
  const { built, problems } = await buildPackages(root)
  for (const entry of built) console.log(`built ${entry.name}`)
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length > 0 ? 1 : 0
}
