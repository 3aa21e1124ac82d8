import { dkls } from "@lockkeeper/protocols"
import type { Compute } from "../ports/dependencies.ts"

/** Computes where it is called: for the simulator and tests, where the order has to be the same. */
export const inlineCompute: Compute = {
  async work(task) {
    try {
      return dkls.work(task)
    } finally {
      task.fill(0)
    }
  },
}
