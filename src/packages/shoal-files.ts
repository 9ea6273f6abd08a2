/**
 * What goes into the package of Shoal itself: compiled sources, production dependencies without what only builds them, and the Node.js of
 * one platform in bin/. The same files, unpacked by any unzip, are a program that runs on a box that has nothing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type ts from 'typescript'
import { type Fields, ShoalError, systemCodeOf } from '../model/index.ts'
import { entryOf, nodeBinaryOf } from '../slots/index.ts'
import { filesOf } from './app-files.ts'
import { type Placed, productionTree } from './dependencies.ts'
import { platformOfPrebuild, thisMachine } from './native.ts'
import { reject } from './rules.ts'
import type { PackFile } from './zip-writer.ts'

export interface ShoalFiles {
  readonly files: readonly PackFile[]
  /** The module that loader and supervisor start. */
  readonly entry: string
  /** false: none exists for the platform (Apple silicon, musl); the machine's own must serve. */
  readonly hasNode: boolean
}

/** @throws ShoalError NOT_AN_APP if `root` is no program of Shoal, PACKAGE_REJECTED if something of it is not installed */
export async function shoalFiles(root: string, pkg: Fields, platform: string): Promise<ShoalFiles> {
  const entry = entryOf(root)
  if (entry === null) throw new ShoalError('NOT_AN_APP', `${root}: has no src/entry.ts, so it is no program of Shoal`)
  if (platform === 'any') throw new ShoalError('BAD_REQUEST', 'platform: a package of Shoal is for one platform, not for any')
  const [app, ...others] = productionTree(root, pkg)
  const own = app === undefined ? [] : await filesOf(app, relative(root, entry).replaceAll('\\', '/'))
  const dependencies = await Promise.all(others.filter(each => !isCarrier(each)).map(each => filesOf(each)))
  const node = nodeFiles(root, pkg, others, platform)
  const sources = await compiled(own.filter(file => !file.path.startsWith('bin/')))
  const files = [...sources, ...dependencies.flat().filter(file => isNeeded(file.path, platform)), ...node]
  return { files, entry: sources.some(file => file.path === 'src/entry.js') ? 'src/entry.js' : 'src/entry.ts', hasNode: node.length > 0 }
}

/** npm packages that carry Node.js: of theirs only the binary travels. */
const isCarrier = (placed: Placed): boolean => /^node_modules\/node-(?:linux|win|darwin)-[a-z0-9]+$/.test(placed.location)

/** C sources, types and maps are for builders; an addon of another platform is for nobody here. */
function isNeeded(path: string, platform: string): boolean {
  if (/\.(?:map|d\.[cm]?ts)$/.test(path)) return false
  if (/^node_modules\/(?:node-addon-api|better-sqlite3\/(?:deps|src))\//.test(path)) return false
  const prebuilt = platformOfPrebuild(path)
  return prebuilt === null || prebuilt === platform
}

/** The binary and its licence. From a slot or an unpacked zip they are in bin/, from a checkout in npm's package. */
function nodeFiles(root: string, pkg: Fields, placed: readonly Placed[], platform: string): readonly PackFile[] {
  const name = platform.startsWith('win32-') ? 'node.exe' : 'node'
  const carrier = `node-${platform.replace(/^win32-/, 'win-')}`
  const dir = placed.find(each => each.location === `node_modules/${carrier}`)?.dir
  const binary = dir === undefined ? ownNode(root, platform) : join(dir, 'bin', name)
  if (binary === null && isNamed(pkg, carrier))
    return reject('dependency', `${carrier}, which brings the Node.js for ${platform}, is not installed`)
  if (binary === null) return []
  if (!existsSync(binary)) return reject('dependency', `${carrier} has no bin/${name}`)
  const licence = dir === undefined ? join(root, 'bin', 'LICENSE') : join(dir, 'LICENSE')
  const file = (path: string, from: string, mode: 0o644 | 0o755): PackFile => ({ path, mode, read: () => readFileSync(from) })
  return [file(`bin/${name}`, binary, 0o755), ...(existsSync(licence) ? [file('bin/LICENSE', licence, 0o644)] : [])]
}

const ownNode = (root: string, platform: string): string | null => (platform === thisMachine().platform ? nodeBinaryOf(root) : null)

const isNamed = (pkg: Fields, carrier: string): boolean => {
  const optional = pkg.raw('optionalDependencies')
  return typeof optional === 'object' && optional !== null && Object.hasOwn(optional, carrier)
}

/** Source becomes JavaScript. Where there is no compiler (in a slot) it stays as it is: Node.js strips the types. */
async function compiled(files: readonly PackFile[]): Promise<readonly PackFile[]> {
  const compiler = await loadCompiler()
  if (compiler === null) return files
  return files.map(file => {
    if (!/^src\/.*(?<!\.d)\.ts$/.test(file.path)) return file
    return { ...file, path: file.path.replace(/\.ts$/, '.js'), read: () => Buffer.from(compile(compiler, file)) }
  })
}

async function loadCompiler(): Promise<typeof ts | null> {
  try {
    return (await import('typescript')).default
  } catch (error) {
    if (systemCodeOf(error) === 'ERR_MODULE_NOT_FOUND') return null
    throw error
  }
}

function compile(compiler: typeof ts, file: PackFile): string {
  const { outputText, diagnostics = [] } = compiler.transpileModule(Buffer.from(file.read()).toString('utf8'), {
    fileName: file.path,
    reportDiagnostics: true,
    compilerOptions: {
      target: compiler.ScriptTarget.ESNext,
      module: compiler.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  })
  const [problem] = diagnostics
  if (problem !== undefined)
    throw new ShoalError('NOT_AN_APP', `${file.path}: ${compiler.flattenDiagnosticMessageText(problem.messageText, ' ')}`)
  return outputText
}
