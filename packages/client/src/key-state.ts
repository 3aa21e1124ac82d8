import { type KeyState, keyListing, LockKeeperError, showKeyBody } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { askAll, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import type { Principal } from "./principal.ts"

/** How an owner changes a key's state. */
export type KeyStateChange = "suspend" | "resume" | "deactivate"

const STATE_AFTER = {
  suspend: "suspended",
  resume: "active",
  deactivate: "deactivated",
} as const satisfies Readonly<Record<KeyStateChange, KeyState>>

/** What became of a key's state, server by server: each holder keeps it for itself. */
export interface KeyStateChanged {
  readonly keyId: Bytes
  readonly state: KeyState
  /** Holders at which the key is in that state now. */
  readonly servers: readonly Identifier[]
  /** Holders that said nothing, or no. Ask again when they are back. */
  readonly missing: readonly Identifier[]
  /**
   * How many holders it takes: so many that the rest cannot sign without them, or, for `resume`, that
   * can sign.
   */
  readonly needed: number
  /** Whether so many have done it. */
  readonly effective: boolean
}

/**
 * Changes a key's state at every holder that answers.
 *
 * @throws LockKeeperError when none has done it: the holders' refusal, or that they cannot be reached.
 */
export async function changeKeyState(
  principal: Principal,
  { keyId, holders, minSigners }: KeyInfo,
  change: KeyStateChange,
  { signal, incidents }: { readonly signal: AbortSignal; readonly incidents: IncidentLog },
): Promise<KeyStateChanged> {
  const state = STATE_AFTER[change]
  const { servers } = principal
  const request = principal.request(`keys.${change}`, holders, encode(showKeyBody, { keyId }))
  const { answers, failures } = await askAll(servers, holders, async (server) => {
    const { output } = await principal.act(server, request, 1, new Uint8Array(0), signal)
    if (!says(output, keyId, state)) throw untold(server)
  })
  for (const [server, error] of failures) incidents.failed(server, error)
  const needed = change === "resume" ? minSigners : holders.length - minSigners + 1
  if (answers.size === 0) throw notEnough(needed, 0, failures)
  const done = holders.filter((server) => answers.has(server))
  const missing = holders.filter((server) => !answers.has(server))
  return { keyId, state, servers: done, missing, needed, effective: done.length >= needed }
}

function says(output: Bytes, keyId: Bytes, state: KeyState): boolean {
  try {
    const listing = decode(keyListing, output)
    return equalBytes(listing.keyId, keyId) && listing.state === state
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}

function untold(server: Identifier): LockKeeperError {
  return new LockKeeperError("untrusted-server", "The server did not say that it did so.", {
    server,
    remedy: "Ask again, and look at the key with `keys show`.",
  })
}
