import { codecDecoders } from "./codec-decoders.ts"
import { unknownFactories } from "./codecs.ts"
import type { Decoder } from "./decoder.ts"
import { harvest } from "./harvest.ts"
import type { Inside } from "./inside.ts"
import { loadAll } from "./modules.ts"

export interface AllDecoders {
  readonly decoders: readonly Decoder[]
  /** Ends what some of them listen with. */
  close(): Promise<void>
}

/**
 * Every decoder of the packages, with samples.
 *
 * @throws Error when there is one that nobody knows how to try.
 */
export async function allDecoders({
  root,
  inside,
  seed,
}: {
  readonly root: string
  readonly inside: Inside
  readonly seed: string
}): Promise<AllDecoders> {
  await loadAll(root)
  const unknown = unknownFactories(root)
  if (unknown.length > 0) {
    throw new Error(`not known with what these make codecs (codecs.ts): ${unknown.join(", ")}`)
  }
  const codecs = await codecDecoders(inside, seed, () => harvest(seed))
  return { decoders: codecs, close: async () => undefined }
}
