import {
  type Event,
  LockKeeperError,
  type SignContent,
  signContent,
  subjectDigest,
} from "@lockkeeper/api"
import { hashValue } from "@lockkeeper/crypto"
import { type Bytes, bytes, fixedBytes, list, struct, toHex, u32 } from "@lockkeeper/encoding"
import type { Charter } from "@lockkeeper/policy"
import { deriveChild, frost, type PublicKeyPackage } from "@lockkeeper/protocols"
import { type Intent, intentDigest, linesOf } from "@lockkeeper/transactions"
import {
  type ContentReader,
  digestsAlone,
  ecdsaDigest,
  type FrostContent,
  frostContent,
} from "../content.ts"
import { readListing } from "../keys.ts"
import { commitEvent } from "../request/commit.ts"
import { markLogged } from "../request/refusal.ts"
import type { OwnerStep } from "../request/step.ts"
import { readCharter } from "./charters.ts"
import { intentFacts, RAW } from "./intent-facts.ts"
import { IntentReader } from "./intent-reader.ts"
import { ALLOWED, type Allowed, type Asked, judge } from "./judge.ts"

/** What is asked to be signed, by which key. */
export interface Signing {
  readonly key: PublicKeyPackage
  readonly path: readonly number[]
  readonly content: SignContent
  /** As the request has it; null for ECDSA. */
  readonly merkleRoot: Bytes | null
}

/** What a signature by the key covers, read with `reader`. */
export function readSigning({ key, path, content, merkleRoot }: Signing, reader: ContentReader) {
  const { verifyingKey } = deriveChild(key, path)
  return key.keyType === "ecdsa-secp256k1"
    ? { message: ecdsaDigest(content, verifyingKey, reader), tweak: frost.NO_TWEAK }
    : frostContent(key.keyType, content, merkleRoot, verifyingKey, reader)
}

interface Counted {
  readonly keyId: Bytes
  /** Of the child, whose account it is; none where what is signed names its accounts itself. */
  readonly path: readonly number[]
  readonly signed: Bytes
}

/** A transaction counts once, for however many of its inputs a key signs. */
const counted = struct<Counted>({
  keyId: fixedBytes(32),
  path: list(u32, 16),
  signed: bytes(32),
})

/**
 * Reads a content as it is to be signed, once, and asks the account's policy, if it has one.
 *
 * @param about - what else the log says of a refusal.
 * @throws LockKeeperError as `readSigning` and `judge`; `permission-denied` with field `body.content` for
 *   what no server can read, unless the charter lets the key sign such.
 */
export async function judgeSigning(
  step: OwnerStep,
  signing: Signing,
  about: Partial<Event>,
): Promise<{ readonly signable: FrostContent; readonly allowed: Allowed }> {
  const charter = await readCharter(step.deps.store, step.account.value)
  if (charter === null)
    return { signable: readSigning(signing, digestsAlone), allowed: { ...ALLOWED, event: about } }
  const reader = new IntentReader(signing.key, charter)
  const signable = readSigning(signing, reader)
  await checkRaw(step, charter, signing, reader, about)
  const asked = await askedOf(step, signing, reader)
  return { signable, allowed: await judge(step, charter, asked, about) }
}

async function askedOf(
  { deps, request }: OwnerStep,
  { key, path, content, merkleRoot }: Signing,
  { intent, unsignedId }: IntentReader,
): Promise<Asked> {
  const { keyId } = key
  const { custody, label } = await readListing(deps.store, request.accountId, keyId)
  const digest = hashValue("content", signContent, content)
  const once = { keyId, path: unsignedId === null ? path : [], signed: unsignedId ?? digest }
  const labels = label === "" ? [] : [label]
  return {
    action: "sign",
    key: { id: toHex(keyId), type: key.keyType, custody: custody.kind, labels },
    intent: intent === null ? RAW : intentFacts(intent),
    content: digest,
    read: intent === null ? null : intentDigest(intent),
    what: intent === null ? `raw ${content.kind}` : whatOf(intent),
    once: hashValue("counted-once", counted, once),
    subject: subjectDigest({ kind: "sign", keyId, path, content, merkleRoot }),
  }
}

const whatOf = (intent: Intent): string =>
  linesOf(intent)
    .map(({ field, value }) => `${field}: ${value}`)
    .join("\n")

/** Bytes that say nothing to a server may say everything to somebody else. */
async function checkRaw(
  step: OwnerStep,
  { rawKeys }: Charter,
  { key: { keyId } }: Signing,
  { intent }: IntentReader,
  about: Partial<Event>,
): Promise<void> {
  if (intent !== null || rawKeys.some((raw) => toHex(raw) === toHex(keyId))) return
  const refused = { outcome: "refused", reason: "raw-content" } as const
  await commitEvent(step.deps, step.event({ ...about, ...refused }))
  throw markLogged(
    new LockKeeperError(
      "permission-denied",
      "Under its policy the key signs nothing that servers cannot read.",
      {
        field: "body.content",
        remedy: "Send the whole transaction, or have the policy list the key among its raw keys.",
      },
    ),
  )
}
