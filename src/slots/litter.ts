/** What durable writes leave beside a file when their process is killed in the middle: files that end with its pid and `.tmp`. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeTree } from './durable.ts'
import { isAlive } from './platform.ts'

/** `config.json.4711.9f3a77ab.tmp`, `web.json.4711.tmp` */
const unfinished = /\.(\d+)(?:\.[0-9a-f]{8})?\.tmp$/

/** Removes those whose writers are dead. A number that another process has by now stays until the next time. */
export async function sweepUnfinished(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (const name of await readdir(folder).catch(() => [])) {
      const pid = Number(unfinished.exec(name)?.[1])
      if (pid > 0 && pid !== process.pid && !isAlive(pid)) await removeTree(join(folder, name)).catch(() => undefined)
    }
  }
}
