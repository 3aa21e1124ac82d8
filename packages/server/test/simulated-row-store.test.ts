import { SimulatedDisk, type SimulatedRowStore } from "@lockkeeper/simulator"
import { testRowStore } from "./row-store-conformance.ts"

testRowStore("simulated", {
  open: async () => new SimulatedDisk().mount(),
  reopen: async (store) => (store as SimulatedRowStore).disk.mount(),
})
