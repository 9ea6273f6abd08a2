/**
 * Node's http without an `import` of it: that reads every getter of the module, one of which loads a fetch client (30 ms of processor at each
 * start, Node.js 24.21).
 */
export const { createServer, request, STATUS_CODES } = process.getBuiltinModule('node:http')
