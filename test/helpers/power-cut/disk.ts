/**
 * The worst disk that a power cut may leave, as POSIX has it: of a file that was written only what an fsync covered is surely there, and a name that was
 * made, moved or removed surely only when its folder was fsynced after that. Everything else happened or not, each by itself. Pure: from what a
 * process asked of the disk, and where it was cut, to the files that are there afterwards.
 */

/** What was asked of the disk, in the order in which it was answered. Paths are absolute, below the root of the disk. */
export type Change =
  | { readonly kind: 'open'; readonly path: string; readonly mode: number; readonly isEmptied: boolean }
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  /** `at` null: at the end. */
  | { readonly kind: 'write'; readonly path: string; readonly at: number | null; readonly bytes: Buffer }
  | { readonly kind: 'size'; readonly path: string; readonly size: number }
  | { readonly kind: 'mode'; readonly path: string; readonly mode: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  /** Covers what was answered before it began: changes before `since`. */
  | { readonly kind: 'sync'; readonly path: string; readonly since: number }

/** What is on the disk surely when the record begins. */
export interface Known {
  readonly path: string
  readonly mode: number
  /** Bytes of a file; null: a folder. */
  readonly size: number | null
}

export interface CrashedFile {
  readonly kind: 'file'
  readonly mode: number
  /** The file outside of the record that it began as; null: as nothing. */
  readonly source: string | null
  /** What came of it, in order. */
  readonly edits: readonly Edit[]
}

export type Crashed = CrashedFile | { readonly kind: 'folder'; readonly mode: number }
type Edit = { readonly start: number; readonly bytes: Buffer } | { readonly size: number }

/** What becomes of that which no fsync covers. */
export interface Fate {
  /** Did the name change, as one of the record, reach the disk? */
  readonly name: (change: number) => boolean
  /** How much of what was written: a share from 0 to 1. */
  readonly bytes: (change: number) => number
}

export const fates = {
  /** Nothing that was not asked for to be kept. */
  nothing: { name: () => false, bytes: () => 0 },
  /** As journalling file systems do it: names at once, bytes later. */
  names: { name: () => true, bytes: () => 0 },
  /** Each by chance, and some writes in part. */
  some: (random: () => number): Fate => ({ name: () => random() < 0.5, bytes: () => Math.max(0, Math.min(1, random() * 3 - 1)) }),
}

interface Data {
  readonly change: number
  readonly edit: Edit
  isSynced: boolean
}

class FileNode {
  readonly kind = 'file'
  mode: number
  size: number
  readonly source: string | null
  readonly data: Data[] = []

  constructor(mode: number, source: string | null, size: number) {
    this.mode = mode
    this.source = source
    this.size = size
  }
}

interface Naming {
  readonly change: number
  readonly name: string
  readonly node: Node | null
}

class FolderNode {
  readonly kind = 'folder'
  mode: number
  /** As who asks now sees it. */
  readonly names = new Map<string, Node>()
  readonly known = new Map<string, Node>()
  readonly changes: Naming[] = []

  constructor(mode: number) {
    this.mode = mode
  }
}

type Node = FileNode | FolderNode

const split = (path: string): readonly [string, string] => {
  const at = path.lastIndexOf('/')
  return [path.slice(0, at), path.slice(at + 1)]
}

/** A disk as it is asked; `crashed` tells what a cut leaves of it. */
export class RecordedDisk {
  readonly #root = new FolderNode(0o755)
  /** Name changes that surely reached the disk. */
  readonly #safe = new Set<number>()
  readonly #sizeOf: (path: string) => number
  #count = 0

  /** @param sizeOf of files from outside of the record that are linked into it */
  constructor(known: readonly Known[], sizeOf: (path: string) => number = () => 0) {
    this.#sizeOf = sizeOf
    for (const { path, mode, size } of known.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
      const [folder, name] = this.#placeOf(path, true)
      const node = size === null ? new FolderNode(mode) : new FileNode(mode, path, size)
      folder.names.set(name, node)
      folder.known.set(name, node)
    }
  }

  apply(change: Change): void {
    const id = this.#count++
    switch (change.kind) {
      case 'open':
        this.#open(id, change)
        return
      case 'folder':
        this.#name(id, change.path, new FolderNode(change.mode))
        return
      case 'write':
      case 'size':
        this.#edit(id, change)
        return
      case 'mode': {
        const node = this.#find(change.path)
        if (node !== null) node.mode = change.mode
        return
      }
      case 'rename':
        this.#rename(id, change.from, change.to)
        return
      case 'link':
        this.#name(id, change.to, this.#find(change.from) ?? new FileNode(0o644, change.from, this.#sizeOf(change.from)))
        return
      case 'remove':
        this.#name(id, change.path, null)
        return
      case 'sync':
        this.#sync(change.path, change.since)
    }
  }

  /** What is there after the power went now; folders before what is in them. */
  crashed({ name, bytes }: Fate): ReadonlyMap<string, Crashed> {
    // Asked once for each change, so that a rename between folders happens in both or in none.
    const told = new Map<number, boolean>()
    const isThere = (change: number): boolean => {
      const known = this.#safe.has(change) || (told.get(change) ?? name(change))
      told.set(change, known)
      return known
    }
    const found = new Map<string, Crashed>()
    const visit = (folder: FolderNode, path: string): void => {
      for (const [own, node] of namesAfter(folder, isThere)) {
        const below = `${path}/${own}`
        found.set(below, node.kind === 'file' ? crashedFile(node, bytes) : { kind: 'folder', mode: node.mode })
        if (node.kind === 'folder') visit(node, below)
      }
    }
    visit(this.#root, '')
    return found
  }

  #open(id: number, { path, mode, isEmptied }: Extract<Change, { kind: 'open' }>): void {
    const node = this.#find(path)
    if (node === null) this.#name(id, path, new FileNode(mode, null, 0))
    else if (isEmptied && node.kind === 'file') this.#edit(id, { kind: 'size', path, size: 0 })
  }

  #edit(change: number, { path, ...what }: Extract<Change, { kind: 'write' | 'size' }>): void {
    const node = this.#find(path)
    if (node?.kind !== 'file') throw new Error(`change ${change}: ${path} is no file of the record`)
    if (what.kind === 'size') {
      if (what.size !== node.size) node.data.push({ change, edit: { size: what.size }, isSynced: false })
      node.size = what.size
      return
    }
    const start = what.at ?? node.size
    node.data.push({ change, edit: { start, bytes: what.bytes }, isSynced: false })
    node.size = Math.max(node.size, start + what.bytes.length)
  }

  #name(change: number, path: string, node: Node | null): void {
    const [folder, name] = this.#placeOf(path)
    folder.changes.push({ change, name, node })
    if (node === null) folder.names.delete(name)
    else folder.names.set(name, node)
  }

  #rename(change: number, from: string, to: string): void {
    const node = this.#find(from)
    if (node === null) throw new Error(`change ${change}: ${from} is not of the record`)
    this.#name(change, from, null)
    this.#name(change, to, node)
  }

  #sync(path: string, since: number): void {
    const node = this.#find(path)
    if (node?.kind === 'file') for (const each of node.data) each.isSynced ||= each.change < since
    if (node?.kind === 'folder') for (const { change } of node.changes) if (change < since) this.#safe.add(change)
  }

  #find(path: string): Node | null {
    const [dir, name] = split(path)
    if (dir === '' && name === '') return this.#root
    const folder = dir === '' ? this.#root : this.#find(dir)
    return folder?.kind === 'folder' ? (folder.names.get(name) ?? null) : null
  }

  /** @param isKnown folders that lead there are there */
  #placeOf(path: string, isKnown = false): readonly [FolderNode, string] {
    const [dir, name] = split(path)
    const folder = dir === '' ? this.#root : this.#find(dir)
    if (folder?.kind === 'folder') return [folder, name]
    if (!isKnown) throw new Error(`${dir} is no folder of the record`)
    const [above, own] = this.#placeOf(dir, true)
    const made = new FolderNode(0o755)
    above.names.set(own, made)
    above.known.set(own, made)
    return [made, name]
  }
}

