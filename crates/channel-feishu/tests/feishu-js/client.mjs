// An app by Feishu's own client that does what it is told in direct messages, and prints what it notices, a line of JSON each.
//
// Arguments: the address of the Open API, the app's id, and its secret.

import * as lark from '@larksuiteoapi/node-sdk';

const [, , domain, appId, appSecret] = process.argv;
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const logger = {
  error: (...all) => say({ error: all.flat().map(String).join(' ') }),
  warn: () => {},
  info: () => {},
  debug: () => {},
  trace: () => {},
};

const client = new lark.Client({ appId, appSecret, domain, logger });
const socket = new lark.WSClient({
  appId,
  appSecret,
  domain,
  logger,
  onReady: () => say({ connected: true }),
  onReconnected: () => say({ connected: true }),
  onError: (error) => say({ failed: error.message }),
});

const card = (elements) => JSON.stringify({ elements });
const text = (content) => ({ tag: 'div', text: { tag: 'plain_text', content } });
const yes = { tag: 'button', text: { tag: 'plain_text', content: 'Yes' }, value: { data: 'a:1' } };

const create = (to, type, content, kind = 'open_id') =>
  client.im.message.create({
    params: { receive_id_type: kind },
    data: { receive_id: to, msg_type: type, content },
  });

const refused = async (doing) => {
  try {
    await doing;
  } catch (error) {
    say({ refused: error.response?.data?.code ?? String(error) });
  }
};

const deeds = {
  ping: (person) => create(person, 'text', JSON.stringify({ text: 'pong' })),
  group: (_, chat) => create(chat, 'text', JSON.stringify({ text: 'all' }), 'chat_id'),
  buttons: (person) => create(person, 'interactive', card([text('well?'), { tag: 'action', actions: [yes] }])),
  edit: async (person) => {
    const sent = await create(person, 'text', JSON.stringify({ text: 'before' }));
    const path = { message_id: sent.data.message_id };
    const edited = await client.im.message.update({
      path,
      data: { msg_type: 'text', content: JSON.stringify({ text: 'after' }) },
    });
    await client.im.message.delete({ path });
    say({ edited: edited.data.body.content });
    await refused(client.im.message.delete({ path }));
  },
  picture: async (person) => {
    const made = await client.im.image.create({ data: { image_type: 'message', image: Buffer.from([1, 2, 3]) } });
    await create(person, 'image', JSON.stringify({ image_key: made.image_key }));
  },
  shut: () => refused(create('oc_nobody', 'text', JSON.stringify({ text: 'x' }), 'chat_id')),
  leave: () => socket.close(),
};

const dispatcher = new lark.EventDispatcher({ logger }).register({
  'im.message.receive_v1': (event) => {
    const { message, sender } = event;
    const said = JSON.parse(message.content).text;
    const person = sender.sender_id.open_id;
    say({ heard: said, from: person, kind: message.chat_type, type: sender.sender_type, id: event.event_id.length > 0 });
    if (said === 'fail') {
      throw new Error('on purpose');
    }
    // An event is answered when this returns.
    deeds[said]?.(person, message.chat_id)?.catch?.((error) => say({ error: String(error) }));
  },
  'card.action.trigger': (event) => {
    say({ pressed: event.action.value.data, by: event.operator.open_id, under: event.context.open_message_id });
    client.im.message
      .patch({ path: { message_id: event.context.open_message_id }, data: { content: card([text('done')]) } })
      .catch((error) => say({ error: String(error) }));
  },
});

process.on('unhandledRejection', (error) => say({ error: String(error?.stack ?? error) }));

await socket.start({ eventDispatcher: dispatcher });
