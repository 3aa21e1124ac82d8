import { LockKeeperError } from "@lockkeeper/api"
import {
  type ChildPath,
  type ChildPathProblem,
  MAX_PATH_DEPTH,
  NO_PATH,
  parseChildPath,
} from "@lockkeeper/protocols"
import { option } from "./command.ts"

/** What a person can do about each problem of a path. */
const REMEDIES: Readonly<Record<ChildPathProblem, string>> = {
  hardened:
    "Hardened children need the whole secret key, which exists nowhere. Leave out the marks ' and " +
    "h: for example m/44/60/0/0/5.",
  "too deep": `Write at most ${MAX_PATH_DEPTH} numbers.`,
  "not a number": "Write m for the key itself, or m and numbers between slashes: m/0/5.",
  "above 2^31-1": "Write numbers from 0 to 2147483647.",
}

export const PATH_OPTION = option("--path <path>", "the key's child, as in m/0/5").default("m")

/**
 * A child's path from the command line: `m/0/5`.
 *
 * @throws LockKeeperError `invalid-request` with field `path`.
 */
export function childPathArgument(text: string): ChildPath {
  if (text === "m") return NO_PATH
  const parsed = parseChildPath(text)
  if (parsed.ok) return parsed.path
  const { problem, part } = parsed
  const where = part === text ? `The path "${text}"` : `"${part}" of the path "${text}"`
  const rootless = problem === "not a number" && part === text
  const what = rootless ? "does not begin with m" : `is ${problem}`
  throw new LockKeeperError("invalid-request", `${where} ${what}.`, {
    field: "path",
    remedy: REMEDIES[problem],
  })
}
