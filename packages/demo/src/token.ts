import { readFileSync } from "node:fs"
import type { Abi, Hex } from "viem"

/** A contract as its compiler left it: what is deployed, and of which source it is. */
export interface CompiledContract {
  /** Name and version. */
  readonly compiler: string
  /** SHA-256 of the source file, hexadecimal. */
  readonly sourceSha256: string
  readonly abi: Abi
  /** Creation code; the constructor's arguments follow it. */
  readonly bytecode: Hex
}

/** The ERC-20 token of contracts/Token.sol, compiled ahead; `compile-token.ts` makes it again. */
export function compiledToken(): CompiledContract {
  const file = new URL("../contracts/Token.json", import.meta.url)
  return JSON.parse(readFileSync(file, "utf8")) as CompiledContract
}
