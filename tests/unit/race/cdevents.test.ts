import { describe, expect, it } from 'vitest';
import { isEvent, readEvent } from '../../../src/race/cdevents.ts';

const TIME = '2023-03-20T14:27:05.315384Z';

/** A CDEvent as the specification's conformance files have it. */
function cdEvent(type: string, subject: object, context: object = {}): Record<string, unknown> {
  return { context: { version: '0.4.1', id: '271069a8', source: '/event/source/123', type: `dev.cdevents.${type}`, timestamp: TIME, ...context }, subject };
}

function updateOf(event: Record<string, unknown>): Record<string, unknown> {
  const result = readEvent(event);
  if ('rejection' in result) throw new Error(result.rejection.message);
  return result.update;
}

describe('readEvent() of a CDEvent', () => {
  const pipelineRun = { id: 'p1', source: '/tekton', type: 'pipelineRun', content: { pipelineName: 'build', url: 'https://ci/p1' } };

  it.each([
    ['queued', { state: 'queued', queued_at: TIME }],
    ['started', { state: 'running', started_at: TIME }],
  ])('pipelineRun %s', (predicate, expected) => {
    expect(updateOf(cdEvent(`pipelinerun.${predicate}.0.2.0`, pipelineRun))).toEqual({
      race_id: 'p1', source: '/tekton', at: TIME, title: 'build', deeplink: 'https://ci/p1', ...expected,
    });
  });

  it.each([
    ['success', 'passed'], ['failure', 'failed'], ['error', 'failed'], ['cancel', 'canceled'], ['canceled', 'canceled'], ['cancelled', 'canceled'], ['Success', 'passed'],
    ['pass', 'passed'], ['fail', 'failed'],
  ])('pipelineRun finished with %s is %s', (outcome, state) => {
    const event = cdEvent('pipelinerun.finished.0.2.0', { ...pipelineRun, content: { pipelineName: 'build', outcome, errors: '' } });
    expect(updateOf(event)).toEqual({ race_id: 'p1', source: '/tekton', at: TIME, title: 'build', state, completed_at: TIME });
  });

  it('a finish without an outcome has failed if it tells errors, else passed', () => {
    const build = { id: 'b1', type: 'build', content: { artifactId: 'pkg:oci/myapp' } };
    expect(updateOf(cdEvent('build.finished.0.2.0', build))).toEqual({ race_id: 'b1', source: '/event/source/123', at: TIME, state: 'passed', completed_at: TIME });
    expect(updateOf(cdEvent('taskrun.finished.0.1.1', { id: 't1', content: { errors: 'Timeout' } }))).toMatchObject({ state: 'failed' });
  });

  it('a taskRun of a pipelineRun is a stage of that race', () => {
    const content = { taskName: 'compile', url: 'https://ci/t1', pipelineRun: { id: 'p1', source: '/tekton' }, outcome: 'cancel' };
    const subject = { id: 't1', source: '/agents', type: 'taskRun', content };
    const base = { race_id: 'p1', source: '/tekton', at: TIME };
    expect(updateOf(cdEvent('taskrun.queued.0.1.0', subject))).toEqual({ ...base, stage: { name: 'compile', state: 'pending' } });
    expect(updateOf(cdEvent('taskrun.started.0.2.0', subject))).toEqual({ ...base, stage: { name: 'compile', state: 'running', started_at: TIME } });
    expect(updateOf(cdEvent('taskrun.finished.0.2.0', subject))).toEqual({ ...base, stage: { name: 'compile', state: 'skipped', completed_at: TIME } });
    expect(updateOf(cdEvent('taskrun.finished.0.2.0', { ...subject, content: { ...content, outcome: 'success', taskName: undefined } }))).toMatchObject({
      stage: { name: 't1', state: 'passed' },
    });
  });

  it('a taskRun on its own is a race', () => {
    expect(updateOf(cdEvent('taskrun.started.0.2.0', { id: 't1', content: { taskName: 'lint' } }))).toEqual({
      race_id: 't1', source: '/event/source/123', at: TIME, title: 'lint', state: 'running', started_at: TIME,
    });
  });

  it('a taskRun names its pipeline\'s source as the pipeline does: by subject, else by context', () => {
    const task = (source?: string): Record<string, unknown> => cdEvent('taskrun.started.0.2.0', { id: 't1', source, content: { taskName: 'lint', pipelineRun: { id: 'p1' } } });
    expect(updateOf(task('/tekton'))['source']).toBe('/tekton');
    expect(updateOf(task())['source']).toBe('/event/source/123');
  });

  it('a testSuiteRun has the name of its suite and its environment', () => {
    const content = { outcome: 'fail', environment: { id: 'dev' }, testSuite: { id: '92', name: 'Auth TestSuite' } };
    expect(updateOf(cdEvent('testsuiterun.finished.0.2.0', { id: 's1', type: 'testSuiteRun', content }))).toEqual({
      race_id: 's1', source: '/event/source/123', at: TIME, title: 'Auth TestSuite', state: 'failed', completed_at: TIME, metadata: { environment: 'dev' },
    });
  });

  it('reads the newer form: specversion inside of the context, uri for url, no subject type', () => {
    const event = cdEvent('taskrun.queued.0.1.0-draft', { id: 't1', content: { taskName: 'myTask', uri: 'https://ci/t1' } }, { version: undefined, specversion: '0.6.0-draft' });
    expect(isEvent(event)).toBe(true);
    expect(updateOf(event)).toEqual({ race_id: 't1', source: '/event/source/123', at: TIME, title: 'myTask', state: 'queued', queued_at: TIME, deeplink: 'https://ci/t1' });
  });

  it('leaves out a link that leads nowhere from here', () => {
    expect(updateOf(cdEvent('pipelinerun.started.0.2.0', { ...pipelineRun, content: { url: '/apis/tekton.dev/p1' } }))).not.toHaveProperty('deeplink');
  });

  it.each([
    ['artifact.packaged.0.1.0', { id: 'a' }], ['pipelinerun.exploded.0.1.0', { id: 'a' }], ['', {}],
    ['pipelinerun.finished.0.2.0', { id: 'a', content: { outcome: 'sideways' } }], ['pipelinerun.finished.0.2.0', { id: 'a', content: { outcome: 7 } }],
  ])('%s %j is undecodable', (type, subject) => {
    expect(readEvent(cdEvent(type, subject))).toMatchObject({ rejection: { code: 'undecodable' } });
  });

  it('says nothing of a field that is missing, so that the update is checked like any other', () => {
    expect(updateOf({ context: { type: 'dev.cdevents.pipelinerun.started' }, subject: 'no object' })).toEqual({ state: 'running' });
  });
});

