import { LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import { type Abort, dkls } from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import type { Run } from "../presigning/runs.ts"
import type { OwnerStep } from "../request/step.ts"

/** The last step that needs this server's share and pairs. */
const LAST_SECRET_STEP = 3

/** The pairs with the other signers, for the caller to wipe; none after the steps that need them. */
export type Setups = ReadonlyMap<Identifier, dkls.PairSetup>

/** The pairs with the other signers. @throws LockKeeperError where one is missing or dead. */
export async function readSetups(
  { step, self, presigning }: OwnerStep,
  signers: readonly Identifier[],
): Promise<Setups> {
  const setups = new Map<Identifier, dkls.PairSetup>()
  if (step > LAST_SECRET_STEP) return setups
  for (const peer of signers) {
    if (peer === self.identifier) continue
    const setup = await presigning.pairs.setupOf(peer)
    if (setup !== "none" && setup !== "dead") {
      setups.set(peer, setup)
      continue
    }
    for (const other of setups.values()) dkls.wipePairSetup(other)
    if (setup === "dead") throw deadPair(self.identifier, peer)
    throw new LockKeeperError(
      "out-of-order",
      `There is no pair of ${both(self.identifier, peer)} yet.`,
      { field: "body.signers", remedy: "Set the pairs up first." },
    )
  }
  return setups
}

/**
 * Refuses when a pair has died since the step began: what was checked at the same time says nothing
 * any more, whether it passed or not, or checks made at once would tell as many bits as they are many.
 */
export function checkAlive({ self, presigning }: OwnerStep, setups: Setups): void {
  for (const peer of setups.keys()) {
    if (presigning.pairs.hasFailed(peer)) throw deadPair(self.identifier, peer)
  }
}

function deadPair(own: Identifier, peer: Identifier): LockKeeperError {
  return new LockKeeperError("permission-denied", `The pair of ${both(own, peer)} is dead.`, {
    field: "body.signers",
    remedy: "Use a signer set without both; one of the two broke a protocol.",
  })
}

const both = (a: Identifier, b: Identifier) => `servers ${Math.min(a, b)} and ${Math.max(a, b)}`

/** A pair that was set up again meanwhile would make the other end look dishonest. */
export function checkUnchanged({ pairs }: Run, setups: Setups): void {
  for (const [peer, { setupDigest }] of setups) {
    const began = pairs.get(peer)
    if (began?.kind === "live" && equalBytes(began.setupDigest, setupDigest)) continue
    throw new LockKeeperError("conflict", `The pair with server ${peer} was set up again.`, {
      field: "body.signers",
      remedy: "Start again with a new request.",
    })
  }
}

/**
 * Where the two ends of a pair of this server name different setups, its last step has reached one of
 * them alone: this end gives its own up, and nobody is to blame.
 */
export async function forgetMismatch(
  { self, presigning }: OwnerStep,
  setups: Setups,
  { reason, field }: Abort,
): Promise<readonly Change[]> {
  const ends = /^setups\.(\d+)\.(\d+)$/.exec(field)?.slice(1).map(Number)
  if (reason !== "wrong-setup" || !ends?.includes(self.identifier)) return []
  const peer = ends.find((end) => end !== self.identifier)
  const setup = peer === undefined ? undefined : setups.get(peer)
  return peer === undefined || setup === undefined
    ? []
    : presigning.pairs.forget(peer, setup.setupDigest)
}
