import type { Target } from "../harness.ts"
import { edgesTarget } from "./edges-target.ts"
import { onlineTarget } from "./online-target.ts"
import { presignTarget } from "./presign-target.ts"
import { setupTarget } from "./setup-target.ts"

/** Threshold ECDSA under attack: with both ends of a pair dishonest in turn, and among three. */
export const DKLS_TARGETS: readonly (() => Target)[] = [
  () => setupTarget({ participants: [1, 2], liar: 2 }),
  () => setupTarget({ participants: [1, 2, 3], liar: 2, brief: true }),
  () => presignTarget({ minSigners: 2, servers: 2, signers: [1, 2], liar: 2 }),
  () => presignTarget({ minSigners: 2, servers: 3, signers: [1, 3], liar: 1 }),
  () => presignTarget({ minSigners: 3, servers: 3, signers: [1, 2, 3], liar: 2 }),
  () => onlineTarget({ minSigners: 2, servers: 2, signers: [1, 2], liar: 2 }),
  () => onlineTarget({ minSigners: 2, servers: 3, signers: [1, 3], liar: 1 }),
  () => onlineTarget({ minSigners: 3, servers: 3, signers: [1, 2, 3], liar: 2 }),
  edgesTarget,
]
