export { EventLog } from './event-log.ts'
export * from './listener/index.ts'
export { createWeb, type Web } from './server.ts'
export type { LifeState, OperatorKeyFiles, Reach, RecoveryKitFile, WebServices } from './services.ts'
