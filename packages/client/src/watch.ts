import type { Identifier } from "@lockkeeper/crypto"
import type { Servers } from "./servers.ts"

/** Told that a server has not answered for long enough that somebody else should be asked beside it. */
export type OnSlow = (server: Identifier) => void

/** Calls `onSlow` after `ms` unless the returned function is called before. */
export function watchCall(
  { deps }: Servers,
  server: Identifier,
  ms: number,
  onSlow: OnSlow,
): () => void {
  const timer = new AbortController()
  void deps.clock.wait(ms, timer.signal).then(() => {
    if (!timer.signal.aborted) onSlow(server)
  })
  return () => timer.abort()
}
