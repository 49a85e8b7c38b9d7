// An app by Slack's own clients that does what it is told in direct messages, and prints what it notices, a line of JSON
// each.
//
// Arguments: the address of the Web API, the bot's token, and the app's token.

import { LogLevel, SocketModeClient } from '@slack/socket-mode';
import { ErrorCode, WebClient, WebClientEvent } from '@slack/web-api';

const [, , api, botToken, appToken] = process.argv;
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const logger = {
  debug: (...all) => process.env.TRACE && process.stderr.write(`${all.join(' ')}\n`),
  info: () => {},
  warn: (...all) => say({ warning: all.join(' ') }),
  error: (...all) => say({ error: all.join(' ') }),
  setLevel: () => {},
  getLevel: () => (process.env.TRACE ? LogLevel.DEBUG : LogLevel.INFO),
  setName: () => {},
};

const web = new WebClient(botToken, { slackApiUrl: `${api}/`, logger, retryConfig: { retries: 2, minTimeout: 10 } });
const socket = new SocketModeClient({
  appToken,
  logger,
  // The delay between two connections, and the time for an answer to a ping.
  clientPingTimeout: 300,
  serverPingTimeout: 1000,
  clientOptions: { slackApiUrl: `${api}/`, retryConfig: { retries: 0 } },
});

web.on(WebClientEvent.RATE_LIMITED, (after) => say({ limited: after }));

const buttons = [
  { type: 'section', text: { type: 'plain_text', text: 'well?' } },
  {
    type: 'actions',
    elements: [{ type: 'button', action_id: 'x', value: 'a:1', text: { type: 'plain_text', text: 'Yes' } }],
  },
];

const refused = async (doing) => {
  try {
    await doing;
  } catch (error) {
    say({ refused: error.data?.error ?? error.code, needed: error.data?.needed });
  }
};

const deeds = {
  ping: ({ channel }) => web.chat.postMessage({ channel, text: 'pong' }),
  buttons: ({ channel }) => web.chat.postMessage({ channel, text: 'well?', blocks: buttons }),
  edit: async ({ channel }) => {
    const sent = await web.chat.postMessage({ channel, text: 'before', blocks: buttons });
    const edited = await web.chat.update({ channel, ts: sent.ts, text: 'after', blocks: [] });
    await web.chat.delete({ channel, ts: sent.ts });
    say({ edited: edited.text });
    await refused(web.chat.delete({ channel, ts: sent.ts }));
  },
  picture: async ({ channel }) => {
    const sent = await web.filesUploadV2({
      channel_id: channel,
      file: Buffer.from([1, 2, 3]),
      filename: 'picture.png',
      initial_comment: 'see',
    });
    await web.files.delete({ file: sent.files[0].files[0].id });
    say({ uploaded: sent.ok });
  },
  open: async () => {
    const opened = await web.conversations.open({ users: 'U0OTHER' });
    await web.chat.postMessage({ channel: opened.channel.id, text: 'hello' });
  },
  who: async ({ user }) => {
    const [me, they] = [await web.auth.test(), await web.users.info({ user })];
    say({ me: me.user_id, bot: me.bot_id, name: they.user.name, scopes: me.response_metadata.scopes });
  },
  shut: () => refused(web.chat.postMessage({ channel: 'D0NOBODY', text: 'x' })),
  leave: () => socket.disconnect(),
};

socket.on('connected', () => say({ connected: true }));
socket.on('message', async ({ event, body, ack, retry_num: attempt }) => {
  await ack();
  if (event.bot_id) {
    return;
  }
  say({ heard: event.text, from: event.user, kind: event.channel_type, attempt, id: body.event_id.length > 0 });
  await deeds[event.text]?.(event);
});
socket.on('interactive', async ({ body, ack }) => {
  await ack();
  const { actions, user, container } = body;
  say({ pressed: actions[0].value, by: user.id, under: container.message_ts });
  await web.chat.update({ channel: container.channel_id, ts: container.message_ts, text: 'done', blocks: [] });
});
socket.on('slash_commands', async ({ body, ack }) => {
  await ack();
  say({ given: `${body.command} ${body.text}`, by: body.user_id });
  const { channel_id: channel, user_id: user } = body;
  await web.chat.postEphemeral({ channel, user, text: 'for you' });
});

process.on('unhandledRejection', (error) => {
  say({ error: String(error?.stack ?? error) });
});

try {
  await socket.start();
} catch (error) {
  say({ failed: error.code === ErrorCode.PlatformError ? error.data.error : String(error) });
  process.exitCode = 3;
}
