/**
 * Which files go into a package: the app's and its linked packages' by npm's own rule, installed dependencies whole but for their
 * nested node_modules. Never a node's data (`instance/`, `certs/`), never a link, never a package made before.
 */
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { Fields } from '../model/index.ts'
import type { Placed } from './dependencies.ts'
import type { PackFile } from './zip-writer.ts'

/** npm-packlist as we call it: a hand-made node of the installed tree, without edges, since dependencies are walked here. */
type PackList = (tree: {
  path: string
  package: Readonly<Record<string, unknown>>
  isProjectRoot: boolean
  edgesOut: ReadonlyMap<string, never>
}) => Promise<readonly string[]>

/** Loaded where something is packed: a node at its start waits for none of it. */
async function npmPackList(): Promise<PackList> {
  // @ts-expect-error -- the package has no type declarations
  const { default: packList } = (await import('npm-packlist')) as { default: PackList }
  return packList
}

/** The files of one placed package, with their paths in the zip. `entry`: a file that is in whatever the rules say, as npm does with `main`. */
export async function filesOf(placed: Placed, entry?: string): Promise<readonly PackFile[]> {
  const names = placed.isLinked ? await npmFiles(placed, entry) : installedFiles(placed.dir)
  return names.filter(name => placed.location !== '' || !isKept(name)).map(name => packFile(placed, name))
}

/** A node's own: a checkout can be a home. */
const isKept = (name: string): boolean => /^(?:instance|certs)(?:\/|$)/i.test(name)

function packFile(placed: Placed, name: string): PackFile {
  const file = join(placed.dir, name)
  const isExecutable = (statSync(file).mode & 0o111) !== 0
  return { path: posix.join(placed.location, name), mode: isExecutable ? 0o755 : 0o644, read: () => readFileSync(file) }
}

async function npmFiles(placed: Placed, entry: string | undefined): Promise<readonly string[]> {
  const fields = Object.fromEntries(placed.pkg.keys().map(key => [key, placed.pkg.raw(key)]))
  const packList = await npmPackList()
  const files = await packList({
    path: placed.dir,
    package: { ...fields, bundleDependencies: [], ...binsOf(placed, entry) },
    isProjectRoot: true,
    edgesOut: new Map<string, never>(),
  })
  return files.map(name => name.replaceAll('\\', '/'))
}

function binsOf(placed: Placed, entry: string | undefined): { bin?: Readonly<Record<string, unknown>> } {
  const bin = placed.pkg.raw('bin')
  const declared = typeof bin === 'string' ? { bin } : typeof bin === 'object' && bin !== null ? new Fields(bin, 'bin') : null
  const all = declared instanceof Fields ? Object.fromEntries(declared.keys().map(key => [key, declared.raw(key)])) : (declared ?? {})
  return { bin: { ...all, ...(entry === undefined ? {} : { 'shoal-entry': entry }) } }
}

function installedFiles(dir: string, below = ''): readonly string[] {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap(each => {
    const name = posix.join(below, each.name)
    if (each.isDirectory()) return isLeftOut(each) ? [] : installedFiles(dir, name)
    return each.isFile() && !isLeftOut(each) ? [name] : []
  })
}

const leftOut: ReadonlySet<string> = new Set(['node_modules', '.git', '.svn', '.hg', 'CVS', '.npmrc', '.DS_Store', '.package-lock.json'])
const isLeftOut = (each: Dirent): boolean => leftOut.has(each.name)
