/** Thrown when a chain or an independent check refuses what we built. */
export class ChainRefused extends Error {
  override readonly name = "ChainRefused"
}
