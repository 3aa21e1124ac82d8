import { type Codec, u8, u32 } from "@lockkeeper/encoding"

/**
 * From a key to one of its children: a number of 0 to 2^31 - 1 for each generation, none for the key
 * itself. Larger numbers are BIP32's hardened children, for which one would need the whole secret key,
 * and nobody has that.
 */
export type ChildPath = readonly number[]

export const MAX_PATH_DEPTH = 10

/** The key itself. */
export const NO_PATH: ChildPath = []

export const FIRST_HARDENED = 2 ** 31
const LAST_NUMBER = 2 ** 32 - 1

/** Why a path leads to no child of a shared key. */
export type ChildPathProblem = "hardened" | "too deep" | "not a number" | "above 2^31-1"

/** What is wrong with a number of a path, or null. */
function numberProblem(value: number): ChildPathProblem | null {
  if (!Number.isInteger(value) || value < 0 || Object.is(value, -0)) return "not a number"
  if (value < FIRST_HARDENED) return null
  // In BIP32, 2^31 + i is the hardened child i'; nothing is above those.
  return value <= LAST_NUMBER ? "hardened" : "above 2^31-1"
}

/** What is wrong with a path, or null. */
export function childPathProblem(path: ChildPath): ChildPathProblem | null {
  if (path.length > MAX_PATH_DEPTH) return "too deep"
  for (const value of path) {
    const problem = numberProblem(value)
    if (problem !== null) return problem
  }
  return null
}

/** @throws RangeError when the path leads to no child. */
export function assertChildPath(path: ChildPath): void {
  const problem = childPathProblem(path)
  if (problem !== null) throw new RangeError(`child path is ${problem}`)
}

/** Depth and numbers. Refuses deeper paths and hardened numbers, in both directions. */
export const childPathCodec: Codec<ChildPath> = {
  write(writer, path) {
    assertChildPath(path)
    u8.write(writer, path.length)
    for (const value of path) u32.write(writer, value)
  },
  read(reader) {
    const start = reader.offset
    const depth = u8.read(reader)
    if (depth > MAX_PATH_DEPTH) reader.fail("child path is too deep", start)
    const path: number[] = []
    for (let i = 0; i < depth; i++) {
      const at = reader.offset
      const value = u32.read(reader)
      if (value >= FIRST_HARDENED) reader.fail("child path is hardened", at)
      path.push(value)
    }
    return path
  },
}

/** Whether two paths lead to the same child. */
export function equalPaths(a: ChildPath, b: ChildPath): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}

/** The path as wallets write it: `m` for the key itself, `m/0/5`. @throws RangeError on no path. */
export function formatChildPath(path: ChildPath): string {
  assertChildPath(path)
  return ["m", ...path].join("/")
}

export type ParsedChildPath =
  | { readonly ok: true; readonly path: ChildPath }
  /** `part` is what the problem is with: the whole text where that is too deep or begins wrongly. */
  | { readonly ok: false; readonly problem: ChildPathProblem; readonly part: string }

/** Marks of a hardened number in use: 5', 5h and 5H. */
const HARDENED = /^(0|[1-9][0-9]*)['hH]$/
const DECIMAL = /^(0|[1-9][0-9]*)$/

function partProblem(part: string): ChildPathProblem | null {
  if (HARDENED.test(part)) return "hardened"
  if (!DECIMAL.test(part)) return "not a number"
  // Written without a mark, a number from 2^31 on is a slip and not a wish for a hardened child.
  return Number(part) < FIRST_HARDENED ? null : "above 2^31-1"
}

/** The path that `m/0/5` stands for, in the one spelling that `formatChildPath` gives it. */
export function parseChildPath(text: string): ParsedChildPath {
  const [root, ...parts] = text.split("/")
  if (root !== "m") return { ok: false, problem: "not a number", part: text }
  if (parts.length > MAX_PATH_DEPTH) return { ok: false, problem: "too deep", part: text }
  for (const part of parts) {
    const problem = partProblem(part)
    if (problem !== null) return { ok: false, problem, part }
  }
  return { ok: true, path: parts.map(Number) }
}
