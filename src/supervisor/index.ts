/** The supervisor room: the process that owns the socket and survives a bad release. */
export { step, wakeAt } from './machine.ts'
export { supervise } from './main.ts'
export { type Effect, type Event, initialState, type State } from './state.ts'
