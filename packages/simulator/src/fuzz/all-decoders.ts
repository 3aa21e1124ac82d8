import { codecDecoders } from "./codec-decoders.ts"
import type { Decoder } from "./decoder.ts"
import { commandLineDecoders } from "./decoders/command-line.ts"
import { controlDecoders } from "./decoders/control.ts"
import { fileDecoders } from "./decoders/files.ts"
import { httpDecoders } from "./decoders/http.ts"
import { intentDecoders } from "./decoders/intents.ts"
import { logDecoders } from "./decoders/logs.ts"
import { sealedDecoders } from "./decoders/sealed.ts"
import { serverDecoders } from "./decoders/server.ts"
import { taskDecoder } from "./decoders/tasks.ts"
import { textDecoders } from "./decoders/texts.ts"
import { transactionDecoders } from "./decoders/transactions.ts"
import { trustDecoders } from "./decoders/trust.ts"
import { untriedReaders } from "./hand-written.ts"
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
export async function allDecoders(from: {
  readonly root: string
  readonly inside: Inside
  readonly seed: string
}): Promise<AllDecoders> {
  const { root, inside, seed } = from
  await loadAll(root)
  const { decoders: codecs, result: world } = await codecDecoders(from, () => harvest(seed))
  const files = fileDecoders(inside)
  const http = await httpDecoders(inside, world)
  const decoders = [
    ...codecs,
    ...textDecoders(inside),
    ...transactionDecoders(inside),
    ...intentDecoders(inside),
    ...sealedDecoders(inside),
    ...(await trustDecoders(inside, world, codecs)),
    ...files.decoders,
    ...controlDecoders(inside),
    ...logDecoders(),
    ...commandLineDecoders(inside),
    taskDecoder(inside, codecs),
    ...http.decoders,
    ...(await serverDecoders(inside, world, codecs)),
  ]
  const untried = untriedReaders(root, decoders)
  if (untried.length > 0) {
    throw new Error(
      `nobody tries what these read (READERS in hand-written.ts): ${untried.join(", ")}`,
    )
  }
  return {
    decoders,
    async close() {
      files.close()
      await http.close()
    },
  }
}
