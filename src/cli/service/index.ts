/** The node as a service of the machine. */
export { type Kind, kinds, type ServiceFacts } from './definition.ts'
export { filesOf, serviceFacts, thisKind } from './facts.ts'
export { install, installed, stopSteps, take, uninstall } from './manager.ts'
