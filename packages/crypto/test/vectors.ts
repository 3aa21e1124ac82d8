import { readFileSync } from "node:fs"

/** One file of `vectors/`, whose shape its test states. */
export function readVectors<T>(path: string): T {
  const file = new URL(`../../../vectors/${path}`, import.meta.url)
  return JSON.parse(readFileSync(file, "utf8")) as T
}

/** The common frame of Wycheproof's files. */
export interface Wycheproof<Group, Case> {
  readonly numberOfTests: number
  readonly testGroups: readonly (Group & {
    readonly tests: readonly (Case & {
      readonly tcId: number
      readonly comment: string
      readonly flags: readonly string[]
      readonly result: "valid" | "invalid" | "acceptable"
    })[]
  })[]
}
