import { backend } from "#secp256k1"
import type { Group } from "./group.ts"
import { secp256k1Over } from "./secp256k1-over.ts"
import { selfTest } from "./self-test.ts"

/** secp256k1 (SEC 2), points in the compressed form of SEC 1. */
export const secp256k1: Group = selfTest(secp256k1Over(backend))
