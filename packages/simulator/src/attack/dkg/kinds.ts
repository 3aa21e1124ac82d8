import type { Kind } from "../harness.ts"

/** Reasons with which a message is refused because it is for another place than it came to. */
export const HARMLESS: readonly Kind[] = []
export const UNATTRIBUTABLE: readonly Kind[] = []
