// Who waits for the owner: senders and devices, and what they would be granted.

import { because, button, code, copyable, facts, fill, foreign, h, keyed, plain, say, section, tell, toast, turnOff } from './dom.js';
import { ago, byAccount, called, channel, commandRight, count, kind, origin, power, rights, span } from './words.js';
import { NotLive, Refused } from './wire.js';

/** @import { Model } from './model.js' */
/** @import { DmRequest, View, Waiting } from './types.d.ts' */

/** What came or moved under a finger is not pressed. */
const SETTLE_MS = 500;

/** What a person calls whoever waits. @param {Waiting} one */
export function nameOf(one) {
	if (one.kind === 'sender') return called(nameIn(one.request), one.request.id);
	const { request } = one;
	return called(request.displayName, 'deviceId' in request ? request.deviceId : request.nodeId);
}

/** @param {DmRequest} request */
function nameIn({ meta = {} }) {
	const names = [meta.name, meta.displayName, meta.firstName, meta.username];
	return names.find((name) => typeof name === 'string');
}

/** @param {Model} model @returns {View} */
export function waiting(model) {
	const empty = h('p', { class: 'empty', hidden: true }, 'Nobody waits. Who writes to the bot or connects a device shows up here by itself.');
	const list = h('div', { class: 'cards' });
	const remarks = h('div', { class: 'remarks', role: 'log', 'aria-label': 'What became of others' });
	const turned = h('div', {});
	const problems = h('ul', { class: 'bad', hidden: true });
	const element = section('waiting', 'Waiting', problems, empty, list, remarks, turned);
	const cards = requestCards(model, list);
	/** @type {import('./types.d.ts').TurnedAway[]} */
	let shownTurned = [];
	return {
		element,
		update() {
			if (!model.isRead) return;
			const all = model.waiting();
			empty.hidden = all.length > 0;
			cards(all);
			keyed(remarks, model.remarks, (remark) => remark.key, (remark) => h('p', {}, remark.text));
			problems.hidden = model.problems.length === 0;
			keyed(problems, model.problems, (text) => text, (text) => h('li', {}, plain(text, 300)));
			if (shownTurned === model.turnedAway) return;
			shownTurned = model.turnedAway;
			fill(turned, ...shownTurned.map((away) => turnedAway(away, model.now())));
		},
	};
}

/**
 * Keeps a list of cards, each of somebody who waits.
 *
 * @param {Model} model
 * @param {HTMLElement} list
 */
export function requestCards(model, list) {
	/** @type {Map<string, (one: Waiting) => void>} */
	const updates = new Map();
	return (/** @type {Waiting[]} */ all) => {
		const moved = keyed(list, all, (one) => one.key, (one) => {
			const { element, update } = card(model, one);
			updates.set(one.key, update);
			return element;
		});
		for (const element of moved) settle(element);
		for (const key of updates.keys()) if (!all.some((one) => one.key === key)) updates.delete(key);
		for (const one of all) updates.get(one.key)?.(one);
	};
}

/** @param {HTMLElement} element */
function settle(element) {
	const buttons = element.querySelectorAll('.decide button');
	for (const button of buttons) turnOff(button, true);
	setTimeout(() => {
		for (const button of buttons) turnOff(button, false);
	}, SETTLE_MS);
}

