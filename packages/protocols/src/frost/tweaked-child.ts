import { type Codec, mapped, struct, union } from "@lockkeeper/encoding"
import { type ChildPath, childPathCodec, NO_PATH } from "../child-path.ts"
import { type Tweak, tweakCodec, tweakVariants } from "./taproot.ts"

/** Which child of a key signs, and how that child is tweaked. */
export interface TweakedChild {
  readonly tweak: Tweak
  readonly path: ChildPath
}

type Encoded = Tweak | ({ readonly kind: "child" } & TweakedChild)

const child = struct<TweakedChild>({ path: childPathCodec, tweak: tweakCodec })

/** The key itself is its tweak alone, so that packages without a path are those of version 1. */
export const tweakedChildCodec: Codec<TweakedChild> = mapped(
  union<Encoded>({ ...tweakVariants, child }),
  ({ tweak, path }): Encoded => (path.length === 0 ? tweak : { kind: "child", tweak, path }),
  (encoded, fail) => {
    if (encoded.kind !== "child") return { tweak: encoded, path: NO_PATH }
    const { tweak, path } = encoded
    return path.length === 0 ? fail("a child without a path") : { tweak, path }
  },
)
