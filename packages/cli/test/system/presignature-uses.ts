import {
  type PoolStatus,
  poolStatus,
  preparedEcdsa,
  prepareEcdsaBody,
  type SignEcdsaInput,
  showKeyBody,
  signEcdsaBody,
  signEcdsaInput,
  signEcdsaOutput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import type { Stolen } from "./stolen.ts"
import type { AskedStep, Principal, Transcript } from "./transcript.ts"

const NOTHING = new Uint8Array(0)
const never = new AbortController().signal

/** A presignature as an attacker names it. */
export interface Presignature {
  readonly id: Bytes
  readonly signers: readonly number[]
}

function signingSteps({ steps }: Transcript): readonly AskedStep[] {
  return steps.filter(({ operation }) => operation === "ecdsa.sign")
}

/**
 * For one server, every presignature that it gave a share from, with the shares: those that came
 * here, and those that it only kept for a retry because it died before the answer left.
 */
export function sharesOf(
  transcript: Transcript,
  server: number,
  answers: readonly Stolen["answers"][],
): Map<string, Set<string>> {
  const asked = signingSteps(transcript).filter((step) => step.server === server)
  const uses = new Map<string, Set<string>>()
  const use = (input: Bytes, output: Bytes): void => {
    const id = toHex(decode(signEcdsaInput, input).presignature)
    const share = toHex(decode(signEcdsaOutput, output).share)
    uses.set(id, (uses.get(id) ?? new Set()).add(share))
  }
  for (const { input, output } of asked) if (output !== null) use(input, output)
  for (const [id, output] of answers.flatMap((kept) => [...kept])) {
    const of = asked.find(({ request, step }) => id.endsWith(`-${request}-${step}`))
    if (of !== undefined) use(of.input, output)
  }
  return uses
}

/** The presignatures that this server gave a share from, as far as its answers came here. */
export function usedPresignatures(transcript: Transcript, by: number): Presignature[] {
  const used = new Map<string, Presignature>()
  for (const { server, input, output } of signingSteps(transcript)) {
    if (server !== by || output === null) continue
    const { presignature } = decode(signEcdsaInput, input)
    const { certificate } = decode(signEcdsaOutput, output)
    const { record } = decode(dkls.presignatureCertificateCodec, certificate)
    used.set(toHex(presignature), { id: presignature, signers: [...record.signers.keys()] })
  }
  return [...used.values()]
}

/** A key's pool at one server. */
export async function poolAt(who: Principal, keyId: Bytes, server: number): Promise<PoolStatus> {
  const request = who.request("pool.status", [server], encode(showKeyBody, { keyId }))
  const { output } = await who.act(server, request, 1, NOTHING, never)
  return decode(poolStatus, output)
}

export function readyIn({ sets }: PoolStatus): number {
  return sets.reduce((sum, { ready }) => sum + ready, 0)
}

/** Asks one server for a share from a presignature of this choice, over a message of ours. */
export async function askForShare(
  who: Principal,
  keyId: Bytes,
  server: number,
  { id, signers }: Presignature,
): Promise<void> {
  const ordered = [...signers].sort((a, b) => a - b)
  const nonces: Bytes[] = []
  for (const signer of ordered) {
    const body = encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers: ordered, count: 1 })
    const request = who.request("ecdsa.prepare", [signer], body)
    const { output } = await who.act(signer, request, 1, NOTHING, never)
    nonces.push(decode(preparedEcdsa, output).nonces[0] as Bytes)
  }
  const message = new Uint8Array(32).fill(0x5a)
  const content = { kind: "message", message } as const
  const body = encode(signEcdsaBody, { keyId, path: [], content })
  const request = who.request("ecdsa.sign", ordered, body)
  const input: SignEcdsaInput = { keyEpoch: 1, presignature: id, nonces, prepare: 0 }
  await who.act(server, request, 1, encode(signEcdsaInput, input), never)
}
