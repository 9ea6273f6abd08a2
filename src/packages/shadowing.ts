/**
 * Files of a slot that its package does not have. An app may have written them (a cache, uploads), and they change nothing of what was signed,
 * unless Node.js would find one of them where it finds a file of the package today: such a file takes that one's place without a byte of it
 * being changed. Pure. A name that nothing in the package answers to is none of these: who asks for it means a file that may be missing.
 */

/** What `require('./x')` tries after `x` itself and before the folder `x`, in this order. */
const tried = ['.js', '.json', '.node']

/** How a file that is not in the package is judged: by its path in the slot, with `/`. */
export type IsShadowing = (path: string) => boolean

/** @param packaged paths of the package's files */
export function shadowingOf(packaged: Iterable<string>): IsShadowing {
  const files = new Set(packaged)
  const folders = new Set([...files].flatMap(foldersOf))
  return path => isBesideDependencies(path) || isNearerManifest(path, folders) || isTriedFirst(path, files, folders)
}

/** Every folder above a file, the slot itself being ''. */
function foldersOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1)
  return ['', ...parts.map((_, at) => parts.slice(0, at + 1).join('/'))]
}

/** Bare names are looked for in every `node_modules` on the way up. One with a dot is no package's: tools keep caches there. */
function isBesideDependencies(path: string): boolean {
  const parts = path.split('/')
  return parts.some((part, at) => part === 'node_modules' && parts[at + 1]?.startsWith('.') !== true)
}

/** A package.json says for all below it what kind of modules they are, and which file a folder stands for. */
function isNearerManifest(path: string, folders: ReadonlySet<string>): boolean {
  const cut = path.lastIndexOf('/')
  return path.slice(cut + 1) === 'package.json' && folders.has(path.slice(0, Math.max(0, cut)))
}

function isTriedFirst(path: string, files: ReadonlySet<string>, folders: ReadonlySet<string>): boolean {
  const answers = (asked: string, from: number): boolean =>
    tried.slice(from).some(ending => files.has(asked + ending)) || folders.has(asked)
  const at = tried.findIndex(ending => path.endsWith(ending))
  return answers(path, 0) || (at >= 0 && answers(path.slice(0, -(tried[at] ?? '').length), at + 1))
}
