import { fewestSigners, keyListing, LockKeeperError, showKeyBody } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import { readAnswer } from "./answers.ts"
import { gather } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { type KeyInfo, openListing } from "./key-info.ts"
import { GENERATION_PAUSE_MS, MAX_GENERATIONS_TRIED } from "./limits.ts"
import type { Principal } from "./principal.ts"

// A refresh gives a key new shares, one server after the other, and leaves the key as it is; a reshare
// gives them to other servers. Shares of two generations never work together, so whoever signs has to
// know which one servers hold.

type OtherGeneration = LockKeeperError & { readonly code: "conflict"; readonly field: "keyEpoch" }

/** Whether a server refuses because it holds another generation of the key's shares than was named. */
export function isOtherGeneration(error: unknown): error is OtherGeneration {
  return error instanceof LockKeeperError && error.code === "conflict" && error.field === "keyEpoch"
}

/**
 * Whether a server refuses because it holds other shares of the key than were named, or none yet of a key
 * that moves to it: as one that joins and has confirmed and not activated. Nobody is at fault.
 */
export function isElsewhere(
  { servers }: Principal,
  { certificate }: Pick<KeyInfo, "certificate">,
  error: unknown,
): boolean {
  if (isOtherGeneration(error)) return true
  const isMoved = certificate.public.keyEpoch > sharing.FIRST_KEY_EPOCH
  const isLacking = error instanceof LockKeeperError && error.code === "not-found"
  return servers.trust.roster.transition !== null && isMoved && isLacking
}

/** Names the shares of one generation of one key: what is kept for them is of no use for others. */
export function sharesOf({ certificate }: Pick<KeyInfo, "certificate">): Bytes {
  const { keyId, keyEpoch, rosterEpoch } = certificate.public
  const name = new Uint8Array(keyId.length + 8)
  name.set(keyId)
  const numbers = new DataView(name.buffer, keyId.length)
  numbers.setUint32(0, rosterEpoch)
  numbers.setUint32(4, keyEpoch)
  return name
}

/** Whether two certificates, both verified, are of the same key, whatever their generations. */
export function isSameKey(a: KeyInfo, b: KeyInfo): boolean {
  const [one, other] = [a, b].map(({ certificate }) => sharing.sharingOfKey(certificate.public))
  return (
    one !== undefined &&
    other !== undefined &&
    equalBytes(one.id, other.id) &&
    equalBytes(one.context, other.context) &&
    equalBytes(one.verifyingKey, other.verifyingKey)
  )
}

interface Context {
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

/**
 * The key in the latest generation that enough servers say they hold, or in the latest at all while
 * no generation has enough. A certificate speaks for itself, whoever shows it: a quorum of the holders
 * has signed it. Which generation a server holds it may lie about, and is then of no use with others.
 */
export async function generationInForce(
  principal: Principal,
  key: KeyInfo,
  { signal, incidents }: Context,
): Promise<KeyInfo> {
  const { servers } = principal
  const { all, trust } = servers
  const reader = { trust, owner: principal.signer.publicKey }
  const fewest = fewestSigners(trust.roster)
  const body = encode(showKeyBody, { keyId: key.keyId })
  const request = principal.request("keys.show", all, body)
  const enough = (answers: ReadonlyMap<Identifier, KeyInfo | null>) =>
    byGeneration(answers).find(({ held, key: { minSigners } }) => held >= minSigners) ?? null
  const got = await gather<KeyInfo | null>(servers, {
    order: servers.inOrder(all, fewest),
    need: fewest,
    isEnough: (answers) => enough(answers) !== null,
    signal,
    ask: async (server, limited) => {
      const { output } = await principal.act(server, request, 1, new Uint8Array(0), limited)
      const listing = readAnswer(server, keyListing, output)
      const opened = openListing(reader, listing, listing.certificate)
      if ("key" in opened && isSameKey(opened.key, key)) return opened.key
      incidents.suspected(server, "reason" in opened ? opened.reason : "wrong-key")
      return null
    },
  })
  return enough(got.answers)?.key ?? byGeneration(got.answers)[0]?.key ?? key
}

interface Generation {
  readonly key: KeyInfo
  /** By how many servers that answered. */
  readonly held: number
}

/** Below zero where the first one shows an earlier generation of the key's shares. */
export function inOrder(a: KeyInfo, b: KeyInfo): number {
  return sharing.compareGenerations(a.certificate.public, b.certificate.public)
}

/** The latest first. */
function byGeneration(answers: ReadonlyMap<Identifier, KeyInfo | null>): readonly Generation[] {
  const found = new Map<string, Generation>()
  for (const [server, key] of answers) {
    if (key === null) continue
    const name = toHex(sharesOf(key))
    // Whose share has left shows where the key is, and holds none itself.
    const held = (found.get(name)?.held ?? 0) + (key.holders.includes(server) ? 1 : 0)
    found.set(name, { key, held })
  }
  return [...found.values()].sort((a, b) => inOrder(b.key, a.key))
}

/**
 * Does something with shares of a key, and again where servers have gone on to another generation: with
 * the one that enough of them hold. While they go from one to the next, it may be that none is.
 *
 * @param changed - is told of the key in its other generation.
 */
export async function inOneGeneration<T>(
  principal: Principal,
  known: KeyInfo,
  context: Context & { readonly changed: (key: KeyInfo) => void },
  use: (key: KeyInfo) => Promise<T>,
): Promise<T> {
  let key = known
  for (let tried = 1; ; tried++) {
    try {
      return await use(key)
    } catch (error) {
      if (!isElsewhere(principal, key, error) || tried === MAX_GENERATIONS_TRIED) throw error
    }
    // At once the first time: usually all have long gone on.
    if (tried > 1) {
      await principal.servers.deps.clock.wait(tried * GENERATION_PAUSE_MS, context.signal)
    }
    key = await generationInForce(principal, key, context)
    context.changed(key)
  }
}
