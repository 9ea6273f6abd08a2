/**
 * The built-in slot: the running program, copied once into the home that it founds, so that no later change to the checkout or
 * to npm's folder changes the node. Staged beside, fsynced, renamed; hard links where the disk allows.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, constants, copyFile, link, mkdir, open, readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Digest, Fields, type Manifest, parseAppName, parseJson, parseVersion, ShoalError, systemCodeOf } from '../model/index.ts'
import { realDisk, removeTree, renameDurable, writeDurable } from './durable.ts'
import { digestOfFiles, fileListName, forEachAtOnce, formatFileList, listFiles, verifySlot, walk } from './files.ts'
import { homePaths } from './paths.ts'
import { isDiskFull, isWindows } from './platform.ts'
import { entryOf, nodePackageName, slotDir, thisPlatform } from './slot.ts'

/** One file of the program: where it is, where it goes, and whether it may be one file with two names. */
interface Source {
  readonly path: string
  readonly from: string
  readonly isLinked: boolean
}

/**
 * Makes the built-in slot from the program in `programDir` and marks it as such.
 * @returns its digest; the slot may have been there already
 * @throws ShoalError HOME_DAMAGED if programDir holds no program, DISK_FULL
 */
export async function installBuiltIn(home: string, programDir: string): Promise<Digest> {
  const paths = homePaths(home)
  const sources = await sourcesOf(await realpath(programDir))
  const staged = join(paths.slots, `.new-${process.pid}-${randomBytes(4).toString('hex')}`)
  try {
    await mkdir(staged, { recursive: true })
    await stage(sources, staged)
    await writeDurable(join(staged, 'shoal.json'), `${JSON.stringify(await manifestOf(programDir), null, 2)}\n`)
    const files = await listFiles(staged, ['shoal.json', ...sources.map(s => s.path)])
    const digest = digestOfFiles(files)
    await writeDurable(join(staged, fileListName), formatFileList(files))
    await syncFolders(sources, staged)
    await settle(staged, slotDir(home, digest))
    await writeDurable(paths.builtIn, `${digest}\n`)
    return digest
  } catch (error) {
    if (isDiskFull(error)) throw new ShoalError('DISK_FULL', `${staged}: no space for the built-in slot`, { cause: error })
    throw error
  } finally {
    await removeTree(staged)
  }
}

/** A slot of that digest which is there and whole stays; a damaged one makes way. */
async function settle(staged: string, dir: string): Promise<void> {
  if (existsSync(dir)) {
    const problems = await verifySlot(dir).catch(() => ['no file list'])
    if (problems.length === 0) return
    const damaged = `${dirname(dir)}/.gone-${randomBytes(4).toString('hex')}`
    await renameDurable(dir, damaged)
    await removeTree(damaged)
  }
  await renameDurable(staged, dir)
}

async function sourcesOf(programDir: string): Promise<readonly Source[]> {
  if (entryOf(programDir) === null) throw new ShoalError('HOME_DAMAGED', `${programDir}: has no src/entry.ts, so it is no program of Shoal`)
  const own = ['package.json', 'LICENSE', 'README.md', 'bin/node', 'bin/node.exe', 'bin/LICENSE'].filter(path =>
    existsSync(join(programDir, path)),
  )
  // The dashboard's sources stay behind, what was built of them comes along.
  const code = (await walk(join(programDir, 'src'), path => path !== 'ui')).map(path => `src/${path}`)
  const built = join(programDir, 'dist', 'ui')
  const pages = existsSync(built) ? (await walk(built)).map(path => `dist/ui/${path}`) : []
  const copied = [...own, ...code, ...pages].map(path => ({ path, from: join(programDir, path), isLinked: path.startsWith('bin/') }))
  const modules = await modulesOf(programDir)
  const linked = await Promise.all(modules.map(folder => filesOfModule(programDir, folder)))
  return [...copied, ...linked.flat()]
}

