import { registerHooks } from "node:module"
import { BUGS } from "./bugs.ts"

const ROOT = new URL("../../../../", import.meta.url)

/**
 * Has the product loaded from now on as if the bug were in its source: no file is changed, and the
 * product has no seam for it. To be called before anything is imported that the bug is in.
 */
export function plant(name: string): void {
  const edits = BUGS.find((bug) => bug.name === name)?.edits ?? []
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const own = edits.filter(({ file }) => new URL(file, ROOT).href === url)
      if (own.length === 0 || loaded.source === undefined) return loaded
      const text = (source: typeof loaded.source): string =>
        typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString()
      const source = own.reduce((before, edit) => {
        if (before.split(edit.before).length !== 2) {
          throw new Error(`bug ${name} does not fit ${edit.file} any more`)
        }
        // A function, so that no character of the text has a meaning of its own.
        return before.replace(edit.before, () => edit.after)
      }, text(loaded.source))
      return { ...loaded, source }
    },
  })
}
