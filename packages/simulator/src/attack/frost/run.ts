import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  type Abort,
  type ChildPath,
  frost,
  type KeyType,
  type Message,
} from "@lockkeeper/protocols"
import type { Verdicts } from "../harness.ts"
import { identityOf, rosterOf, seeded } from "../seeded.ts"
import { type DealtKey, dealKey, ROSTER_EPOCH } from "./key.ts"

/** One signature that is asked for. */
export interface Setting {
  readonly keyType: KeyType
  readonly key: DealtKey
  readonly signers: readonly Identifier[]
  readonly approved: frost.Approved
  readonly attempt: number
  readonly rosterEpoch: number
  /** Seed of everyone's nonces: another session has another. */
  readonly seed: string
}

export function settingOf(
  keyType: KeyType,
  what: {
    readonly tweak?: frost.Tweak
    readonly path?: ChildPath
    readonly devices?: readonly Identifier[]
  } = {},
  change: Partial<Setting> = {},
): Setting {
  const servers = [1, 2, 3]
  const { devices = [] } = what
  const signers = [...servers, ...devices]
  const { tweak = frost.NO_TWEAK, path = [] } = what
  const message = utf8("pay the bearer")
  const approved = { requestDigest: seeded("request"), message, tweak, path }
  const key = dealKey(keyType, servers, 2, "key", devices)
  const base = { keyType, key, signers, approved, attempt: 1, rosterEpoch: ROSTER_EPOCH }
  return { ...base, seed: "run", ...change }
}

/** Those that a roster lists; devices are known from the key alone. */
function serversOf({ key }: Setting): readonly Identifier[] {
  return [...key.certificate.public.verifyingShares.keys()]
}

/** Who judges a device knows its key; whoever judges servers needs their roster alone. */
function judgesOf(setting: Setting, { dishonest }: Meddling) {
  const { additive } = setting.key.certificate.public
  const isDevice = dishonest !== null && additive.has(dishonest)
  return rosterOf(isDevice ? setting.signers : serversOf(setting))
}

/**
 * What an attack changes. `commits` and `shares` are what arrives at the coordinator from a signer;
 * `shows` is the package that one signer is asked to sign.
 */
export interface Meddling {
  readonly dishonest: Identifier | null
  commits?(signer: Identifier, message: Message): Message | null
  shows?(signer: Identifier, pkg: frost.SigningPackage): frost.SigningPackage | null
  shares?(signer: Identifier, message: Message): Message | null
}

export interface Recorded {
  readonly commitments: ReadonlyMap<Identifier, Message>
  readonly package: frost.SigningPackage
  readonly shares: ReadonlyMap<Identifier, Message>
}

function nonces({ key, seed, rosterEpoch }: Setting, signer: Identifier) {
  const own = key.keys.get(signer)!
  const randomness = seeded(`${seed}/nonces/${signer}`, 96)
  return frost.commit({ key: own, identity: identityOf(signer), rosterEpoch, randomness })
}

/** A liar signs as if the commitment it sent were the one it should have sent. */
function signAs(
  setting: Setting,
  signer: Identifier,
  pkg: frost.SigningPackage,
  sent: Message,
): ReturnType<typeof frost.sign> {
  const { key, approved, rosterEpoch } = setting
  const state = { ...nonces(setting, signer).state, message: sent }
  const identity = identityOf(signer)
  const verifyKeys = rosterOf(serversOf(setting))
  const own = key.keys.get(signer)!
  return frost.sign({ state, key: own, package: pkg, approved, verifyKeys, rosterEpoch, identity })
}

function orNull<T>(act: () => T): T | null {
  try {
    return act()
  } catch {
    return null
  }
}

interface Run {
  readonly aborts: Abort[]
  readonly signature: Bytes | null
  /** Packages that somebody honest signed. */
  readonly signed: readonly frost.SigningPackage[]
  readonly recorded: Recorded | null
  /** Verdicts on single shares. */
  judgeAlone(signer: Identifier): ReturnType<typeof frost.verifyShare> | null
}

