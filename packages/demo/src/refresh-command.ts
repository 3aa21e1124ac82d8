import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Cluster } from "@lockkeeper/cli"

const MAIN = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url))

interface Refreshed {
  readonly done: number
  /** How many keys each server has no new shares of. */
  readonly missing: Readonly<Record<string, number>>
}

/** `lockkeeper refresh`, as the operator of the server over a directory runs it. */
export async function refreshByCommand(
  { profile }: Cluster,
  directory: string,
): Promise<Refreshed> {
  const line = ["refresh", "--directory", directory, "--keys", "--json"]
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["-C", "lockkeeper-source", MAIN, ...line],
    { env: { ...process.env, LK_HOME: profile } },
  )
  const [outcome] = JSON.parse(stdout).refreshed as readonly Refreshed[]
  if (outcome === undefined) throw new Error(`lockkeeper refresh said: ${stdout}`)
  return outcome
}
