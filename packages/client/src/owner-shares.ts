import { keyListing, LockKeeperError, OWNER_DEVICE, showKeyBody } from "@lockkeeper/api"
import { groupByName, type Identifier, type Scalar, Secret } from "@lockkeeper/crypto"
import { encode, equalBytes, toHex } from "@lockkeeper/encoding"
import { readAnswer } from "./answers.ts"
import { gather, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import { openOwnerShare, type Unopened } from "./owner-share.ts"
import type { Principal } from "./principal.ts"

/** Most shares that are held open at once; the one opened first makes room. */
const MAX_OPEN = 64

interface Context {
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

/** What a server's copy came to. */
type Copy = { readonly share: Secret } | { readonly why: Unopened | "wrong-share" }

/** The owner's shares of keys in self custody, opened when first needed and kept until logout. */
export class OwnerShares {
  readonly #principal: Principal
  readonly #open = new Map<string, Secret>()

  constructor(principal: Principal) {
    this.#principal = principal
  }

  /** Keeps what a key generation has just made. */
  keep(key: KeyInfo, share: Secret): void {
    const id = toHex(key.keyId)
    this.#open.get(id)?.wipe()
    this.#open.set(id, share)
    for (const [oldest, secret] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break
      secret.wipe()
      this.#open.delete(oldest)
    }
  }

  /**
   * The owner's share of a key. Every holder keeps a copy, and the first that opens to the share which
   * the key's certificate speaks of is taken, whatever the others show.
   *
   * @returns a copy, the caller's to wipe: what is kept is overwritten whenever room is made, also
   * while somebody signs.
   * @throws LockKeeperError `not-found`, field `deviceSecret`, where this device cannot open it.
   */
  async of(key: KeyInfo, context: Context): Promise<Secret> {
    const known = this.#open.get(toHex(key.keyId))
    if (known !== undefined) return Secret.copyOf(known.expose())
    const share = await this.#fetch(key, context)
    this.keep(key, share)
    return Secret.copyOf(share.expose())
  }

  /** Overwrites them all. */
  clear(): void {
    for (const share of this.#open.values()) share.wipe()
    this.#open.clear()
  }

  async #fetch(key: KeyInfo, { signal, incidents }: Context): Promise<Secret> {
    const { servers } = this.#principal
    const body = encode(showKeyBody, { keyId: key.keyId })
    const request = this.#principal.request("keys.show", key.holders, body)
    const got = await gather<Copy>(servers, {
      order: servers.inOrder(key.holders, 1),
      need: 1,
      isEnough: (copies) => [...copies.values()].some((copy) => "share" in copy),
      signal,
      ask: async (server, limited) => {
        const none = new Uint8Array(0)
        const { output } = await this.#principal.act(server, request, 1, none, limited)
        const { custody, keyId } = readAnswer(server, keyListing, output)
        const isThis = custody.kind === "self" && equalBytes(keyId, key.keyId)
        return isThis ? this.#opened(key, custody.sealedShare) : { why: "malformed" }
      },
    })
    const copies = [...got.answers]
    const opened = copies.find(([, copy]) => "share" in copy)?.[1]
    for (const [server, error] of got.failures) incidents.failed(server, error)
    const spoilt = copies.filter(([, copy]) => "why" in copy && isSpoilt(copy.why))
    for (const [server, copy] of spoilt) {
      incidents.suspected(server, "why" in copy ? `${copy.why} owner's share` : "")
    }
    if (opened !== undefined && "share" in opened) return opened.share
    throw unopened(copies, notEnough(1, 0, got.failures))
  }

  async #opened(key: KeyInfo, sealed: Uint8Array): Promise<Copy> {
    const { accountId, keys, servers } = this.#principal
    const place = { accountId, keyId: key.keyId }
    const sealing = { place, storageKey: keys.storageKey, devices: servers.deps.deviceSecrets }
    const share = await openOwnerShare(sealing, new Uint8Array(sealed))
    if (typeof share === "string") return { why: share }
    const { group, additive } = key.certificate.public
    const known = additive.get(OWNER_DEVICE)?.publicShare
    const field = groupByName(group)
    const isRight =
      known !== undefined && field.equal(field.multiplyBase(share.expose() as Scalar), known)
    if (isRight) return { share }
    share.wipe()
    return { why: "wrong-share" }
  }
}

/** Whether the copy is at fault, and not this device. */
function isSpoilt(why: Unopened | "wrong-share"): boolean {
  return why !== "no-device-secret" && why !== "other-device-secret"
}

function unopened(
  copies: readonly (readonly [Identifier, Copy])[],
  unreachable: LockKeeperError,
): LockKeeperError {
  const whys = copies.map(([, copy]) => ("why" in copy ? copy.why : ""))
  if (whys.length === 0) return unreachable
  if (whys.includes("no-device-secret")) {
    return new LockKeeperError(
      "not-found",
      "This device has no secret that opens the key's share.",
      {
        field: "deviceSecret",
        remedy: "Use the device that made the key, or bring its device secret here.",
      },
    )
  }
  if (whys.includes("other-device-secret")) {
    return new LockKeeperError("not-found", "The key's share was sealed on another device.", {
      field: "deviceSecret",
      remedy: "Use the device that made the key, or bring its device secret here.",
    })
  }
  return new LockKeeperError("untrusted-server", "No server's copy of your share is intact.", {
    field: "sealedShare",
    remedy: "Try again when other holders of the key answer, and tell the operators.",
  })
}
