import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import {
  encodeEvidence,
  equivocationOf,
  NO_PREVIOUS,
  type Slot,
  signMessage,
} from "@lockkeeper/protocols"
import type { ServerSecrets } from "../src/directory/server-secrets.ts"
import type { TestCluster } from "./memory-cluster.ts"

/** Two headers that a server signed for one place: what no honest server does. */
export function equivocationBy(
  { secrets, roster }: Pick<TestCluster, "secrets" | "roster">,
  sender: Identifier,
  { session = 1, rosterEpoch = roster.rosterEpoch } = {},
): Bytes {
  const { identity } = secrets[sender - 1] as ServerSecrets
  const sessionId = new Uint8Array(32).fill(session)
  const slot: Slot = { protocol: "dkg", step: 1, attempt: 1, sessionId, rosterEpoch, sender }
  const [yes, no] = ["yes", "no"].map((what) =>
    signMessage(identity, slot, { previousDigest: NO_PREVIOUS, broadcast: utf8(what) }),
  )
  return encodeEvidence(equivocationOf(yes!.header, no!.header))
}
