import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER, HARMLESS_MESSAGES, IN_DISPUTE } from "../kinds.ts"

export const HARMLESS: readonly Kind[] = HARMLESS_MESSAGES

export const UNATTRIBUTABLE: readonly Kind[] = [...BY_RELAY, ...BY_SENDER, ...IN_DISPUTE]
