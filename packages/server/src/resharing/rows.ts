import {
  type AccountRange,
  accountRange,
  MAX_RESHARE_MESSAGE,
  SHARING_KINDS,
  type SharingKind,
} from "@lockkeeper/api"
import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  toHex,
  u8,
  u32,
  union,
} from "@lockkeeper/encoding"
import { repair, reshare } from "@lockkeeper/protocols"

const kindCodec: Codec<SharingKind> = oneOf(...SHARING_KINDS)

/** What a server keeps of the generations of one sharing, also once its share of it has left. */
export interface GenerationRow {
  /** Held or ever confirmed: nobody confirms a generation twice. */
  readonly highestKeyEpoch: number
  /** The latest run whose outcome was confirmed here and has not come into force here. */
  readonly pendingRun: Bytes | null
  /** The run that the shares in force come from; null for those of a key generation. */
  readonly activeRun: Bytes | null
  /** When they came into force here, milliseconds since the Unix epoch; 0 for a key generation's. */
  readonly activatedAt: number
  /** The latest attempt that was opened here: an earlier one is never opened again. */
  readonly lastAttempt: number
  /**
   * Up to which number all that was confirmed here is over, since a share left on the certificate of that
   * generation or of a later roster's, or went with a password; null where none has.
   */
  readonly leftKeyEpoch: number | null
  /**
   * That certificate, until a share is held here again: those whose shares wait for it may have heard of
   * it from nobody else. Or the one that an account came here on before its password was changed, while
   * who has left may not have heard of it. Null where none is kept.
   */
  readonly leftOn: reshare.ReshareCertificate | null
}

type FirstGenerationRow = Omit<GenerationRow, "leftKeyEpoch" | "leftOn">

const firstGenerationRow: Codec<FirstGenerationRow> = struct<FirstGenerationRow>({
  highestKeyEpoch: u32,
  pendingRun: nullable(fixedBytes(32)),
  activeRun: nullable(fixedBytes(32)),
  activatedAt: safeInteger,
  lastAttempt: u32,
})

/** What a row tells that ends before what has left: where nothing waits, all that was confirmed is gone. */
function leftByDefault({ pendingRun, highestKeyEpoch }: FirstGenerationRow): number | null {
  return pendingRun === null ? highestKeyEpoch : null
}

type Left = Pick<GenerationRow, "leftKeyEpoch" | "leftOn">

/** What tells of what has left: nothing has, or what was confirmed up to a number, with a certificate or not. */
const LEFT = { nothing: 0, generation: 1, certificate: 2 } as const

const left: Codec<Left> = {
  write(writer, { leftKeyEpoch, leftOn }) {
    if (leftKeyEpoch === null) {
      if (leftOn !== null) throw new Error("nothing has left, and on a certificate")
      return u8.write(writer, LEFT.nothing)
    }
    u8.write(writer, leftOn === null ? LEFT.generation : LEFT.certificate)
    u32.write(writer, leftKeyEpoch)
    if (leftOn !== null) reshare.reshareCertificateCodec.write(writer, leftOn)
  },
  read(reader) {
    const start = reader.offset
    const tag = u8.read(reader)
    if (tag === LEFT.nothing) return { leftKeyEpoch: null, leftOn: null }
    if (tag > LEFT.certificate) reader.fail("left: unknown", start)
    const leftKeyEpoch = u32.read(reader)
    const isKept = tag === LEFT.certificate
    return { leftKeyEpoch, leftOn: isKept ? reshare.reshareCertificateCodec.read(reader) : null }
  },
}

/** What has left stands behind the rest, where it is not what rows from before it was kept tell. */
export const generationRow: Codec<GenerationRow> = {
  write(writer, row) {
    firstGenerationRow.write(writer, row)
    const isDefault = row.leftOn === null && row.leftKeyEpoch === leftByDefault(row)
    if (!isDefault) left.write(writer, row)
  },
  read(reader) {
    const first = firstGenerationRow.read(reader)
    const byDefault = leftByDefault(first)
    if (reader.remaining === 0) return { ...first, leftKeyEpoch: byDefault, leftOn: null }
    const start = reader.offset
    const { leftKeyEpoch, leftOn } = left.read(reader)
    if (leftOn === null && leftKeyEpoch === byDefault) {
      reader.fail("leftKeyEpoch: not canonical", start)
    }
    return { ...first, leftKeyEpoch, leftOn }
  },
}

