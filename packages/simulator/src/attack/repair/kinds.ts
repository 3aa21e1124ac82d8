import type { Kind } from "../harness.ts"
import { BATCHES_HARMLESS, BATCHES_UNATTRIBUTABLE } from "../rounds/kinds.ts"

export const HARMLESS: readonly Kind[] = BATCHES_HARMLESS

export const UNATTRIBUTABLE: readonly Kind[] = BATCHES_UNATTRIBUTABLE
