/** What a worker gives to the node that it becomes. */
import type { Running, SwitchTarget } from '../model/index.ts'
import type { LoadedApp } from './app-runner.ts'
import type { Home, Settings } from './home.ts'
import type { Log } from './log.ts'

export interface RuntimeOptions {
  readonly home: Home
  readonly settings: Settings
  readonly app: LoadedApp | null
  readonly isSafe: boolean
  readonly shoal: Running
  readonly trial: SwitchTarget | null
  /** Something starts the supervisor again, so that a new one is adopted. */
  readonly hasLoader: boolean
  readonly log: Log
  readonly requestSwitch: (target: SwitchTarget) => void
}
