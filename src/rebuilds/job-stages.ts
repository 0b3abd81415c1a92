/** What a rebuild goes through: reading, the stages of the worker (`knee` only where eps is not given), validation. */
export const jobStages = ['read', 'collapse', 'index', 'knee', 'cores', 'connect', 'measure', 'assign', 'validate'] as const;
export type JobStage = (typeof jobStages)[number];
