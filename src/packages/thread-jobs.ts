/** What the main thread and the unpacking thread say to each other. Both come from the same release: plain types are enough. */
import type { Code, Digest, Manifest } from '../model/index.ts'
import type { Differences } from './compare.ts'

export type Job =
  /** Judge a file and say what it is. */
  | { readonly t: 'inspect'; readonly file: string; readonly expect: Digest | null }
  /** Judge a file and compare it with a slot. */
  | { readonly t: 'compare'; readonly file: string; readonly expect: Digest; readonly dir: string }
  /** Judge a file and unpack it into `temp`, a folder that is not there yet; or compare it with `into`, if that is there. */
  | {
      readonly t: 'unpack'
      readonly file: string
      readonly expect: Digest
      readonly temp: string
      readonly into: string
      readonly maxBytes: number
      readonly reserveBytes: number
      readonly abi: string | null
      readonly isDurable: boolean
    }

/** What a package file turned out to be. */
export interface Inspected {
  readonly manifest: Manifest
  readonly digest: Digest
  readonly size: number
  readonly unpackedBytes: number
  /** Text of the blockmap, and its digest as a release names it. */
  readonly blockmapText: string
  readonly blockmap: Digest
}

export type Answer =
  | { readonly t: 'inspected'; readonly inspected: Inspected }
  | { readonly t: 'compared'; readonly differences: Differences }
  | { readonly t: 'unpacked'; readonly manifest: Manifest; readonly isNew: boolean }
  | { readonly t: 'failed'; readonly code: Code; readonly message: string }