/** Folders of the production packages, as npm noted them; a slot without npm's note holds no others. */
async function modulesOf(programDir: string): Promise<readonly string[]> {
  const note = join(programDir, 'node_modules', '.package-lock.json')
  if (!existsSync(note)) return existsSync(join(programDir, 'node_modules')) ? ['node_modules'] : []
  const packages = new Fields(new Fields(parseJson(await readFile(note, 'utf8'), note, 1 << 26), note).raw('packages'), note)
  const folders: string[] = []
  for (const folder of packages.keys()) {
    const entry = new Fields(packages.raw(folder), folder)
    if (!folder.startsWith('node_modules/') || entry.raw('dev') === true || !fitsMachine(entry)) continue
    if (existsSync(join(programDir, folder, 'package.json'))) folders.push(folder)
    else if (entry.raw('optional') !== true) throw new ShoalError('HOME_DAMAGED', `${join(programDir, folder)}: is missing; run npm ci`)
  }
  return folders
}

function fitsMachine(entry: Fields): boolean {
  const allows = (key: string, own: string): boolean => {
    const list = entry.raw(key)
    if (!Array.isArray(list) || list.length === 0) return true
    const wanted = list.filter(each => typeof each === 'string')
    if (wanted.includes(`!${own}`)) return false
    return wanted.includes(own) || wanted.every(each => each.startsWith('!'))
  }
  return allows('os', process.platform) && allows('cpu', process.arch)
}

/** Files of one package without the packages inside it, which are listed themselves. Of Node.js only what runs. */
async function filesOfModule(programDir: string, folder: string): Promise<readonly Source[]> {
  const root = await realpath(join(programDir, folder))
  const isAll = folder === 'node_modules'
  const found = await walk(root, path => isAll || !path.endsWith('node_modules'))
  const isWanted = (path: string): boolean => {
    if (isAll && path.startsWith('.')) return false
    const carried = isAll ? path.slice(`${nodePackageName()}/`.length) : path
    const isNode = isAll ? path.startsWith(`${nodePackageName()}/`) : folder === `node_modules/${nodePackageName()}`
    return !isNode || /^(?:bin\/node(?:\.exe)?|package\.json|LICENSE)$/.test(carried)
  }
  return found.filter(isWanted).map(path => ({ path: `${folder}/${path}`, from: join(root, path), isLinked: true }))
}

async function stage(sources: readonly Source[], staged: string): Promise<void> {
  for (const folder of foldersOf(sources)) await mkdir(join(staged, folder), { recursive: true })
  let canLink = true
  await forEachAtOnce(sources, async ({ path, from, isLinked }) => {
    const to = join(staged, path)
    if (isLinked && canLink) {
      canLink = await tryLink(from, to)
      if (canLink) return syncFile(to, 'r')
    }
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
    await syncFile(to, 'r+')
  })
}

/** false: this disk does not link these files (another file system, too many links, not allowed): copy. */
async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS', 'EACCES', 'EINVAL'].includes(systemCodeOf(error) ?? '')) return false
    throw error
  }
}

/** Windows flushes only what is open for writing, and a linked file is not ours to open so. */
async function syncFile(path: string, flags: 'r' | 'r+'): Promise<void> {
  if (isWindows && flags === 'r') return
  if (flags === 'r+') await chmod(path, 0o644 | ((await isExecutable(path)) ? 0o111 : 0))
  await using file = await open(path, flags)
  await file.sync()
}

async function isExecutable(path: string): Promise<boolean> {
  await using file = await open(path, 'r')
  return ((await file.stat()).mode & 0o100) !== 0
}

const foldersOf = (sources: readonly Source[]): readonly string[] => [...new Set(sources.map(s => dirname(s.path)))]

async function syncFolders(sources: readonly Source[], staged: string): Promise<void> {
  const all = new Set<string>([''])
  for (const folder of foldersOf(sources)) {
    for (let at = folder; at !== '.' && at !== ''; at = dirname(at)) all.add(at)
  }
  await forEachAtOnce([...all], folder => realDisk.syncFolder(join(staged, folder)))
}

async function manifestOf(programDir: string): Promise<Manifest> {
  const path = join(programDir, 'package.json')
  const own = new Fields(parseJson(await readFile(path, 'utf8'), path), path)
  const engines = new Fields(own.raw('engines') ?? {}, `${path}.engines`)
  return {
    schema: 1,
    kind: 'shoal',
    name: own.get('name', parseAppName),
    version: own.get('version', parseVersion),
    platform: thisPlatform(),
    engines: engines.has('node') ? { node: engines.string('node') } : {},
    dataVersion: 1,
    minFrom: null,
    handover: 'exclusive',
    probationMs: null,
    entry: entryOf(programDir)?.endsWith('.js') === true ? 'src/entry.js' : 'src/entry.ts',
  }
}
