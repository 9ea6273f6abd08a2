/** Where this program is: a checkout, npm's folder, or a slot. */
import { join } from 'node:path'

export const programDir = join(import.meta.dirname, '..', '..')
export const loaderFile = join(programDir, 'src', 'boot.js')
