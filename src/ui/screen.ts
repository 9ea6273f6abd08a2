/** The screens that there are. */
export const screens = ['fleet', 'rollouts', 'releases', 'people', 'log', 'nodes'] as const
export type Screen = (typeof screens)[number]
