import { createHash, randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';
import type { CliContext } from './context.ts';

const TOKEN_BYTES = 32;

export function tokenCommand(context: CliContext): Command {
  return new Command('token')
    .description('Make a token: itself on stdout, its line for RACELINE_TOKENS_FILE on stderr')
    .argument('<name>', 'Whose token it is; anything')
    .addOption(new Option('--scope <scope...>', 'What it allows').choices(['read', 'write', 'admin']).default(['read', 'write']))
    .addHelpText('after', '\nFor example: raceline token ci --scope write > ci.token 2>> tokens')
    .action((name: string, options: { scope: string[] }) => {
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      context.out.write(`${token}\n`);
      context.err.write(`${options.scope.join(',')} ${createHash('sha256').update(token).digest('hex')} ${name.replace(/\s+/g, ' ')}\n`);
    });
}
