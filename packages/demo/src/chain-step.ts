import { type Anvil, NoChain } from "./anvil.ts"
import type { Narrator } from "./narrator.ts"

/** The EVM chain of a run, or why it has none. */
export type ChainOfRun =
  | { readonly anvil: Anvil; readonly missing: null }
  | { readonly anvil: null; readonly missing: string }

/** Starts the chain; where there is none for the platform, says what that means for the run. */
export async function bringUpChain(
  narrator: Narrator,
  start: () => Promise<Anvil>,
): Promise<ChainOfRun> {
  try {
    const anvil = await narrator.step(
      "chain",
      "A real EVM chain starts beside them: anvil, on this machine only.",
      start,
      ({ url }) => `It listens at ${url} and ends with this program.`,
    )
    return { anvil, missing: null }
  } catch (error) {
    if (!(error instanceof NoChain)) throw error
    narrator.say(`   ${error.message} What needs one is left out, and this run fails for it.`)
    return { anvil: null, missing: error.message }
  }
}
