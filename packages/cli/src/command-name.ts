/** How to call this command from where it runs: in a checkout, `lockkeeper` is not on the path. */
export function commandName(): string {
  return import.meta.url.endsWith(".ts") ? "npx lockkeeper" : "lockkeeper"
}
