/** The demo, which drives the commands as a person would. */
export { type DemoReport, showDemo } from './show.ts'