export function generationId(kind: SharingKind, id: Bytes): string {
  return `${kind}-${toHex(id)}`
}

/** How far a run has come, with the only input that its next step accepts. */
export type ReshareStage =
  | { readonly kind: "opened"; readonly state: reshare.ReshareOpened }
  | { readonly kind: "dealt"; readonly state: reshare.ReshareDealt }
  | {
      readonly kind: "judged"
      readonly state: reshare.ReshareJudged
      /**
       * What goes with the shares that this server had none of before: for each entry what others told
       * alike, empty where it holds one. None at all where it holds all.
       */
      readonly records: readonly Bytes[]
    }
  /** Its shares are in force, or later ones are: kept for a while for who asks again. */
  | { readonly kind: "active" }

/** Longest that is kept of one entry beside its share, bytes, and most entries. */
export const MAX_RECORD = 65_536
const MAX_BATCH = 0xff

const messageBytes = bytes(MAX_RESHARE_MESSAGE)

/** What this server answered to the steps of a run, encoded; null where it was not asked. */
export type ReshareAnswers = Readonly<Record<reshare.ReshareStep, Bytes | null>>

/** One run, named by the session of its first step: whoever asks for the same one goes on with it. */
export interface ReshareRunRow {
  readonly kind: SharingKind
  /** What a batch of accounts covers; null for keys. */
  readonly range: AccountRange | null
  /** Of which server the operator is who began it. */
  readonly operator: Identifier
  readonly startedAt: number
  readonly stage: ReshareStage
  readonly answers: ReshareAnswers
}

const withoutRange: Codec<Omit<ReshareRunRow, "range">> = struct<Omit<ReshareRunRow, "range">>({
  kind: kindCodec,
  operator: identifierCodec,
  startedAt: safeInteger,
  stage: union<ReshareStage>({
    opened: struct({ state: reshare.reshareOpenedCodec }),
    dealt: struct({ state: reshare.reshareDealtCodec }),
    judged: struct({
      state: reshare.reshareJudgedCodec,
      records: list(bytes(MAX_RECORD), MAX_BATCH),
    }),
    active: struct({}),
  }),
  answers: struct<ReshareAnswers>({
    open: nullable(messageBytes),
    deal: nullable(messageBytes),
    verdict: nullable(messageBytes),
    answer: nullable(messageBytes),
  }),
})

/** The range stands behind the rest, for accounts alone: rows of keys are what they were before it. */
export const reshareRunRow: Codec<ReshareRunRow> = {
  write(writer, row) {
    if ((row.kind === "accounts") !== (row.range !== null)) {
      throw new Error("accounts have a range, and keys have none")
    }
    withoutRange.write(writer, row)
    if (row.range !== null) accountRange.write(writer, row.range)
  },
  read(reader) {
    const row = withoutRange.read(reader)
    return { ...row, range: row.kind === "accounts" ? accountRange.read(reader) : null }
  },
}

export type RepairStage =
  | { readonly kind: "opened"; readonly state: repair.RepairOpened }
  | { readonly kind: "split"; readonly state: repair.RepairSplit }
  | { readonly kind: "summed"; readonly state: repair.RepairSummed }
  /** Its state is gone: it has answered a complaint, or has the shares it was for. */
  | { readonly kind: "over" }

export type RepairAnswers = Readonly<Record<repair.RepairStep, Bytes | null>>

export interface RepairRunRow {
  readonly kind: SharingKind
  readonly operator: Identifier
  readonly startedAt: number
  readonly stage: RepairStage
  readonly answers: RepairAnswers
}

export const repairRunRow: Codec<RepairRunRow> = struct<RepairRunRow>({
  kind: kindCodec,
  operator: identifierCodec,
  startedAt: safeInteger,
  stage: union<RepairStage>({
    opened: struct({ state: repair.repairOpenedCodec }),
    split: struct({ state: repair.repairSplitCodec }),
    summed: struct({ state: repair.repairSummedCodec }),
    over: struct({}),
  }),
  answers: struct<RepairAnswers>({
    open: nullable(messageBytes),
    split: nullable(messageBytes),
    sum: nullable(messageBytes),
    verdict: nullable(messageBytes),
    answer: nullable(messageBytes),
  }),
})
