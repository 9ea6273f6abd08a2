/** What a service's definition is made of, and the files that it becomes. */
import type { Address } from '../../model/index.ts'

export const kinds = ['systemd', 'launchd', 'winsw', 'task'] as const
export type Kind = (typeof kinds)[number]

export interface ServiceFacts {
  /** Of the service; several homes on one machine have several names. */
  readonly name: string
  readonly home: string
  /** The Node.js and the loader of the slot that the node was installed with: neither a checkout nor an update takes them away. */
  readonly node: string
  readonly loader: string
  /** Where the service manager may listen for the node; null: config.json names no plain address. */
  readonly listen: Address | null
  /** Folders below the home that are links to somewhere else; they must stay writable. */
  readonly elsewhere: readonly string[]
  /** Owner of the home, whose rights the node needs and no more; null: root, or the system has no such thing. */
  readonly user: string | null
}

/** One file of a definition. */
export interface ServiceFile {
  readonly path: string
  readonly text: string
}

/** What the node's environment says about who runs it. */
export const serviceWord = (kind: Kind, facts: Pick<ServiceFacts, 'name'>): string => `${kind}:${facts.name}`

/** Text for an element or an attribute of XML; characters that XML cannot hold have been refused before. */
export const xml = (text: string): string =>
  text.replace(/[&<>"']/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' })[c] ?? c)

/** A word of a Windows command line, as its C runtime takes it apart again: backslashes count double before a quote only. */
export const windowsWord = (word: string): string => `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`
