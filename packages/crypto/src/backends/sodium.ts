import sodium from "libsodium-wrappers-sumo"

// Instantiating WebAssembly is asynchronous; awaiting it once here keeps everything after it
// synchronous.
await sodium.ready

export { sodium }
