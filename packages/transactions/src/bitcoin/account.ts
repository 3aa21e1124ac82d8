import { DecodeError, toHex } from "@lockkeeper/encoding"
import { type BitcoinScript, bitcoinOutput } from "./address.ts"
import type { Derivation, SpentOutput } from "./psbt.ts"

/** An account, by which its own outputs are recognised. Everything in it is public. */
export interface BitcoinAccount {
  /** Of the key from which PSBTs count their paths: the first 4 bytes of its HASH160. */
  readonly fingerprint: Uint8Array
  /** From that key to the account's; none where it is the same. */
  readonly origin?: readonly number[]
  /** The key at a path below the account's, 33 bytes; null where there is none. */
  readonly childKey: (path: readonly number[]) => Uint8Array | null
  /** Paths whose outputs are the account's, whether or not a PSBT says so. */
  readonly paths?: readonly (readonly number[])[]
}

/** Whether an output is the account's: where it is, by which path; null for the signing key itself. */
export type Ownership =
  | { readonly kind: "own"; readonly path: readonly number[] | null }
  | { readonly kind: "foreign" }
  /** It says that it is, and pays another script than that path's key. */
  | { readonly kind: "false" }

/** What each scheme can spend: an output of the same key that it cannot is nobody's change. */
const SPENDABLE = {
  ecdsa: ["p2wpkh", "p2sh-p2wpkh", "p2pkh"],
  bip340: ["p2tr"],
} as const satisfies Record<string, readonly BitcoinScript[]>

/** Most keys that are derived for one PSBT. */
const MAX_DERIVED = 512
const MAX_DEPTH = 10
const FIRST_HARDENED = 0x8000_0000

/**
 * Recognises outputs of the account by deriving their keys: what a PSBT says of an output only tells
 * where to look.
 */
export class Owner {
  readonly #account: BitcoinAccount | null
  readonly #scripts: readonly BitcoinScript[]
  readonly #known = new Map<string, readonly number[] | null>()
  #derived = 0

  /** @param publicKey - the key that signs, 33 bytes or x-only. */
  constructor(
    publicKey: Uint8Array,
    scheme: keyof typeof SPENDABLE,
    account: BitcoinAccount | null,
  ) {
    this.#account = account
    this.#scripts = SPENDABLE[scheme]
    this.#add(publicKey, null)
    for (const path of account?.paths ?? []) {
      const key = account?.childKey(path) ?? null
      if (key === null) throw new RangeError("a path of the account that leads to no key")
      this.#add(key, path)
    }
  }

  /** @throws DecodeError when too many outputs want to be looked at. */
  of({ script }: SpentOutput, derivations: readonly Derivation[], at: string): Ownership {
    const known = this.#known.get(toHex(script))
    if (known !== undefined) return { kind: "own", path: known }
    let kind: "foreign" | "false" = "foreign"
    for (const derivation of derivations) {
      const path = this.#pathBelow(derivation)
      if (path === null) continue
      kind = "false"
      this.#derived += 1
      if (this.#derived > MAX_DERIVED) {
        throw new DecodeError(`more than ${MAX_DERIVED} keys of the account`, 0, at)
      }
      const key = this.#account?.childKey(path) ?? null
      if (key !== null) this.#add(key, path)
      if (this.#known.has(toHex(script))) return { kind: "own", path }
    }
    return { kind }
  }

  #add(publicKey: Uint8Array, path: readonly number[] | null): void {
    for (const kind of this.#scripts) {
      const script = toHex(bitcoinOutput(publicKey, kind).script)
      if (!this.#known.has(script)) this.#known.set(script, path)
    }
  }

  /** The part of a path that leads on from the account; null where it is of another account. */
  #pathBelow({ fingerprint, path }: Derivation): readonly number[] | null {
    if (this.#account === null) return null
    const own = new DataView(Uint8Array.from(this.#account.fingerprint).buffer).getInt32(0) >>> 0
    const { origin = [] } = this.#account
    if (fingerprint !== own || origin.some((number, i) => path[i] !== number)) return null
    const rest = path.slice(origin.length)
    const isDerivable = rest.length <= MAX_DEPTH && rest.every((n) => n < FIRST_HARDENED)
    return isDerivable ? rest : null
  }
}
