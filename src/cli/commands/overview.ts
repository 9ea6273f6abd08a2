/** `shoal` alone: what the node at home is and does, and what one would do next. */
import { ShoalError } from '../../model/index.ts'
import { type NodeAnswer, parseNode, parseNodes, parseRollouts, type RolloutAnswer } from '../answers.ts'
import type { Context } from '../context.ts'
import { oneLine, plural } from '../output.ts'
import { wordsOf } from '../render.ts'
import type { CommandSpec, Outcome } from '../spec.ts'
import { endStates, stuckStates } from '../verdict.ts'

interface State {
  readonly self: NodeAnswer
  readonly nodes: readonly NodeAnswer[]
  /** The newest. */
  readonly rollout: RolloutAnswer | null
}

const isUnwell = ({ health }: NodeAnswer): boolean => health === 'safe-mode' || health === 'degraded'
const isIll = (node: NodeAnswer): boolean => node.reach === 'lost' || isUnwell(node)

/** The one command that helps most in this state, and why. Pure. */
export function nextStep({ self, nodes, rollout }: State): string {
  const state = rollout?.state ?? ''
  const id = rollout?.id.slice(0, 8) ?? ''
  if (stuckStates.has(state)) return `shoal rollout show ${id}    why it is ${state}, and what helps`
  if (state === 'paused') return `shoal rollout resume ${id}    let it go on`
  if (state === 'open') return `shoal rollout watch ${id}    follow it to its end`
  if (isUnwell(self)) return 'shoal doctor    what is wrong here, and what to do'
  const ill = nodes.find(isUnwell)
  if (ill !== undefined) return `shoal logs ${oneLine(ill.name)}    why it is ${ill.health}`
  const lost = nodes.find(node => node.reach === 'lost')
  if (lost !== undefined) return `shoal peers test ${oneLine(lost.name)}    which step towards it fails`
  if (nodes.length === 1) return 'shoal invite    let another machine in'
  return self.app === null ? 'shoal deploy DIR    bring an app to every node' : 'shoal help    all commands'
}

function linesOf(state: State): readonly string[] {
  const { self, nodes, rollout } = state
  const ill = nodes.filter(isIll)
  const app = self.app === null ? 'no app' : oneLine(`${self.app.name}@${self.app.version}`)
  const doing = self.step === 'idle' ? '' : `, ${wordsOf(self)}`
  return [
    `${oneLine(self.name)} (${self.id.slice(0, 8)}) runs ${app}, health ${self.health}${doing}`,
    `fleet: ${plural(nodes.length, 'node')}${
      ill.length === 0
        ? ', all well'
        : `, ${ill.length} not well: ${ill
            .slice(0, 5)
            .map(node => oneLine(node.name))
            .join(', ')}`
    }`,
    ...(rollout === null ? [] : [`rollout ${rollout.id.slice(0, 8)}: ${oneLine(rollout.release)} ${rollout.state}`]),
    `next: ${nextStep(state)}`,
  ]
}

/** Two commands to choose from, where there is no node yet. */
function requireHome(context: Context): void {
  try {
    context.api()
  } catch (cause) {
    if (!(cause instanceof ShoalError && cause.code === 'HOME_EMPTY')) throw cause
    const choice = [
      'shoal start --init    found a fleet, this node its first',
      'shoal join TOKEN      enter one: `shoal invite` at one of its nodes prints the token',
    ]
    throw new ShoalError('HOME_EMPTY', [cause.message, ...choice].join('\n'), { cause })
  }
}

async function run(context: Context): Promise<Outcome> {
  requireHome(context)
  const api = context.api()
  const [self, list, rollouts] = await Promise.all([api.get('nodes/self'), api.getAll('nodes', 'nodes'), api.get('rollouts?limit=1')])
  const [newest = null] = parseRollouts(rollouts)
  const state = { self: parseNode(self), nodes: parseNodes(list), rollout: newest }
  const { id, state: how, release } = newest ?? {}
  const live = newest === null || endStates.has(newest.state) ? null : { id, release, state: how }
  const counts = { total: state.nodes.length, ill: state.nodes.filter(isIll).length }
  return { document: { node: self, counts, rollout: live, next: nextStep(state) }, text: linesOf(state) }
}

/** In no table: nobody types its name. */
export const overview: CommandSpec = { path: '', about: 'this node, its fleet, and what to do next', run }
