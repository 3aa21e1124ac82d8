import type { RefreshPlan, SharingKind } from "@lockkeeper/client/operator"
import type { Context } from "./command.ts"
import { withProgress } from "./terminal.ts"

/** What `--keys` and `--accounts` ask for: each alone, or everything. */
export function kindsAsked(
  { keys, accounts }: { readonly keys?: boolean; readonly accounts?: boolean },
  all: readonly SharingKind[],
): readonly SharingKind[] {
  const asked = all.filter((kind) => (kind === "keys" ? keys : accounts) === true)
  return asked.length === 0 ? all : asked
}

/** What is going to happen to each kind. @throws LockKeeperError `not-enough-servers` where nothing can. */
export async function plansOf(
  { terminal, signal }: Pick<Context, "terminal" | "signal">,
  kinds: readonly SharingKind[],
  plan: (kind: SharingKind) => Promise<RefreshPlan>,
): Promise<readonly RefreshPlan[]> {
  const plans: RefreshPlan[] = []
  for (const kind of kinds) {
    const looking = `Looking at the ${kind} of all servers`
    plans.push(await withProgress(terminal, looking, () => plan(kind)))
    signal.throwIfAborted()
  }
  return plans
}
