/** The rules of CONTRACT section 4 by name: whoever refuses a package says which one it breaks. */
import { ShoalError } from '../model/index.ts'

export type Rule =
  | 'size'
  | 'end-record'
  | 'trailing-bytes'
  | 'comment'
  | 'zip64'
  | 'count'
  | 'record'
  | 'local-differs'
  | 'layout'
  | 'extra-field'
  | 'descriptor'
  | 'encrypted'
  | 'flags'
  | 'method'
  | 'stored-size'
  | 'time'
  | 'version'
  | 'made-by'
  | 'file-kind'
  | 'mode'
  | 'path'
  | 'path-text'
  | 'path-length'
  | 'path-depth'
  | 'reserved-name'
  | 'collision'
  | 'order'
  | 'protected'
  | 'unpacked-size'
  | 'ratio'
  | 'first-entry'
  | 'manifest'
  | 'entry'
  | 'contents'
  | 'dependency'

/** @throws ShoalError PACKAGE_REJECTED, its message begins with the rule. */
export function reject(rule: Rule, message: string, cause?: unknown): never {
  throw new ShoalError('PACKAGE_REJECTED', `${rule}: ${message}`, cause === undefined ? {} : { cause })
}

/** A path as it may be shown: control characters and anything unusual escaped, cut. */
export const shown = (path: string): string => JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path)
