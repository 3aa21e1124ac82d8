import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  struct,
  text,
  u16,
  union,
} from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import { type AccountRange, accountRange } from "./account-range.ts"
import { MAX_MEMBERS } from "./roster.ts"
import { type SealedRecords, sealedRecordsCodec } from "./sealed-records.ts"
import { SHARING_KINDS, type SharingKind } from "./sharings.ts"

/** Longest encoded message of a run, bytes. */
export const MAX_RESHARE_MESSAGE = 262_144

/**
 * The highest generation that anybody confirms at a time: seconds since the Unix epoch. Each try that
 * failed takes a number; time brings more of them than anybody can use up.
 *
 * @param now - milliseconds since the Unix epoch.
 */
export function latestKeyEpoch(now: number): number {
  return Math.floor(now / 1000)
}

/** The steps of `reshare` as requests number them. */
export const RESHARE_STEPS = {
  ...{ open: 1, deal: 2, verdict: 3, activate: 4, answer: 5, describe: 6 },
} as const

/**
 * Body of `reshare`: a run over a batch of sharings of one kind. The parameters name the batch by its
 * root and the try by `attempt`, which is the second since the Unix epoch in which it began: a server
 * opens no attempt for a sharing that is not later than the one before. Whoever asks for the same
 * parameters, and the same range, goes on with the same run.
 */
export interface ReshareBody {
  readonly kind: SharingKind
  readonly params: reshare.ReshareParams
  /** What the batch covers beside its accounts; null for keys. */
  readonly range: AccountRange | null
}

export const reshareBody: Codec<ReshareBody> = struct<ReshareBody>({
  kind: oneOf(...SHARING_KINDS),
  params: reshare.reshareParamsCodec,
  range: nullable(accountRange),
})

/** Input of step 1: the batch that the parameters name. */
export interface ReshareOpenInput {
  readonly keys: readonly reshare.ReshareKey[]
}

export const reshareOpenInput: Codec<ReshareOpenInput> = struct<ReshareOpenInput>({
  keys: reshare.reshareKeysCodec,
})

/** Output of step 1: this server's message, or the entries of the batch to start again without. */
export type ReshareOpenOutput =
  | { readonly kind: "message"; readonly message: Bytes }
  | {
      readonly kind: "unfit"
      readonly entries: readonly { readonly index: number; readonly reason: string }[]
    }

export const reshareOpenOutput: Codec<ReshareOpenOutput> = union<ReshareOpenOutput>({
  message: struct({ message: bytes(MAX_RESHARE_MESSAGE) }),
  unfit: struct({ entries: list(struct({ index: u16, reason: text(128) }), 0xff) }),
})

const messages = list(bytes(MAX_RESHARE_MESSAGE), MAX_MEMBERS)

/**
 * Input of steps 2, 3 and 5: the messages of the step before, each as `deliver` cuts it for this
 * server, and the openings too for a holder that has not dealt. The output is this server's message.
 * Step 4 takes a `reshare.BatchCertificate`.
 */
export interface ReshareStepInput {
  readonly messages: readonly Bytes[]
  readonly opens: readonly Bytes[]
  /** Of the verdict of a holder that holds none of something yet: what others keep beside their shares. */
  readonly records: readonly SealedRecords[]
}

export const reshareStepInput: Codec<ReshareStepInput> = struct<ReshareStepInput>({
  messages,
  opens: messages,
  records: list(sealedRecordsCodec, MAX_MEMBERS),
})

/** Output of step 4. */
export interface ReshareActivateOutput {
  /** The entries of the batch whose shares have no place at this server yet, and go on waiting there. */
  readonly waiting: readonly number[]
}

export const reshareActivateOutput: Codec<ReshareActivateOutput> = struct<ReshareActivateOutput>({
  waiting: list(u16, 0xff),
})

/**
 * Input of step 6, which whoever holds the whole batch answers with its SealedRecords, whether it takes
 * part in the run or not, and keeps nothing of: the batch, and the opening of a holder that has none.
 */
export interface ReshareDescribeInput extends ReshareOpenInput {
  readonly member: Identifier
  readonly opening: Bytes
}

export const reshareDescribeInput: Codec<ReshareDescribeInput> = struct<ReshareDescribeInput>({
  keys: reshare.reshareKeysCodec,
  member: identifierCodec,
  opening: bytes(MAX_RESHARE_MESSAGE),
})

