export { type AppHost, type AppInstance, createHost, type Logger, type MigrateContext } from './host.ts'
export { type AppModule, importApp, migrateApp } from './load.ts'
export { RunningApp, startApp } from './run.ts'
