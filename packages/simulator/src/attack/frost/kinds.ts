import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER } from "../kinds.ts"

export const HARMLESS: readonly Kind[] = []

export const UNATTRIBUTABLE: readonly Kind[] = [...BY_RELAY, ...BY_SENDER]
