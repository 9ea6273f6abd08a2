// Holds the arrows between the rooms (DESIGN section 4): a room imports only rooms above it, and only through their index.ts.
// It asserts how many modules it saw, so that a wrong parser cannot make it pass by seeing nothing.
import { readdirSync } from 'node:fs'
import { cruise } from 'dependency-cruiser'

const rooms = [
  'model',
  'trust',
  'facts',
  'slots',
  'supervisor',
  'store',
  'mesh',
  'packages',
  'transfer',
  'app',
  'data',
  'rollout',
  'disk',
  'web',
  'ui',
  'cli',
]
const isolated: Record<string, readonly string[]> = {
  supervisor: ['model', 'slots'],
  slots: ['model'],
  store: ['model'],
  ui: ['model', 'packages'],
}

const allowed = (room: string): readonly string[] => isolated[room] ?? rooms.slice(0, rooms.indexOf(room)).filter(r => r !== 'supervisor')

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(f => /\.tsx?$/.test(f))
const { output } = await cruise(['src'], { tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } }, undefined, {
  tsConfig: { options: {} },
})
if (typeof output === 'string') throw new Error('dependency-cruiser gave text')
const seen = output.modules.filter(m => m.source.startsWith('src/') && /\.tsx?$/.test(m.source))
const problems: string[] = []
if (seen.length !== sources.length) problems.push(`saw ${seen.length} modules, the folder has ${sources.length}`)
const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1]
for (const m of seen) {
  const from = roomOf(m.source)
  for (const d of m.dependencies) {
    if (d.circular && !d.dependencyTypes.includes('type-only')) problems.push(`${m.source} is in a circle with ${d.resolved}`)
    const to = roomOf(d.resolved)
    if (from === undefined || to === undefined || from === to) continue
    if (!allowed(from).includes(to)) problems.push(`${m.source} must not import ${d.resolved}`)
    else if (!d.resolved.endsWith('/index.ts')) problems.push(`${m.source} must import ${d.resolved} through its index.ts`)
  }
}
for (const p of problems) console.error(p)
console.log(`${seen.length} modules, ${problems.length} wrong arrows`)
process.exitCode = problems.length === 0 ? 0 : 1