describe('readEvent() of a CloudEvent', () => {
  const envelope = { specversion: '1.0', id: '1', source: '/ci', type: 'com.example.race', subject: 'r9', time: TIME };

  it('gives the CDEvent in its data', () => {
    const event = cdEvent('pipelinerun.started.0.2.0', { id: 'p1', source: '/tekton', content: {} });
    const expected = { race_id: 'p1', source: '/tekton', at: TIME, state: 'running', started_at: TIME };
    expect(updateOf({ ...envelope, type: 'dev.cdevents.pipelinerun.started.0.2.0', data: event })).toEqual(expected);
    expect(updateOf({ ...envelope, source: '/tekton', type: 'dev.cdevents.pipelinerun.started.0.2.0', data: { subject: { id: 'p1', content: {} } } })).toEqual(expected);
  });

  it('gives the update in its data, with time, source and subject where they are missing', () => {
    expect(updateOf({ ...envelope, data: { race_id: 'r1', source: 'ci', at: 5, progress: 7 } })).toEqual({ race_id: 'r1', source: 'ci', at: 5, progress: 7 });
    expect(updateOf({ ...envelope, data: { progress: 7 } })).toEqual({ race_id: 'r9', source: '/ci', at: TIME, progress: 7 });
  });

  it.each([undefined, null, 'text', 7, [{}]])('data %j is undecodable', (data) => {
    expect(readEvent({ ...envelope, data })).toMatchObject({ rejection: { code: 'undecodable' } });
  });
});

describe('isEvent()', () => {
  it.each([{ race_id: 'r1' }, { context: null }, { context: { type: 'dev.cdevents' } }, { context: { type: 7 } }, {}])('%j is none', (value) => {
    expect(isEvent(value)).toBe(false);
  });
});
