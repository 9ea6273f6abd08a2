/**
 * Takes a node's identity out of its home: data, backups, logs, packages and config.json stay, keys and certificates go to a folder of
 * their own, the facts go. The slots' pointer goes last: after a death in between the home is still a node, and this can be done again.
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { formatConfig } from '../../model/index.ts'
import { type HomePaths, makeFolderSync, realDisk, removeTree, renameDurable, writeDurable } from '../../slots/index.ts'
import { readConfig } from './at-home.ts'
import { unfinishedMark } from './state.ts'

/** @returns the folder in which the old keys are */
export async function retire(paths: HomePaths, now = new Date()): Promise<string> {
  const config = readConfig(paths)
  const away = join(paths.certs, `left-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`)
  makeFolderSync(away, 0o700)
  await writeDurable(unfinishedMark(paths), '')
  const identity = [paths.nodePem, paths.nodeKey, paths.caPem, paths.caKey, paths.operators, paths.recoveryKit, paths.firstOperator]
  for (const path of identity) if (existsSync(path)) await renameDurable(path, join(away, basename(path)))
  for (const suffix of ['', '-wal', '-shm']) await removeTree(paths.db + suffix)
  await removeTree(paths.localToken)
  await writeDurable(paths.config, formatConfig({ ...config, peers: [] }))
  for (const path of [paths.attempts, paths.current, paths.currentCopy, paths.builtIn]) await removeTree(path)
  // Else a power cut brings a pointer back, and with it a node without keys.
  await realDisk.syncFolder(paths.slots)
  return away
}
