import type { Compute } from "../ports/dependencies.ts"

/** Computes where it is called: for the simulator and tests, where the order has to be the same. */
export const inlineCompute: Compute = {
  async work() {
    throw new Error("no protocol has heavy steps yet")
  },
}