/**
 * Body of `reshare.leave`, which has a member that is no holder any more erase its shares, whether it
 * took part in a run or not.
 */
export interface LeaveReshareBody {
  readonly kind: SharingKind
  /** What the batch covered beside its accounts; null for keys. */
  readonly range: AccountRange | null
  /** 32 bytes: the run that it dealt in, which it erases too; or null. */
  readonly run: Bytes | null
}

export const leaveReshareBody: Codec<LeaveReshareBody> = struct<LeaveReshareBody>({
  kind: oneOf(...SHARING_KINDS),
  range: nullable(accountRange),
  run: nullable(fixedBytes(32)),
})

/** Input of `reshare.leave`: what proves that others hold a later generation. It answers nothing. */
export interface LeaveReshareInput {
  readonly certificates: readonly reshare.ReshareCertificate[]
}

export const leaveReshareInput: Codec<LeaveReshareInput> = struct<LeaveReshareInput>({
  certificates: list(reshare.reshareCertificateCodec, 0xff),
})

/** Body of `reshare.show`: what a server can tell of one sharing, and of a run that was about it. */
export interface ShowReshareBody {
  readonly kind: SharingKind
  /** 32 bytes: the id of the sharing. */
  readonly id: Bytes
  /** 32 bytes: a run, as `sharings.list` names it. */
  readonly run: Bytes
}

export const showReshareBody: Codec<ShowReshareBody> = struct<ShowReshareBody>({
  kind: oneOf(...SHARING_KINDS),
  id: fixedBytes(32),
  run: fixedBytes(32),
})

export interface ShownReshare {
  /**
   * Proves the generation that is held; where that is one as it was generated, or none is, the last one
   * that left from here or stood here under another password. Null where nothing is known of it.
   */
  readonly certificate: reshare.ReshareCertificate | null
  /**
   * Beside a certificate of what is held, what proves how the account came here under a password before:
   * to who left, and has not heard of it. Null where no password was changed in the roster's transition.
   */
  readonly former: reshare.ReshareCertificate | null
  /** Of the run, where the server keeps it: with them its certificate is brought. */
  readonly params: reshare.ReshareParams | null
  /** Of the same run, which goes on with no other; null for keys. */
  readonly range: AccountRange | null
}

export const shownReshare: Codec<ShownReshare> = struct<ShownReshare>({
  certificate: nullable(reshare.reshareCertificateCodec),
  former: nullable(reshare.reshareCertificateCodec),
  params: nullable(reshare.reshareParamsCodec),
  range: nullable(accountRange),
})

/** Most runs on one page, and most sharings that are named of each. */
export const MAX_WAITING_PAGE = 8
export const MAX_WAITING_NAMED = 4

/** Body of `reshare.waiting`, which takes no step input. */
export interface ListWaitingBody {
  readonly kind: SharingKind
  /** Only runs after this one, or null from the start. */
  readonly after: Bytes | null
}

export const listWaitingBody: Codec<ListWaitingBody> = struct<ListWaitingBody>({
  kind: oneOf(...SHARING_KINDS),
  after: nullable(fixedBytes(32)),
})

/** A run whose outcome the server has confirmed and has yet to hear of, whatever it holds of it. */
export interface WaitingRun {
  /** 32 bytes. */
  readonly run: Bytes
  /** 32 bytes: of what was confirmed, as the certificate that is waited for names it. */
  readonly root: Bytes
  /** Some of the sharings that shares are still waited for of: by them a certificate is asked for. */
  readonly ids: readonly Bytes[]
}

/** Answer to `reshare.waiting`, in the order of runs. */
export interface WaitingPage {
  readonly runs: readonly WaitingRun[]
  /** What to ask for after, or null where the list ends. */
  readonly next: Bytes | null
}

export const waitingPage: Codec<WaitingPage> = struct<WaitingPage>({
  runs: list(
    struct<WaitingRun>({
      run: fixedBytes(32),
      root: fixedBytes(32),
      ids: list(fixedBytes(32), MAX_WAITING_NAMED),
    }),
    MAX_WAITING_PAGE,
  ),
  next: nullable(fixedBytes(32)),
})
