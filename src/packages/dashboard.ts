/**
 * Sees that a program brings its dashboard, built from its own sources: before it is copied into a home or packed. A slot or an unpacked package
 * has no sources and is left alone. Built beside and renamed, so that nobody copies half of it.
 */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf, ShoalError, systemCodeOf } from '../model/index.ts'
import { renameDurable } from '../slots/index.ts'

/** ms for the bundler, which takes one second on an idle machine. */
const buildMs = 120_000
/** Which sources the built files were made of. */
const stampName = 'sources.txt'

const places = (programDir: string): { readonly sources: string; readonly built: string; readonly bundler: string } => ({
  sources: join(programDir, 'src', 'ui'),
  built: join(programDir, 'dist', 'ui'),
  bundler: join(programDir, 'node_modules', 'vite', 'bin', 'vite.js'),
})

/**
 * Builds the dashboard if this is a checkout that can and has none of these very sources.
 * @returns what went wrong, in one line for people; null: all is well. A node starts without a dashboard, too.
 */
export async function ensureDashboard(programDir: string): Promise<string | null> {
  const { sources, built, bundler } = places(programDir)
  if (!existsSync(join(sources, 'index.html')) || !existsSync(bundler)) return null
  try {
    const stamp = await readFile(join(built, stampName), 'utf8').catch(() => '')
    if (stamp !== (await stampOf(programDir))) await buildDashboard(programDir)
    return null
  } catch (error) {
    return `the dashboard is not built: ${messageOf(error)}`
  }
}

/** @throws ShoalError INTERNAL with the bundler's first words */
export async function buildDashboard(programDir: string): Promise<void> {
  const { sources, built, bundler } = places(programDir)
  const beside = join(programDir, 'dist', `.ui-${randomBytes(4).toString('hex')}`)
  try {
    await mkdir(join(programDir, 'dist'), { recursive: true })
    const stamp = await stampOf(programDir)
    const command = [bundler, 'build', sources, '--outDir', beside, '--emptyOutDir', '--logLevel', 'error']
    await promisify(execFile)(process.execPath, command, { cwd: programDir, timeout: buildMs })
    await writeFile(join(beside, stampName), stamp)
    await replace(beside, built)
  } catch (error) {
    throw new ShoalError(
      'INTERNAL',
      messageOf(error)
        .replace(/^Command failed: .*\n/, '')
        .slice(0, 500),
      { cause: error },
    )
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
}

/** Two that build at once make the same: the second's stays. */
async function replace(beside: string, built: string): Promise<void> {
  const old = `${beside}.old`
  await renameDurable(built, old).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error
  })
  await renameDurable(beside, built).catch((error: unknown) => {
    if (!existsSync(join(built, stampName))) throw error
  })
  await rm(old, { recursive: true, force: true })
}

async function stampOf(programDir: string): Promise<string> {
  const { sources } = places(programDir)
  const hash = createHash('sha256')
  const files = (await readdir(sources, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile())
  const paths = files.map(entry => join(entry.parentPath, entry.name)).toSorted()
  for (const path of [...paths, join(programDir, 'package.json')])
    hash
      .update(`${path.slice(programDir.length)}\0`)
      .update(await readFile(path))
      .update('\0')
  return `${hash.digest('hex')}\n`
}