function namesAfter(folder: FolderNode, isThere: (change: number) => boolean): ReadonlyMap<string, Node> {
  const names = new Map(folder.known)
  for (const { change, name, node } of folder.changes) {
    if (!isThere(change)) continue
    if (node === null) names.delete(name)
    else names.set(name, node)
  }
  return names
}

function crashedFile(node: FileNode, keptOf: Fate['bytes']): CrashedFile {
  const edits = node.data.flatMap(({ change, edit, isSynced }): readonly Edit[] => {
    const share = isSynced ? 1 : keptOf(change)
    if (share === 0) return []
    if (share === 1 || !('bytes' in edit)) return [edit]
    return [{ start: edit.start, bytes: edit.bytes.subarray(0, Math.floor(edit.bytes.length * share)) }]
  })
  return { kind: 'file', mode: node.mode, source: node.source, edits }
}

/** The bytes of a file that a crash left. @param bytesOf what it began as */
export function contentOf(file: CrashedFile, bytesOf: (source: string) => Buffer): Buffer {
  let content = file.source === null ? Buffer.alloc(0) : bytesOf(file.source)
  for (const edit of file.edits) {
    const size = 'size' in edit ? edit.size : Math.max(content.length, edit.start + edit.bytes.length)
    const next = Buffer.alloc(size)
    content.copy(next, 0, 0, Math.min(content.length, size))
    if ('bytes' in edit) edit.bytes.copy(next, edit.start)
    content = next
  }
  return content
}
