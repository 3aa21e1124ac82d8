/** How to call this command from where it runs: a checkout has no installed `lockkeeper`. */
export function commandName(): string {
  return import.meta.url.endsWith(".ts") ? "npm run -s lockkeeper --" : "lockkeeper"
}
