import type { SharingKind } from "@lockkeeper/api"
import { carryOut, type Move, type Settled, settled } from "./move.ts"

/** A move to attack, and two others whose messages are brought into it. */
export interface MoveScene {
  readonly protocol: string
  readonly move: Move
  /** Of the same, a minute later. */
  readonly elsewhere: Move
  readonly otherKind: Move
}

let before: Promise<Settled> | null = null

/** Sharings of a batch. */
const MOST = 2

/** @param kind - what moves. */
export async function sceneOf(protocol: string, kind: SharingKind): Promise<MoveScene> {
  before ??= settled()
  const from = await before
  const other = kind === "keys" ? "accounts" : "keys"
  return {
    protocol,
    move: await carryOut(from, { kind, afterMs: 60_000, most: MOST }),
    elsewhere: await carryOut(from, { kind, afterMs: 120_000, most: MOST }),
    otherKind: await carryOut(from, { kind: other, afterMs: 60_000, most: MOST }),
  }
}
