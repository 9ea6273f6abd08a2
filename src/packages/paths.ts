/**
 * Which paths a package may have: relative, plain, the same file on every file system. Stops zip slip (`../`, drives, UNC,
 * backslashes, NUL), names that Windows keeps for devices, and two names that become one where case or Unicode form do not count.
 */
import { maxPartBytes, maxPathBytes, maxPathParts } from './limits.ts'
import { reject, shown } from './rules.ts'

const forbidden = /[\u0000-\u001f\u007f-\u009f\\:*?"<>|\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/
/** Windows looks at what stands before the first dot, without the spaces at its end. */
const device = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i
const protectedRoot = /^(?:instance|certs)$/i

/** @throws ShoalError PACKAGE_REJECTED */
export function judgePath(path: string): void {
  if (path === '') reject('path', 'an entry has no name')
  if (Buffer.byteLength(path) > maxPathBytes)
    reject('path-length', `${shown(path)} has ${Buffer.byteLength(path)} bytes, at most ${maxPathBytes}`)
  if (forbidden.test(path)) reject('path', `${shown(path)} has a character that is not allowed`)
  if (path !== path.normalize('NFC')) reject('path-text', `${shown(path)} is not in Unicode form NFC`)
  const parts = path.split('/')
  if (parts.length > maxPathParts) reject('path-depth', `${shown(path)} has ${parts.length} parts, at most ${maxPathParts}`)
  for (const part of parts) judgePart(part, path)
  if (protectedRoot.test(parts[0] ?? '')) reject('protected', `${shown(path)}: a node's own data never travels in a package`)
}

function judgePart(part: string, path: string): void {
  if (part === '' || part === '.' || part === '..') reject('path', `${shown(path)} has the part ${shown(part)}`)
  if (Buffer.byteLength(part) > maxPartBytes)
    reject('path-length', `${shown(part)} has ${Buffer.byteLength(part)} bytes, at most ${maxPartBytes}`)
  if (/[. ]$|^ /.test(part)) reject('reserved-name', `${shown(path)}: ${shown(part)} begins or ends with a space, or ends with a dot`)
  if (device.test(part)) reject('reserved-name', `${shown(path)}: ${shown(part)} is a device on Windows`)
}

/** What a file system may take for the same name. */
const folded = (path: string): string => path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')

/** Remembers every file and folder of a package and refuses two that would be one. */
export class PathBook {
  readonly #known = new Map<string, { readonly path: string; readonly isFile: boolean }>()

  /** @throws ShoalError PACKAGE_REJECTED */
  add(path: string): void {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) this.#addOne(path.slice(0, at), false)
    this.#addOne(path, true)
  }

  #addOne(path: string, isFile: boolean): void {
    const key = folded(path)
    const known = this.#known.get(key)
    if (known === undefined) this.#known.set(key, { path, isFile })
    else if (known.path !== path || known.isFile || isFile) reject('collision', `${shown(path)} and ${shown(known.path)} are one name`)
  }
}
