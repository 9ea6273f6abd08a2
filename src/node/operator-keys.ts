/** certs/operators/NAME.json: operators' keys, encrypted under their passphrases. A name is read by its parser before it becomes a path. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseOperatorName, ShoalError, systemCodeOf } from '../model/index.ts'
import { removeTree, writeDurable } from '../slots/index.ts'
import type { OperatorKeyFiles } from '../web/index.ts'

const suffix = '.json'

const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')

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
  return {
    save: (name, text) => writeDurable(pathOf(name), text, 0o600),
    drop: name => removeTree(pathOf(name)),
    keepsKeys: async () => (await names()).length > 0,
    read: async name => {
      try {
        return await readFile(pathOf(name), 'utf8')
      } catch (error) {
        if (isMissing(error) || error instanceof ShoalError) return null
        throw error
      }
    },
  }
}
