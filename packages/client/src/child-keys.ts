import { deriveBody, LockKeeperError } from "@lockkeeper/api"
import { type Bytes, encode } from "@lockkeeper/encoding"
import {
  type ChildPath,
  childPathProblem,
  deriveChild,
  extendedPublicKeyBytes,
  frost,
} from "@lockkeeper/protocols"
import { askAll, notEnough } from "./gather.ts"
import { type Incident, IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import type { Logged, Principal } from "./principal.ts"

/** A child of a key: derived from public data alone, by anyone who has the key's certificate. */
export interface ChildKeyInfo {
  /** From the key to the child; empty for the key itself. */
  readonly path: ChildPath
  /** As the key's own: 33 bytes compressed for ECDSA, 32 x-only for bip340, 32 for ed25519. */
  readonly publicKey: Bytes
  /** 32 bytes. With it and one child's secret key the whole family's can be computed. */
  readonly chainCode: Bytes
  readonly depth: number
  /** The last number of the path; 0 for the key itself. */
  readonly childNumber: number
  /** The parent's public key, 33 bytes for secp256k1 and 32 for Ed25519; null for the key itself. */
  readonly parentKey: Bytes | null
}

/** The path as a list of numbers. @throws LockKeeperError `invalid-request` with field `path`. */
export function pathOf(path: readonly number[] | undefined): ChildPath {
  const numbers: unknown = path ?? []
  const problem = Array.isArray(numbers) ? childPathProblem(numbers) : "not a list of numbers"
  if (problem === null) return [...(numbers as ChildPath)]
  throw new LockKeeperError("invalid-request", `The path is ${problem}.`, {
    field: "path",
    remedy:
      problem === "hardened"
        ? "Use numbers below 2^31; hardened children take a whole key, which nobody has."
        : "Give up to ten numbers below 2^31, the key itself being none.",
  })
}

/** Derives a child's public key offline. @throws LockKeeperError `invalid-request`. */
export function childKey(key: KeyInfo, path: readonly number[]): ChildKeyInfo {
  const { public: pkg } = key.certificate
  const steps = pathOf(path)
  const { chainCode, depth, childNumber, parentKey } = existing(() => deriveChild(pkg, steps))
  const publicKey = frost.publicKeyOf(pkg, frost.NO_TWEAK, steps) as Bytes
  return { path: steps, publicKey, chainCode, depth, childNumber, parentKey }
}

/**
 * The BIP32 serialisation of a child's extended public key without base58check, 78 bytes: whoever
 * has it derives every child's public key, and links them all.
 *
 * @param fingerprint - first 4 bytes of HASH160 of the parent key; zeros for the key itself.
 * @throws LockKeeperError `invalid-request` for keys that are not of secp256k1.
 */
export function extendedPublicKey(
  key: KeyInfo,
  path: readonly number[],
  fingerprint: Uint8Array = new Uint8Array(4),
): Bytes {
  const { public: pkg } = key.certificate
  if (pkg.group !== "secp256k1") {
    throw new LockKeeperError("invalid-request", "Ed25519 keys have no extended public key.", {
      field: "key",
    })
  }
  const steps = pathOf(path)
  return existing(() => extendedPublicKeyBytes(pkg, steps, new Uint8Array(fingerprint)))
}

/** BIP32 leaves out one child in 2^127, and fingerprints have a form. */
function existing<T>(derive: () => T): T {
  try {
    return derive()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new LockKeeperError("invalid-request", `There is none: ${cause.message}.`, {
      field: "path",
      cause,
    })
  }
}

/** Registers a child at every holder, so that it can sign. Takes t of them. */
export async function registerChild(
  principal: Principal,
  {
    key,
    path,
  }: {
    readonly key: Pick<KeyInfo, "keyId" | "holders" | "minSigners">
    readonly path: ChildPath
  },
  { signal, incidents }: { readonly signal: AbortSignal; readonly incidents: IncidentLog },
): Promise<readonly Logged[]> {
  const { servers } = principal
  const { keyId, holders, minSigners } = key
  const body = encode(deriveBody, { keyId, path })
  const request = principal.request("keys.derive", holders, body)
  const none = new Uint8Array(0)
  const { answers, failures } = await askAll(servers, holders, async (server) => {
    const { log } = await principal.act(server, request, 1, none, signal)
    return log
  })
  for (const [server, error] of failures) incidents.failed(server, error)
  if (answers.size < minSigners) throw notEnough(minSigners, answers.size, failures)
  return [...answers].map(([server, log]) => ({ server, log }))
}

/**
 * Registers a child, with which others have signed, also at the holders that were away when it was
 * registered. Nobody waits for it; what does not succeed is tried again when they next refuse.
 */
export function registerWhereMissing(
  principal: Principal,
  { key, path }: { readonly key: KeyInfo; readonly path: ChildPath },
  incidents: readonly Incident[],
): void {
  const holders = incidents
    .filter(({ kind, reason }) => kind === "refused" && reason === "not-found")
    .map(({ server }) => server)
  if (path.length === 0 || holders.length === 0) return
  const where = { keyId: key.keyId, holders, minSigners: 0 }
  const { signal } = new AbortController()
  const context = { signal, incidents: new IncidentLog(principal.servers) }
  registerChild(principal, { key: where, path }, context).catch((error) => {
    if (!(error instanceof LockKeeperError)) throw error
  })
}
