// OpenClaw's own adapter for BlueBubbles: asks, sends and reads a webhook. It is given the server, its password, and the
// webhooks to read as lines on standard input; it says what it finds in one line of JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const program = join(here, 'node_modules/openclaw');
const { createJiti } = createRequire(join(program, 'package.json'))('jiti');
const jiti = createJiti(import.meta.url, {
  alias: {
    'openclaw/plugin-sdk/account-id': join(program, 'dist/plugin-sdk/account-id.js'),
    'openclaw/plugin-sdk': join(program, 'dist/plugin-sdk/index.js'),
  },
  interopDefault: true,
});
const part = (name) => jiti.import(join(program, 'extensions/bluebubbles/src', `${name}.ts`));
const [{ probeBlueBubbles, fetchBlueBubblesServerInfo }, { sendMessageBlueBubbles }, { normalizeWebhookMessage }] =
  await Promise.all(['probe', 'send', 'monitor-normalize'].map(part));

const [serverUrl, password] = process.argv.slice(2);
const server = { baseUrl: serverUrl, password };
const account = { serverUrl, password };
const failure = async (work) => {
  try {
    await work;
    return null;
  } catch (error) {
    return String(error.message);
  }
};
const webhooks = readFileSync(0, 'utf8').split('\n').filter(Boolean);
console.log(
  JSON.stringify({
    probe: await probeBlueBubbles(server),
    wrong: await probeBlueBubbles({ ...server, password: 'wrong' }),
    info: await fetchBlueBubblesServerInfo(server),
    known: await sendMessageBlueBubbles('+15550001111', 'to a chat that is there', account),
    begun: await sendMessageBlueBubbles('imessage:new@example.org', 'to a new one', account),
    group: await failure(sendMessageBlueBubbles('chat_guid:iMessage;+;nowhere', 'to no chat', account)),
    read: webhooks.map((line) => normalizeWebhookMessage(JSON.parse(line))),
  }),
);
process.exit(0);
