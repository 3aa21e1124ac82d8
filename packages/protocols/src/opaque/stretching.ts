import { type Codec, struct, u8, u32 } from "@lockkeeper/encoding"

/**
 * Argon2id parameters that an account was registered with. Stretching itself happens outside this
 * package: it takes long, and belongs on another thread.
 */
export interface Stretching {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

export const stretchingCodec: Codec<Stretching> = struct<Stretching>({
  memoryKib: u32,
  passes: u32,
  lanes: u8,
})

/** What a client is willing to run: below, guessing is cheap; above, a login is a trap. */
export interface StretchingBounds {
  readonly least: Stretching
  readonly most: Stretching
}

/** OWASP's minimum for Argon2id (19 MiB, two passes) up to 1 GiB, 16 passes. */
export const STRETCHING_BOUNDS: StretchingBounds = {
  least: { memoryKib: 19_456, passes: 2, lanes: 1 },
  most: { memoryKib: 1_048_576, passes: 16, lanes: 16 },
}

export function withinBounds(stretching: Stretching, { least, most }: StretchingBounds): boolean {
  const keys = ["memoryKib", "passes", "lanes"] as const
  return keys.every((key) => stretching[key] >= least[key] && stretching[key] <= most[key])
}
