import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { isFinished } from '../../race/state.ts';
import type { App } from '../app.ts';
import { badgeSvg, type Badge } from '../badge.ts';
import type { GatewayContext } from '../context.ts';
import { durationSec } from '../live/facts.ts';
import { raceNotFound } from '../failures.ts';
import { failures, RaceIdParam, textAnswer } from '../schemas.ts';
import type { ViewedRace } from '../live/view.ts';
import { requireView } from './require-view.ts';

const tags = ['v1'];
const response = { 200: textAnswer('A picture for a README', 'image/svg+xml'), ...failures };

/** Pictures of a race, and of what a source does now, for pages that can show no more than an image. */
export function badgeRoutes(app: App, context: GatewayContext): void {
  app.addHook('preHandler', requireView(context));

  app.get('/badge/*', {
    schema: {
      tags, summary: 'What a source does now, as an SVG: /badge/<source>.svg',
      querystring: Type.Object({ title: Type.Optional(Type.String({ maxLength: 1_000, description: 'Only races under this title' })) }), response,
    },
  }, async (request, reply) => {
    const source = (request.params as { '*': string })['*'].replace(/\.svg$/, '');
    const { title } = request.query;
    let chosen: ViewedRace | null = null;
    for (const race of context.view.races()) {
      if (race.facts.source === source && (title === undefined || race.facts.title === title) && (chosen === null || isBefore(race, chosen))) chosen = race;
    }
    return picture(reply, chosen === null ? { label: title ?? source, text: 'no recent run', tone: 'none' } : badgeOf(chosen, title ?? source, context.clock.nowMs()));
  });

  app.get('/v1/races/:id.svg', {
    schema: { tags, summary: 'A race as an SVG', params: RaceIdParam, response },
  }, async (request, reply) => {
    const race = context.view.get(request.params.id);
    if (race === undefined) throw raceNotFound(request.params.id);
    return picture(reply, badgeOf(race, race.facts.title, context.clock.nowMs()));
  });
}

/** A running race is worth more than an ended one, a later one more than an earlier one. */
function isBefore({ facts: a }: ViewedRace, { facts: b }: ViewedRace): boolean {
  const [isALive, isBLive] = [a.state === 'running', b.state === 'running'];
  return isALive === isBLive ? (a.started_at ?? a.first_at) > (b.started_at ?? b.first_at) : isALive;
}

function badgeOf({ facts, eta }: ViewedRace, label: string, nowMs: number): Badge {
  const sec = durationSec(facts);
  if (isFinished(facts.state)) {
    const tone = facts.state === 'passed' ? 'good' : facts.state === 'failed' ? 'bad' : 'none';
    return { label, text: sec === null ? facts.state : `${facts.state} in ${spell(sec)}`, tone };
  }
  if (facts.state === 'queued') return { label, text: 'queued', tone: 'none' };
  const shown = eta?.display;
  if (shown?.state === 'stuck') return { label, text: 'stuck?', tone: 'warn' };
  if (shown?.state === 'overdue') return { label, text: 'overdue', tone: 'warn' };
  const isKnown = shown !== undefined && shown.finish_at !== null && shown.state !== 'cold' && shown.state !== 'unknown';
  return { label, text: isKnown ? `${spell(Math.max(0, (shown.finish_at! - nowMs) / 1_000))} left` : 'running', tone: 'running' };
}

/** Coarse: a badge is looked at minutes after it was drawn. */
function spell(sec: number): string {
  if (sec < 90) return `${Math.round(sec)} s`;
  return sec < 5_400 ? `${Math.round(sec / 60)} min` : `${(sec / 3_600).toFixed(1)} h`;
}

function picture(reply: FastifyReply, badge: Badge): string {
  void reply.type('image/svg+xml').headers({ 'cache-control': 'no-cache', 'content-security-policy': "default-src 'none'" });
  return badgeSvg(badge);
}
