import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { testRowStore } from "./row-store-conformance.ts"

testRowStore("memory", {
  open: async () => new MemoryRowStore(),
  reopen: async (store) => (store as MemoryRowStore).reopen(),
})
