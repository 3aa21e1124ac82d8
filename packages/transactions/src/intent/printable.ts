/** Letters, digits, punctuation and symbols of any script: no marks, formats, spaces or controls. */
const VISIBLE = /^[\p{L}\p{N}\p{P}\p{S}]$/u

/**
 * Text in printable ASCII: everything else as `\u{..}`, line breaks as `\n`, and the backslash itself
 * doubled, so that two texts never look the same.
 */
export function printable(text: string): string {
  return escaped(text, () => false)
}

/** The same with letters and signs of other scripts as they are: to be read, not to be compared. */
export function readable(text: string): string {
  return escaped(text, (sign) => VISIBLE.test(sign))
}

function escaped(text: string, keeps: (sign: string) => boolean): string {
  let shown = ""
  for (const sign of text) {
    const code = sign.codePointAt(0) as number
    if (sign === "\\") shown += "\\\\"
    else if (code >= 0x20 && code <= 0x7e) shown += sign
    else if (sign === "\n") shown += "\\n"
    else shown += keeps(sign) ? sign : `\\u{${code.toString(16)}}`
  }
  return shown
}
