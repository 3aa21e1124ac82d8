import type { Kind } from "../harness.ts"

export const HARMLESS: readonly Kind[] = []

export const UNATTRIBUTABLE: readonly Kind[] = []
