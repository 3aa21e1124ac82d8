/**
 * Cedar in this process, for `preparePolicy`. Importing this file reads and compiles 4.3 MB of
 * WebAssembly, synchronously and in Node alone, which is why it is an entry point of its own.
 */
export * as cedar from "@cedar-policy/cedar-wasm/nodejs"