function drive(setting: Setting, meddling: Meddling): Run {
  const { key, signers, approved, attempt, rosterEpoch } = setting
  const { certificate } = key
  const verifyKeys = rosterOf(serversOf(setting))
  const context = { public: certificate.public, verifyKeys }
  const aborts: Abort[] = []
  const stopped: Run = {
    aborts,
    signature: null,
    signed: [],
    recorded: null,
    judgeAlone: () => null,
  }
  const opened: frost.OpenedCommitment[] = []
  const commitments = new Map<Identifier, Message>()
  for (const signer of signers) {
    const { message } = nonces(setting, signer)
    const sent = meddling.commits ? meddling.commits(signer, message) : message
    if (sent === null) continue
    const outcome = frost.openCommitment(sent, { ...context, rosterEpoch })
    if (!outcome.ok) return { ...stopped, aborts: [outcome.abort] }
    commitments.set(signer, sent)
    opened.push(outcome.value)
  }
  const order = { ...approved, rosterEpoch, attempt }
  const prepared = frost.preparePackage(order, certificate.public, opened)
  if (!prepared.ok) return { ...stopped, aborts: [prepared.abort] }
  const pkg = prepared.value.package
  const shares = new Map<Identifier, Message>()
  const signed: frost.SigningPackage[] = []
  for (const signer of signers) {
    const shown = meddling.shows ? meddling.shows(signer, pkg) : pkg
    if (shown === null || !commitments.has(signer)) continue
    const isLiar = signer === meddling.dishonest
    const commitment = isLiar
      ? (commitments.get(signer) as Message)
      : nonces(setting, signer).message
    const act = () => signAs(setting, signer, shown, commitment)
    const outcome = isLiar ? orNull(act) : act()
    if (outcome === null) continue
    if (!outcome.ok) {
      if (!isLiar) aborts.push(outcome.abort)
      continue
    }
    if (!isLiar) signed.push(shown)
    const sent = meddling.shares ? meddling.shares(signer, outcome.value) : outcome.value
    if (sent !== null) shares.set(signer, sent)
  }
  const aggregated = frost.aggregate({ opened: prepared.value, shares, certificate, verifyKeys })
  if (!aggregated.ok) aborts.push(aggregated.abort)
  const signature = aggregated.ok ? aggregated.value : null
  const judgeAlone = (signer: Identifier) => {
    const share = shares.get(signer)
    const input = { opened: prepared.value, certificate, verifyKeys }
    return share ? frost.verifyShare(input, signer, share) : null
  }
  const recorded = { commitments, package: pkg, shares }
  return { aborts, signature, signed, recorded, judgeAlone }
}

export function record(setting: Setting): Recorded {
  const { recorded, signature } = drive(setting, { dishonest: null })
  if (!recorded || !signature) throw new Error("an honest run did not sign")
  return recorded
}

/** Runs one attack and says how it ended. */
export function attacked(setting: Setting, meddling: Meddling): Verdicts {
  const { aborts, signature, signed } = drive(setting, meddling)
  const { approved, key } = setting
  const { message, tweak, path } = approved
  const accepted: string[] = []
  const { public: pkg } = key.certificate
  if (signature && !frost.verify(pkg, message, signature, tweak, path)) {
    accepted.push("a signature that does not verify")
  }
  for (const shown of signed) {
    if (!isApproved(shown, approved)) accepted.push("a share for what was not approved")
  }
  const verifyKeys = judgesOf(setting, meddling)
  return { verifyKeys, aborts, finished: signature !== null, accepted }
}

/** The same where the coordinator judges the signer's share by itself. */
export function attackedAlone(setting: Setting, meddling: Meddling, signer: Identifier): Verdicts {
  const judged = drive(setting, meddling).judgeAlone(signer)
  const silence = { reason: "missing-messages", culprits: [], pair: null, evidence: [] } as const
  const aborts = judged === null ? [silence] : judged.ok ? [] : [judged.abort]
  const verifyKeys = judgesOf(setting, meddling)
  // A share that is wrong passes nowhere; that a right one passes is checked where it is honest.
  return { verifyKeys, aborts, finished: false, accepted: judged?.ok ? ["a wrong share"] : [] }
}

function isApproved(shown: frost.SigningPackage, approved: frost.Approved): boolean {
  const bytes = (what: frost.Approved) =>
    encode(frost.signingPackageCodec, { ...shown, ...what }).toString()
  const { requestDigest, message, tweak, path } = approved
  return bytes(shown) === bytes({ requestDigest, message, tweak, path })
}

/** A package, or null where the bytes are none: then no signer is asked. */
export function packageOrNull(encoded: Bytes): frost.SigningPackage | null {
  return orNull(() => decode(frost.signingPackageCodec, encoded))
}
