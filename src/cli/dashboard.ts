/** The dashboard travels with the program: it is built, where that can be done, before the program is copied or packed. */
import { ensureDashboard } from '../packages/index.ts'
import type { Context } from './context.ts'
import { programDir } from './program.ts'

/** Says what is wrong and goes on: a node without a dashboard is a node. */
export async function withDashboard(context: Context, dir = programDir): Promise<void> {
  const problem = await ensureDashboard(dir)
  if (problem !== null) context.note(`${problem}; \`npm run build\` tries again`)
}