/** @param {Model} model @param {Waiting} first */
function card(model, first) {
	const name = nameOf(first);
	const id = `card-${first.key.replaceAll(/[^a-zA-Z0-9-]/g, (letter) => `_${letter.charCodeAt(0).toString(16)}`)}`;
	const times = h('p', { class: 'times' });
	const [lines, grants, options] = first.kind === 'sender' ? ofSender(model, first.request) : ofDevice(model, first);
	const replaces = first.replaces && h('p', { class: 'warn' }, 'This took the place of an earlier request. Read it anew.');
	const tellThem = options && h('input', { type: 'checkbox', checked: true });

	const approve = button('Approve', () => approveIt(model, first, tellThem ? tellThem.checked : false, chosen(element)), { class: 'main', 'aria-label': `Approve ${name}` });
	const reject = button('Reject', () => rejectIt(model, first), { 'aria-label': `Reject ${name}` });
	const element = h(
		'article',
		{ 'aria-labelledby': id, class: `card ${first.kind}` },
		h('header', {}, h('h2', { id }, h('bdi', {}, name)), h('span', { class: 'tag' }, first.kind === 'sender' ? channel(first.request.channel) : first.kind)),
		times,
		facts(lines),
		replaces,
		h('div', { class: 'grants' }, ...grants),
		h('div', { class: 'row decide' }, approve, reject, tellThem && h('label', { class: 'inline' }, tellThem, 'tell them')),
	);
	/** @param {Waiting} one */
	const update = (one) => {
		const [now, until] = [model.now(), one.request.expiresAtMs];
		const left = until === undefined ? '' : `, ${span(until - now)} left`;
		say(times, `asked ${ago(now, one.at || undefined)}${left}`);
	};
	return { element, update };
}

/** @param {Model} model @param {DmRequest} request @returns {[[string, any][], (string | Node)[], boolean]} */
function ofSender(model, request) {
	const { meta = {} } = request;
	const said = Object.entries(meta).map(([key, value]) => h('li', {}, foreign(key, 40), ': ', foreign(typeof value === 'string' ? value : JSON.stringify(value), 160)));
	const by = channel(request.channel) + byAccount(request.accountId);
	const running = model.channels
		.find((one) => one.channel === request.channel)
		?.accounts.some((account) => account.accountId === request.accountId && account.running);
	return [
		[
			['Sender', [code(request.id)]],
			['Wrote by', by],
			['Code', [code(request.code)]],
			...(said.length > 0 ? [/** @type {[string, any]} */ (['Profile', [h('ul', {}, ...said)]])] : []),
		],
		[h('p', {}, 'Approve lets ', code(request.id), ` talk to the assistant by ${by}.`)],
		running === true,
	];
}

/** @param {Model} model @param {Waiting & { kind: 'device' | 'node' }} one @returns {[[string, any][], (string | Node)[], boolean]} */
function ofDevice(model, one) {
	const { request } = one;
	const id = one.kind === 'device' ? one.request.deviceId : one.request.nodeId;
	const before = one.kind === 'device' ? model.paired.find((device) => device.deviceId === id) : undefined;
	const roles = one.kind === 'device' ? one.request.roles : ['node'];
	const scopes = one.kind === 'device' ? one.request.scopes : [];
	const choices = roles.includes('node') ? (request.commands ?? []) : [];
	const commands = choices.length > 0 ? undefined : request.commands;
	const lines = rights({ roles: choices.length > 0 ? roles.filter((role) => role !== 'node') : roles, scopes, commands }, before);
	const known = before
		? 'It is paired already, and asks for more, or for something else.'
		: request.isRepair && 'A device of this id was paired before.';
	return [
		[
			[one.kind === 'device' ? 'Device' : 'Node', [code(id)]],
			['Kind', [foreign(kind(request))]],
			['Comes from', [origin(request)]],
			['Request', [code(request.requestId)]],
		],
		[known && h('p', { class: 'warn' }, known), h('p', {}, 'Approve lets it'), h('ul', {}, ...lines.map((line) => h('li', {}, line))), ...choose(choices, before)].filter((node) => node !== false && node !== undefined),
		false,
	];
}

/**
 * A box for each command that a node asks for. Those with power over its machine stand apart.
 *
 * @param {string[]} commands
 * @param {{ commands?: string[] } | undefined} before
 */
function choose(commands, before) {
	/** @param {string} command */
	const box = (command) => {
		const input = h('input', { type: 'checkbox', name: 'command', value: command, checked: true });
		return h('li', {}, h('label', { class: 'inline' }, input, `As node: ${commandRight(command, before)}`));
	};
	const plainOnes = commands.filter((command) => power(command) === undefined);
	const powers = commands.filter((command) => power(command) !== undefined);
	return [
		plainOnes.length > 0 && h('ul', {}, ...plainOnes.map(box)),
		powers.length > 0 && h('p', { class: 'warn' }, 'Take away what this node should not be asked. These give power over its machine:'),
		powers.length > 0 && h('ul', {}, ...powers.map(box)),
	].filter((node) => node !== false);
}

