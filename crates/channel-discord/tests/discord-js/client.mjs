// A bot by discord.js that does what it is told in direct messages, and prints what it notices, a line of JSON each.
//
// Arguments: the address of the REST API, the token, and the intents as a number.

import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  Client,
  Events,
  MessageFlags,
  Partials,
  RESTEvents,
} from 'discord.js';

const [, , api, token, intents] = process.argv;
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const client = new Client({
  intents: Number(intents),
  // A direct chat that nobody has opened is known by its id alone.
  partials: [Partials.Channel, Partials.Message],
  rest: { api, version: '10', retries: 3 },
});

client.rest.on(RESTEvents.RateLimited, (info) => say({ limited: info.route, global: info.global }));
client.on(Events.ShardResume, () => say({ resumed: true }));
client.on(Events.Error, (error) => say({ error: String(error.message) }));
client.on(Events.ShardError, (error) => say({ error: String(error.message) }));
if (process.env.TRACE) {
  client.on(Events.Debug, (text) => process.stderr.write(`${text}\n`));
}
client.on(Events.Warn, (text) => say({ warning: text }));
client.on(Events.Invalidated, () => say({ invalidated: true }));
client.on(Events.ShardDisconnect, (event) => say({ disconnected: event.code }));

client.once(Events.ClientReady, async (ready) => {
  say({ ready: ready.user.id, application: ready.application.id });
});

const row = () => {
  const yes = new ButtonBuilder().setCustomId('a:1').setLabel('Yes').setStyle(ButtonStyle.Secondary);
  return new ActionRowBuilder().addComponents(yes);
};

const deeds = {
  ping: (message) => message.channel.send('pong'),
  long: (message) => message.channel.send('x'.repeat(2000)),
  flood: (message) =>
    Promise.all(Array.from({ length: 8 }, (_, number) => message.channel.send(`flood ${number}`))),
  buttons: (message) => message.channel.send({ content: 'well?', components: [row()] }),
  picture: (message) =>
    message.channel.send({ content: 'see', files: [new AttachmentBuilder(Buffer.from([1, 2, 3]), { name: 'a.png' })] }),
  edit: async (message) => {
    const sent = await message.channel.send({ content: 'before', components: [row()] });
    const edited = await sent.edit({ content: 'after', components: [] });
    say({ edited: edited.content, components: edited.components.length });
    await sent.delete();
  },
  nonce: async (message) => {
    const options = { content: 'once', nonce: '123', enforceNonce: true };
    const [first, second] = [await message.channel.send(options), await message.channel.send(options)];
    say({ same: first.id === second.id });
  },
  open: async () => {
    const chat = await client.users.createDM('3002');
    await chat.send('hello');
  },
  shut: async () => {
    try {
      await client.users.send('3003', 'hello');
    } catch (error) {
      say({ refused: error.code, status: error.status });
    }
  },
  command: async () => {
    const command = await client.application.commands.create({
      name: 'pair',
      description: 'pair a device',
      contexts: [1],
    });
    say({ command: command.name });
  },
  leave: async () => {
    await client.destroy();
  },
};

client.on(Events.MessageCreate, async (message) => {
  if (message.author.id === client.user.id) {
    return;
  }
  say({
    heard: message.content,
    from: message.author.username,
    direct: message.channel.isDMBased(),
    bot: message.author.bot,
    at: message.createdTimestamp > 0,
  });
  await deeds[message.content]?.(message);
});

client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isButton()) {
    say({ pressed: interaction.customId, by: interaction.user.username, under: interaction.message.id });
    await interaction.deferUpdate();
    await interaction.editReply({ content: 'done', components: [] });
  } else if (interaction.isChatInputCommand()) {
    say({ given: interaction.commandName, what: interaction.options.getString('what') });
    await interaction.deferReply({ flags: MessageFlags.Ephemeral });
    await interaction.editReply('first');
    const second = await interaction.followUp({ content: 'second', flags: MessageFlags.Ephemeral });
    say({ ephemeral: second.flags.has(MessageFlags.Ephemeral) });
  } else {
    say({ error: 'an interaction of another kind' });
  }
});

process.on('unhandledRejection', (error) => {
  say({ error: String(error?.stack ?? error) });
});

try {
  await client.login(token);
} catch (error) {
  say({ failed: error.code ?? error.message });
  process.exitCode = 3;
}
