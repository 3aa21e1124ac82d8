import {
  describeInput,
  LockKeeperError,
  REPAIR_STEPS,
  type RepairStepInput,
  repairBody,
  repairOpenInput,
  repairOpenOutput,
  repairStepInput,
  type SealedRecords,
  type SharingKind,
  type SignedRequest,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { type Message, messageCodec, type repair } from "@lockkeeper/protocols"
import { readAnswer } from "../answers.ts"
import { MAX_CONFLICTS } from "../limits.ts"
import { throwIfCancelled } from "../patience.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import { decodeMessage, type Opened, unusable } from "./reshare-steps.ts"

/** One try at a repair, asked of one server after the other under one request. */
export class RepairSteps {
  readonly #principal: OperatorPrincipal
  readonly #attempt: repair.RepairAttempt
  readonly #request: SignedRequest
  readonly #signal: AbortSignal

  /** @param among - the helpers, the member, and whoever else may be asked what it keeps. */
  constructor(
    principal: OperatorPrincipal,
    kind: SharingKind,
    attempt: repair.RepairAttempt,
    among: readonly Identifier[],
    signal: AbortSignal,
  ) {
    this.#principal = principal
    this.#attempt = attempt
    this.#signal = signal
    const { params } = attempt
    this.#request = principal.request("repair", among, encode(repairBody, { kind, params }))
  }

  /** @throws LockKeeperError what the server refuses with, or that its answer is no use. */
  async open(server: Identifier): Promise<Opened> {
    const { sharings } = this.#attempt
    const input = encode(repairOpenInput, { sharings })
    const output = readAnswer(server, repairOpenOutput, await this.#act(server, "open", input))
    if (output.kind === "message") {
      return { kind: "message", message: decodeMessage(server, output.message) }
    }
    // A list that names nothing of the batch would have it begun again for ever.
    if (output.entries.length > 0 && output.entries.every(({ index }) => index in sharings)) {
      return output
    }
    throw unusable(server)
  }

  async step(
    server: Identifier,
    step: Exclude<repair.RepairStep, "open">,
    delivery: repair.RepairDelivery,
    rest: Pick<RepairStepInput, "about" | "records">,
  ): Promise<Message> {
    const encoded = (all: readonly Message[]) => all.map((one) => encode(messageCodec, one))
    const input = encode(repairStepInput, {
      ...{ opens: encoded(delivery.opens), splits: encoded(delivery.splits) },
      ...{ sums: encoded(delivery.sums), complaints: encoded(delivery.complaints) },
      ...rest,
    })
    return decodeMessage(server, await this.#act(server, step, input))
  }

  /** What a holder tells the member of the batch, which nobody else can read. */
  async describe(server: Identifier, opening: Message): Promise<SealedRecords> {
    const { sharings } = this.#attempt
    const input = encode(describeInput, { sharings, opening: encode(messageCodec, opening) })
    const output = await this.#act(server, "describe", input)
    return readAnswer(server, sealedRecordsCodec, output)
  }

  /** Has a helper erase what it keeps of the run. */
  async finish(server: Identifier, verdict: Message): Promise<void> {
    await this.#act(server, "finish", encode(messageCodec, verdict))
  }

  /** Again where another request was faster at the same rows: nothing was done then. */
  async #act(server: Identifier, step: keyof typeof REPAIR_STEPS, input: Bytes): Promise<Bytes> {
    const principal = this.#principal
    // A whole batch is as much work as presigning.
    const stepMs = principal.servers.patience.presigningStepMs
    for (let conflicts = 1; ; conflicts++) {
      throwIfCancelled(this.#signal)
      try {
        const number = REPAIR_STEPS[step]
        const asked = [this.#request, number, input, this.#signal, stepMs] as const
        return (await principal.act(server, ...asked)).output
      } catch (error) {
        const isRace =
          error instanceof LockKeeperError && error.code === "conflict" && error.field === ""
        if (!isRace || conflicts === MAX_CONFLICTS) throw error
      }
    }
  }
}
