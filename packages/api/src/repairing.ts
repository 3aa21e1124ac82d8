import { type Bytes, bytes, type Codec, list, nullable, oneOf, struct } from "@lockkeeper/encoding"
import { repair } from "@lockkeeper/protocols"
import { MAX_RESHARE_MESSAGE, type ReshareOpenOutput, reshareOpenOutput } from "./resharing.ts"
import { MAX_MEMBERS } from "./roster.ts"
import { type SealedRecords, sealedRecordsCodec } from "./sealed-records.ts"
import { SHARING_KINDS, type SharingKind } from "./sharings.ts"

/** The steps of `repair` as requests number them. */
export const REPAIR_STEPS = {
  ...{ open: 1, split: 2, sum: 3, verdict: 4, answer: 5, describe: 6, finish: 7 },
} as const

/**
 * Body of `repair`: a run in which t holders restore the shares that another member of the roster lacks
 * of a batch of one kind, in the generation in force. The parameters name the batch by its root; whoever
 * asks for the same parameters goes on with the same run.
 */
export interface RepairBody {
  readonly kind: SharingKind
  readonly params: repair.RepairParams
}

export const repairBody: Codec<RepairBody> = struct<RepairBody>({
  kind: oneOf(...SHARING_KINDS),
  params: repair.repairParamsCodec,
})

/** Input of step 1: the batch that the parameters name. */
export interface RepairOpenInput {
  readonly sharings: Parameters<typeof repair.sharingsRoot>[0]
}

export const repairOpenInput: Codec<RepairOpenInput> = struct<RepairOpenInput>({
  sharings: repair.sharingsCodec,
})

/** Output of step 1: this server's message, or the entries of the batch to start again without. */
export type RepairOpenOutput = ReshareOpenOutput
export const repairOpenOutput: Codec<RepairOpenOutput> = reshareOpenOutput

/**
 * Input of step 6, which any holder but the member answers with its SealedRecords, whether it is one of
 * the helpers or not, and keeps nothing of: the batch, and the member's opening.
 */
export interface DescribeInput extends RepairOpenInput {
  readonly opening: Bytes
}

export const describeInput: Codec<DescribeInput> = struct<DescribeInput>({
  sharings: repair.sharingsCodec,
  opening: bytes(MAX_RESHARE_MESSAGE),
})

const messages = list(bytes(MAX_RESHARE_MESSAGE), MAX_MEMBERS)

/**
 * Input of steps 2 to 5: the others' messages, each as `deliver` cuts it for this server. The output is
 * this server's message. Step 7 takes the member's verdict, with which helpers erase what they keep, and
 * answers nothing.
 */
export interface RepairStepInput {
  readonly opens: readonly Bytes[]
  readonly splits: readonly Bytes[]
  readonly sums: readonly Bytes[]
  /** Of an answer: the messages that complain, and in which step what they complain of was sent. */
  readonly complaints: readonly Bytes[]
  readonly about: "split" | "sum" | null
  /** Of the verdict. */
  readonly records: readonly SealedRecords[]
}

export const repairStepInput: Codec<RepairStepInput> = struct<RepairStepInput>({
  opens: messages,
  splits: messages,
  sums: messages,
  complaints: messages,
  about: nullable(oneOf("split", "sum")),
  records: list(sealedRecordsCodec, MAX_MEMBERS),
})
