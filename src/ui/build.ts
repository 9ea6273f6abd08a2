/** `npm run build`: builds the dashboard into dist/ui, whether or not it is there. */
import { join } from 'node:path'
import { buildDashboard } from '../packages/index.ts'

await buildDashboard(join(import.meta.dirname, '..', '..'))
