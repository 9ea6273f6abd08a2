/** certs/operators/NAME.json: operators' keys, encrypted under their passphrases. A name is read by its parser before it becomes a path. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseOperatorName, ShoalError, systemCodeOf } from '../model/index.ts'
import { removeTree, renameDurable, writeDurable } from '../slots/index.ts'
import type { OperatorKeyFiles, RecoveryKitFile } from '../web/index.ts'

const suffix = '.json'

const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')

/** Whoever logs in may write anything. */
function isName(text: string): boolean {
  try {
    parseOperatorName(text)
    return true
  } catch (error) {
    if (error instanceof ShoalError) return false
    throw error
  }
}

export function operatorKeyFiles(folder: string): OperatorKeyFiles {
  const names = async (): Promise<readonly string[]> => {
    try {
      return (await readdir(folder)).filter(name => name.endsWith(suffix))
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  }
  const pathOf = (name: string): string => join(folder, `${parseOperatorName(name)}${suffix}`)
  const newOf = (name: string): string => `${pathOf(name)}.new`
  const textOf = async (path: string): Promise<string | null> => {
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }
  return {
    stage: (name, text) => writeDurable(newOf(name), text, 0o600),
    settle: name => renameDurable(newOf(name), pathOf(name)),
    unstage: name => removeTree(newOf(name)),
    staged: async name => (isName(name) ? textOf(newOf(name)) : null),
    save: (name, text) => writeDurable(pathOf(name), text, 0o600),
    drop: async name => {
      await removeTree(pathOf(name))
      await removeTree(newOf(name))
    },
    keepsKeys: async () => (await names()).length > 0,
    read: async name => (isName(name) ? textOf(pathOf(name)) : null),
  }
}

export const recoveryKitFile = (path: string): RecoveryKitFile => ({
  stage: text => writeDurable(`${path}.new`, text, 0o600),
  settle: () => renameDurable(`${path}.new`, path),
  unstage: () => removeTree(`${path}.new`),
})
