import {
  type AccountRange,
  LockKeeperError,
  RESHARE_STEPS,
  reshareActivateOutput,
  reshareBody,
  reshareDescribeInput,
  reshareOpenInput,
  reshareOpenOutput,
  reshareStepInput,
  type SealedRecords,
  type SharingKind,
  type SignedRequest,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import { type Message, messageCodec, reshare } from "@lockkeeper/protocols"
import { readAnswer } from "../answers.ts"
import { MAX_CONFLICTS } from "../limits.ts"
import { throwIfCancelled } from "../patience.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"

/** An entry of a batch that a server cannot go on with, and why. */
export interface UnfitEntry {
  readonly index: number
  readonly reason: string
}

export type Opened =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "unfit"; readonly entries: readonly UnfitEntry[] }

/** What a run is about: of accounts, with the range of ids that its batch covers. */
export type BatchKind =
  | { readonly kind: Exclude<SharingKind, "accounts">; readonly range: null }
  | { readonly kind: "accounts"; readonly range: AccountRange }

/** One try at a run, asked of one server after the other under one request. */
export class ReshareSteps {
  readonly #principal: OperatorPrincipal
  readonly #keys: readonly reshare.ReshareKey[]
  readonly #body: Bytes
  readonly #request: SignedRequest
  readonly #signal: AbortSignal

  constructor(
    principal: OperatorPrincipal,
    { kind, range }: BatchKind,
    { params, keys, leaveOut }: reshare.ReshareAttempt,
    signal: AbortSignal,
  ) {
    this.#principal = principal
    this.#keys = keys
    this.#signal = signal
    const asked = reshare.participantsOf(params).filter((one) => !leaveOut.includes(one))
    this.#body = encode(reshareBody, { kind, params, range })
    this.#request = principal.request("reshare", asked, this.#body)
  }

  /** @throws LockKeeperError what the server refuses with, or that its answer is no use. */
  async open(server: Identifier): Promise<Opened> {
    const input = encode(reshareOpenInput, { keys: this.#keys })
    const output = readAnswer(server, reshareOpenOutput, await this.#act(server, "open", input))
    if (output.kind === "message") {
      return { kind: "message", message: decodeMessage(server, output.message) }
    }
    // A list that names nothing of the batch would have it begun again for ever.
    if (output.entries.length > 0 && output.entries.every(({ index }) => index in this.#keys)) {
      return output
    }
    throw unusable(server)
  }

  async step(
    server: Identifier,
    step: Exclude<reshare.ReshareStep, "open">,
    { messages, opens }: reshare.Delivery,
    records: readonly SealedRecords[] = [],
  ): Promise<Message> {
    const encoded = (all: readonly Message[]) => all.map((one) => encode(messageCodec, one))
    const sent = { messages: encoded(messages), opens: encoded(opens), records }
    const input = encode(reshareStepInput, sent)
    return decodeMessage(server, await this.#act(server, step, input))
  }

  /** What a holder of the batch tells one that has none of it, which nobody else can read. */
  async describe(server: Identifier, member: Identifier, opening: Message): Promise<SealedRecords> {
    const encoded = encode(messageCodec, opening)
    const input = encode(reshareDescribeInput, { keys: this.#keys, member, opening: encoded })
    // Each member's telling is an answer of its own.
    const request = this.#principal.request("reshare", [server], this.#body)
    return readAnswer(
      server,
      sealedRecordsCodec,
      await this.#act(server, "describe", input, request),
    )
  }

  /** Returns whether the server has put in force all that it confirmed: what has no place there waits. */
  async activate(server: Identifier, certificate: reshare.BatchCertificate): Promise<boolean> {
    const input = encode(reshare.batchCertificateCodec, certificate)
    const output = await this.#act(server, "activate", input)
    return readAnswer(server, reshareActivateOutput, output).waiting.length === 0
  }

  /** Again where another request was faster at the same rows: nothing was done then. */
  async #act(
    server: Identifier,
    step: keyof typeof RESHARE_STEPS,
    input: Bytes,
    request: SignedRequest = this.#request,
  ): Promise<Bytes> {
    const { presigningStepMs } = this.#principal.servers.patience
    // A whole batch is as much work as presigning; the rest is as light as any call.
    const stepMs = step === "deal" || step === "verdict" ? presigningStepMs : undefined
    for (let conflicts = 1; ; conflicts++) {
      throwIfCancelled(this.#signal)
      try {
        const number = RESHARE_STEPS[step]
        const signal = this.#signal
        const done = await this.#principal.act(server, request, number, input, signal, stepMs)
        return done.output
      } catch (error) {
        const isRace =
          error instanceof LockKeeperError && error.code === "conflict" && error.field === ""
        if (!isRace || conflicts === MAX_CONFLICTS) throw error
      }
    }
  }
}

export function decodeMessage(server: Identifier, encoded: Bytes): Message {
  try {
    return decode(messageCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw unusable(server)
  }
}

export function unusable(server: Identifier): LockKeeperError {
  return new LockKeeperError("untrusted-server", "The server's message cannot be used.", { server })
}