/**
 * The commands that are still chosen; `undefined` if that is all of them.
 *
 * @param {HTMLElement} element
 */
function chosen(element) {
	const boxes = [...element.querySelectorAll('input[name=command]')].filter((box) => box instanceof HTMLInputElement);
	const kept = boxes.filter((box) => box.checked);
	return kept.length < boxes.length ? kept.map((box) => box.value) : undefined;
}

/** @param {Model} model @param {Waiting} one @param {boolean} notify @param {string[] | undefined} commands */
async function approveIt(model, one, notify, commands) {
	const name = nameOf(one);
	if (one.kind === 'sender') {
		const { channel: of, accountId, code: pairingCode, id } = one.request;
		const params = { channel: of, accountId, code: pairingCode, ...(notify ? { notify } : {}) };
		const answer = await decided(model, one, () => model.call('pairing.approve', params));
		if (!answer) return;
		const told = answer.notified === false ? ` They could not be told: ${plain(answer.notNotified)}.` : '';
		const undo = () => model.call('pairing.revoke', { channel: of, accountId, entry: id });
		return toast(`${name} is let in by ${channel(of)}${byAccount(accountId)}.${told}`, { undo });
	}
	const { requestId } = one.request;
	if (one.kind === 'device') {
		const answer = await decided(model, one, () => model.call('device.pair.approve', { requestId, ...(commands ? { commands } : {}) }));
		if (answer) toast(`${name} is paired.`);
		return;
	}
	const answer = await decided(model, one, () => model.call('node.pair.approve', { requestId, ...(commands ? { commands } : {}) }));
	if (!answer) return;
	const { token } = answer.node;
	// A device that waited for its commands has its own token.
	if (!token) return toast(`${name} may be asked what was approved.`);
	tell(`${name} is paired`, h('p', {}, 'Its token, which is shown this once: give it to the node.'), h('p', {}, copyable(token, 'the token')));
}

/** @param {Model} model @param {Waiting} one */
async function rejectIt(model, one) {
	const reject = () => {
		if (one.kind !== 'sender') return model.call(`${one.kind}.pair.reject`, { requestId: one.request.requestId });
		const { channel: of, accountId, code: request } = one.request;
		return model.call('pairing.reject', { channel: of, accountId, request });
	};
	if (await decided(model, one, reject)) toast(`${nameOf(one)} was turned down. Who asks again shows up again.`);
}

/**
 * Decides about exactly what was shown; `undefined` where that is not there any more, which is said.
 *
 * @param {Model} model
 * @param {Waiting} one
 * @param {() => Promise<any>} decide
 */
async function decided(model, one, decide) {
	try {
		return await model.own(one, decide);
	} catch (error) {
		const replaced = model.waiting().find((other) => other.about === one.about && other.key !== one.key);
		const why = because(error);
		const next = replaced ? ' What took its place is in the list: read it anew.' : '';
		const isCertain = error instanceof NotLive ? !error.wasAsked : error instanceof Refused;
		const what = isCertain ? 'Nothing was decided about' : 'Nobody knows what was decided about';
		toast(`${what} ${nameOf(one)}: ${why}.${next}`, { bad: true });
		return undefined;
	}
}

/** @param {import('./types.d.ts').TurnedAway} away @param {number} now */
function turnedAway(away, now) {
	const where = channel(away.channel) + byAccount(away.accountId);
	const who = away.recent.toReversed().map((seen) => h('li', {}, code(seen.id), ` ${ago(now, seen.atMs)}`));
	return h(
		'details',
		{},
		h('summary', {}, `${count(away.count, 'message')} by ${where} came while as many waited as may, since ${ago(now, away.sinceMs)}`),
		h('ul', {}, ...who),
	);
}
