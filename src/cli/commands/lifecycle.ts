/** Commands to the node at home itself: stop, restart, leave, reset-identity, rename. They end when the node has done it. */
import { setTimeout as wait } from 'node:timers/promises'
import { Fields, parseDisplayName, ShoalError } from '../../model/index.ts'
import { runningSupervisor, type RunningSupervisor } from '../../slots/index.ts'
import { parseFleet } from '../answers.ts'
import { nodeAtHome, retire } from '../home/index.ts'
import type { Context } from '../context.ts'
import { lifecycleDeadlineMs, pollMs } from '../limits.ts'
import { confirm } from '../prompt.ts'
import { forceOption, mayGo } from '../redeemers.ts'
import { stopSteps, take } from '../service/index.ts'
import { yesOption } from '../signing.ts'
import { type Args, asUsage, type CommandSpec, type Outcome } from '../spec.ts'

/** Waits until something is so. @throws ShoalError NO_NODE after the deadline */
async function until(context: Context, what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + lifecycleDeadlineMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new ShoalError('NO_NODE', `${what} within ${lifecycleDeadlineMs / 1000} s`)
    await wait(pollMs, undefined, { signal: context.io.signal })
  }
}

/** The supervisor of before has ended, whoever came after it. */
async function untilStopped(context: Context, before: RunningSupervisor | null): Promise<void> {
  await until(context, 'the node has not stopped', async () => {
    const now = await runningSupervisor(context.paths)
    return now === null || now.pid !== before?.pid
  })
}

async function stop(context: Context): Promise<Outcome> {
  await (context.remembered === null ? stopAtHome(context) : stopThere(context))
  return { document: { state: 'stopped' }, text: ['stopped'] }
}

/** A service manager that would start the node again at once is the one to ask. */
async function stopAtHome(context: Context): Promise<void> {
  const running = await runningSupervisor(context.paths)
  const steps = running === null ? null : stopSteps(running.service)
  if (steps === null) await context.api().post('self/stop')
  else for (const step of steps) context.note(await take(step, false))
  await untilStopped(context, running)
}

/** Of another machine's node there is no process to look at, only its port. What runs at home is not meant. */
async function stopThere(context: Context): Promise<void> {
  await context.api().post('self/stop')
  await until(context, 'the node has not stopped', async () => (await context.api().probe('livez')) === null)
}

async function restart(context: Context): Promise<Outcome> {
  if (context.remembered !== null) return restartThere(context, context.remembered.url)
  context.requireNode()
  const { readToken } = nodeAtHome(context.paths)
  const before = readToken()
  await context.api().post('self/restart')
  // Each start makes a new token; ready with a new one is the new worker.
  await until(context, 'the node is not ready again', async () => readToken() !== before && (await context.api().probe('readyz')) === 200)
  return { document: { state: 'ready' }, text: ['restarted'] }
}

/** From here the old worker looks like the new one, since no port needs to close between them: so nothing is promised. */
async function restartThere(context: Context, url: string): Promise<Outcome> {
  await context.api().post('self/restart')
  return {
    document: { state: 'restarting' },
    text: [`${url} was told to restart; \`shoal status --server ${url}\` says whether it is back`],
  }
}

async function leave(context: Context, args: Args): Promise<Outcome> {
  context.mustBeHere('leave')
  const api = context.api()
  const fleet = parseFleet(await api.get('fleet'))
  mayGo(fleet, fleet.self.id, args)
  const plan = [`${context.paths.home} leaves its fleet. Its data and settings stay; it can join again with a new invite.`]
  await confirm(context, args.has('yes'), plan, 'Leave?')
  const running = await runningSupervisor(context.paths)
  await api.post('self/leave')
  // Who starts it again now finds no node, and gives up.
  await untilStopped(context, running)
  const away = await retire(context.paths)
  return {
    document: { state: 'left', keys: away },
    text: [`left the fleet; the old keys are in ${away}`, 'next: `shoal join TOKEN` makes it a node again; its data is as it was'],
  }
}

async function resetIdentity(context: Context, args: Args): Promise<Outcome> {
  context.mustBeHere('reset-identity')
  context.requireNode()
  if ((await runningSupervisor(context.paths)) !== null)
    throw new ShoalError('ALREADY_RUNNING', `${context.paths.home}: its node runs; stop it first (\`shoal stop\`)`)
  const plan = [`${context.paths.home} gives up its key. Its data and settings stay; it needs an invite to be a node again.`]
  await confirm(context, args.has('yes'), plan, 'Give up the identity?')
  const away = await retire(context.paths)
  return {
    document: { state: 'reset', keys: away },
    text: [`the old keys are in ${away}`, 'next: `shoal invite` at a node of the fleet, then `shoal join TOKEN` here: it makes a new key'],
  }
}

async function rename(context: Context, args: Args): Promise<Outcome> {
  const name = asUsage(() => parseDisplayName(args.need(0, 'name'), 'name'))
  const document = await context.api().post('self/rename', { name })
  return { document, text: [`renamed to ${new Fields(document, 'answer').string('name', 64)}`] }
}

export const lifecycleCommands: readonly CommandSpec[] = [
  { path: 'stop', about: 'stop the node at home', run: stop },
  { path: 'restart', about: 'restart the node at home', run: restart },
  { path: 'leave', about: 'take the node at home out of its fleet', options: [forceOption, yesOption], run: leave },
  { path: 'reset-identity', about: 'give up the key of a cloned disk; the data stays', options: [yesOption], run: resetIdentity },
  { path: 'rename', args: '<name>', about: 'give the node at home another name', run: rename },
]
