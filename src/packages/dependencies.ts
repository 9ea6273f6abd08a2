/**
 * The production dependencies of an app as they are installed, and where each goes in the package so that Node's resolution finds
 * the same ones there: nested, hoisted above the app, or linked as a workspace. Development dependencies are never followed.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { Fields, parseJson } from '../model/index.ts'
import { maxDependencies } from './limits.ts'
import { reject, shown } from './rules.ts'

/** A package as it will stand in the zip. */
export interface Placed {
  /** Folder in the package, `''` for the app, else `node_modules/…`. */
  readonly location: string
  /** Real folder on disk. */
  readonly dir: string
  readonly pkg: Fields
  /** A workspace or `file:` link: its sources, packed by npm's rule. */
  readonly isLinked: boolean
}

interface Wanted {
  readonly name: string
  readonly isOptional: boolean
}

interface Found {
  readonly dir: string
  /** Where resolution met it, before links were followed. */
  readonly metAt: string
  readonly isLinked: boolean
}

/** The app in `root` and all that it needs, the app first. @throws ShoalError PACKAGE_REJECTED if a dependency is not installed */
export function productionTree(root: string, pkg: Fields): readonly Placed[] {
  const layout = new Layout({ location: '', dir: realpathSync(root), pkg, isLinked: true })
  // Each round may nest a package where an upper one would have been found instead; it ends when every edge resolves as on disk.
  while (layout.settle()) if (layout.size > maxDependencies) reject('dependency', `more than ${maxDependencies} dependencies`)
  return layout.all()
}

class Layout {
  readonly #root: Placed
  readonly #placed = new Map<string, Placed>()
  readonly #resolved = new Map<string, Found | null>()

  constructor(root: Placed) {
    this.#root = root
    this.#placed.set('', root)
  }

  get size(): number {
    return this.#placed.size
  }

  all(): readonly Placed[] {
    return [...this.#placed.values()]
  }

  /** Places what is missing; true if anything was. Placing while iterating visits the new ones too. */
  settle(): boolean {
    const before = this.#placed.size
    for (const each of this.#placed.values()) {
      for (const want of wantedBy(each.pkg)) this.#satisfy(each, want)
      if (this.#placed.size > maxDependencies) break
    }
    return this.#placed.size > before
  }

  #satisfy(from: Placed, want: Wanted): void {
    const found = this.#find(from.dir, want.name)
    if (found === null) {
      if (want.isOptional) return
      reject('dependency', `${shown(want.name)}, which ${shown(from.location || 'the app')} needs, is not installed (npm ci)`)
    }
    const seen = this.#lookUp(from.location, want.name)
    if (seen?.dir === found.dir) return
    const location = seen === null ? this.#freePlace(from, want.name, found) : posix.join(from.location, 'node_modules', want.name)
    this.#placed.set(location, { location, dir: found.dir, pkg: readJson(found.dir), isLinked: found.isLinked })
  }

  #find(dir: string, name: string): Found | null {
    const key = `${dir}\0${name}`
    const known = this.#resolved.get(key)
    if (known !== undefined) return known
    const found = resolveOnDisk(dir, name)
    this.#resolved.set(key, found)
    return found
  }

  /** Node's resolution within the package: nearest node_modules first. */
  #lookUp(location: string, name: string): Placed | null {
    for (const base of basesOf(location)) {
      const placed = this.#placed.get(posix.join(base, 'node_modules', name))
      if (placed !== undefined) return placed
    }
    return null
  }

  /** Where it stands on disk, if that is below the app and the one who needs it sees it; else the top. Both are free: nothing was seen. */
  #freePlace(from: Placed, name: string, found: Found): string {
    const onDisk = relative(this.#root.dir, found.metAt).split(sep).join('/')
    const seenFrom = basesOf(from.location).map(base => posix.join(base, 'node_modules', name))
    return seenFrom.includes(onDisk) ? onDisk : posix.join('node_modules', name)
  }
}

/** The folders whose node_modules are looked at from `location`, the nearest first. */
function basesOf(location: string): readonly string[] {
  const parts = location === '' ? [] : location.split('/')
  const bases: string[] = []
  for (let n = parts.length; n > 0; n--)
    if (parts[n - 1] !== 'node_modules' && !parts[n - 1]?.startsWith('@')) bases.push(parts.slice(0, n).join('/'))
  return [...bases, '']
}

const dependencyName = /^(?:@[a-z0-9._~-]+\/)?[a-z0-9_~-][a-z0-9._~-]*$/i

function wantedBy(pkg: Fields): readonly Wanted[] {
  const names = (key: string): readonly string[] => {
    const value = pkg.raw(key)
    return typeof value === 'object' && value !== null ? Object.keys(value).filter(name => dependencyName.test(name)) : []
  }
  const optional = names('optionalDependencies')
  const needed = names('dependencies').filter(name => !optional.includes(name))
  // npm installs peers; one that is missing is the app's own choice.
  const peers = names('peerDependencies').filter(name => !needed.includes(name) && !optional.includes(name))
  return [...needed.map(name => ({ name, isOptional: false })), ...[...optional, ...peers].map(name => ({ name, isOptional: true }))]
}

function resolveOnDisk(from: string, name: string): Found | null {
  for (let dir = from; ; dir = dirname(dir)) {
    const metAt = join(dir, 'node_modules', name)
    if (statSync(join(metAt, 'package.json'), { throwIfNoEntry: false })?.isFile() === true) {
      const real = realpathSync(metAt)
      return { dir: real, metAt, isLinked: !real.split(sep).includes('node_modules') }
    }
    if (dirname(dir) === dir) return null
  }
}

function readJson(dir: string): Fields {
  const file = join(dir, 'package.json')
  return new Fields(parseJson(readFileSync(file, 'utf8'), file), file)
}
