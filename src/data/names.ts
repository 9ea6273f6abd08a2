/**
 * Names on the disk are bytes. Most are UTF-8; some are not, such as uploads of programs that write Latin-1. Here a name is always a string: a byte
 * that is no part of UTF-8 stands in it as a lone surrogate, U+DC80 to U+DCFF, which no text has (as in Python, PEP 383). So names can be joined,
 * compared and written into JSON as ever, and give the same bytes again.
 */
const oddByte = /([\udc80-\udcff])/u
const oddBytes = /[\udc80-\udcff]/gu
const escapeBase = 0xdc00

/** What a system's call gave, also a whole file of names. */
export function nameOf(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  // U+FFFD is what stands for bytes that are none; it may also have been written.
  if (!text.includes('\ufffd') || Buffer.from(text).equals(bytes)) return text
  const parts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const character = bytes.subarray(at, at + lengthFrom(bytes[at] ?? 0))
    const part = character.toString('utf8')
    const isText = Buffer.from(part).equals(character)
    parts.push(isText ? part : String.fromCharCode(escapeBase + (bytes[at] ?? 0)))
    at += isText ? character.length : 1
  }
  return parts.join('')
}

/** Bytes of a character, as its first one says. */
const lengthFrom = (first: number): number => (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4)

/** What the system is to be given: every call on a path that was read from a folder takes this. */
export const onDisk = (path: string): string | Buffer => (path.isWellFormed() ? path : bytesOf(path))

export const bytesOf = (name: string): Buffer =>
  Buffer.concat(name.split(oddByte).map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - escapeBase))))

/** For people: `\xfc` in place of a byte that is no text. */
export const shown = (name: string): string => name.replaceAll(oddBytes, odd => `\\x${(odd.charCodeAt(0) - escapeBase).toString(16)}`)
