export { csrfOf, isCsrf, type OpenedSession, type Session, type SessionStore, Sessions } from './sessions.ts'
export { placeOf } from './throttle.ts'
