// The devices and nodes that are paired, and what they hold.

import * as own from './device.js';
import { ask, button, code, facts, field, foreign, grid, h, keyed, plain, portion, say, searchBox, section, toast } from './dom.js';
import { ago, called, count, date, kind, origin, rights, scopeNames } from './words.js';

/** @import { Model } from './model.js' */
/** @import { PairedDevice, PairedNode, Token, View } from './types.d.ts' */

const FOR_GOOD = 'Its tokens are worth nothing from then on. This cannot be undone: to come back it has to ask, and be approved, anew.';

const ROTATED =
	'The token that it holds is worth nothing from then on, and it is disconnected. It gets another one when it next connects with the gateway’s token. This cannot be undone.';

/** @typedef {{ key: string, text: string, seen: number, device?: PairedDevice, node?: PairedNode }} Row */

/** @param {Model} model @returns {View} */
export function devices(model) {
	/** @type {unknown[]} */
	let shown = [];
	/** @type {Row[]} */
	let rows = [];
	let ownId = '';
	own.identity().then(({ id }) => ((ownId = id), (shown = []), update()), () => {});

	const search = searchBox('devices-search', () => (more.reset(), show()));
	const summary = h('p', { role: 'status' });
	const list = h('div', { class: 'cards' });
	const more = portion(show, 40);
	const element = section('devices', 'Devices', h('div', { class: 'row filters' }, field('Search', search)), summary, list, more.row);

	function show() {
		const wanted = search.value.trim().toLowerCase();
		const found = wanted ? rows.filter((row) => row.text.includes(wanted)) : rows;
		const all = count(rows.length, 'device');
		say(summary, wanted ? `${found.length.toLocaleString('en')} of ${all}` : all);
		keyed(list, more.of(found), (row) => row.key, (row) => (row.device ? deviceCard(model, row.device, row.device.deviceId === ownId) : nodeCard(model, /** @type {PairedNode} */ (row.node))));
	}

	function update() {
		if (shown[0] !== model.paired || shown[1] !== model.pairedNodes) {
			shown = [model.paired, model.pairedNodes];
			rows = [...model.paired.map(rowOfDevice), ...model.pairedNodes.map(rowOfNode)].sort((a, b) => b.seen - a.seen);
			show();
		}
		for (const line of list.querySelectorAll('[data-at]')) {
			say(line, `last seen ${ago(model.now(), Number(line.getAttribute('data-at')))}`);
		}
	}

	return { element, update };
}

/** When it was last there; those that are there come first. @param {PairedDevice} device */
function seen(device) {
	return Math.max(0, ...device.tokens.map((token) => token.lastUsedAtMs ?? 0));
}

/** @param {PairedDevice} device @returns {Row} */
function rowOfDevice(device) {
	const { deviceId, operatorLabel = '', displayName = '', platform = '', remoteIp = '', roles } = device;
	return {
		key: `device ${JSON.stringify(device)}`,
		text: [deviceId, operatorLabel, displayName, platform, device.deviceFamily, remoteIp, ...roles].join('\n').toLowerCase(),
		seen: device.connectedAtMs === undefined ? seen(device) : Infinity,
		device,
	};
}

/** @param {PairedNode} node @returns {Row} */
function rowOfNode(node) {
	const { nodeId, displayName = '', platform = '' } = node;
	return {
		key: `node ${JSON.stringify(node)}`,
		text: [nodeId, displayName, platform, 'legacy node'].join('\n').toLowerCase(),
		seen: node.lastConnectedAtMs ?? 0,
		node,
	};
}

/** @param {Model} model @param {PairedDevice} device @param {boolean} isOwn */
function deviceCard(model, device, isOwn) {
	const { deviceId } = device;
	const own = device.operatorLabel ?? device.displayName;
	const name = called(own, deviceId);
	const at = seen(device);
	const activity =
		device.connectedAtMs !== undefined
			? h('p', { class: 'times' }, h('b', { class: 'good' }, 'connected'), ` since ${date(device.connectedAtMs)}`)
			: h('p', { class: 'times', 'data-at': at || undefined }, 'not seen yet');

	const remove = async () => {
		if (!(await isMeant(`Remove ${name}?`, `${atOnce(isOwn)} ${FOR_GOOD}`, 'Remove'))) return;
		await model.call('device.pair.remove', { deviceId });
		toast(`${name} was removed.`);
		model.stale('devices');
	};
	const rename = () =>
		renamed(model, name, own ?? '', (to) => model.call('device.pair.rename', { deviceId, label: to }), 'devices');

	return card({
		key: deviceId,
		name,
		tags: [isOwn ? 'this browser' : '', ...device.roles],
		parts: [
			activity,
			facts([['Device', code(deviceId)], ['Kind', foreign(kind(device))], ['Came from', origin(device)], ['Approved', date(device.approvedAtMs)]]),
			h('ul', {}, ...rights(device).map((line) => h('li', {}, line))),
			device.tokens.length > 0 && tokenTable(model, device, name, isOwn),
		],
		buttons: [
			button('Rename', rename, { 'aria-label': `Rename ${name}` }),
			button('Remove', remove, { 'aria-label': `Remove ${name}`, class: 'danger' }),
		],
	});
}

/** @param {Model} model @param {PairedDevice} device @param {string} name @param {boolean} isOwn */
function tokenTable(model, { deviceId, tokens, connectedAtMs }, name, isOwn) {
	/** @param {string} verb @param {Token} token @param {string} text @param {string} done */
	const end = (verb, { role }, text, done) => {
		const what = `the ${role} token of ${name}`;
		const act = async () => {
			if (!(await isMeant(`${verb} ${what}?`, text, verb))) return;
			const answer = await model.call(`device.token.${verb.toLowerCase()}`, { deviceId, role });
			if (answer.token && isOwn) await own.keep({ token: answer.token, scopes: answer.scopes });
			toast(`T${what.slice(1)} was ${done}.`);
			model.stale('devices');
		};
		return button(verb, act, { 'aria-label': `${verb} ${what}`, class: 'quiet' });
	};
	/** @param {Token} token */
	const row = (token) => {
		const { role, revokedAtMs, rotatedAtMs, lastUsedAtMs, scopes } = token;
		const state = revokedAtMs !== undefined ? `revoked ${ago(model.now(), revokedAtMs)}` : lastUsedAtMs === undefined ? (connectedAtMs === undefined ? 'not used yet' : 'no use written down yet') : `used ${ago(model.now(), lastUsedAtMs)}`;
		const made = rotatedAtMs === undefined ? '' : `, rotated ${ago(model.now(), rotatedAtMs)}`;
		const buttons = revokedAtMs === undefined && [
			end('Rotate', token, isOwn ? 'This browser is given a new token, and goes on by it.' : ROTATED, 'rotated'),
			end('Revoke', token, `${atOnce(isOwn)} ${FOR_GOOD}`, 'revoked'),
		];
		return table.row(h('b', {}, plain(role)), role === 'operator' && scopeNames(scopes), state + made, buttons);
	};
	const table = grid(`Tokens of ${name}`, ['Token', 'Scopes', 'Use', 'Decide']);
	table.body.append(...tokens.map(row));
	return table.element;
}

/** @param {Model} model @param {PairedNode} node */
function nodeCard(model, node) {
	const { nodeId, displayName } = node;
	const name = called(displayName, nodeId);
	const rename = () => renamed(model, name, displayName ?? '', (to) => model.call('node.rename', { nodeId, displayName: to }), 'nodes');
	const remove = async () => {
		if (!(await isMeant(`Remove ${name}?`, FOR_GOOD, 'Remove'))) return;
		await model.call('node.pair.remove', { nodeId });
		toast(`${name} was removed.`);
		model.stale('nodes');
	};
	return card({
		key: nodeId,
		name,
		tags: ['legacy node'],
		parts: [
			h('p', { class: 'times', 'data-at': node.lastConnectedAtMs }, 'not seen yet'),
			facts([['Node', code(nodeId)], ['Kind', foreign(kind(node))], ['Approved', date(node.approvedAtMs ?? NaN)]]),
		],
		buttons: [
			button('Rename', rename, { 'aria-label': `Rename ${name}` }),
			model.has('node.pair.remove') && button('Remove', remove, { 'aria-label': `Remove ${name}`, class: 'danger' }),
		],
	});
}

/**
 * @param {Model} model
 * @param {string} name
 * @param {string} before
 * @param {(name: string) => Promise<unknown>} rename
 * @param {'devices' | 'nodes'} part
 */
async function renamed(model, name, before, rename, part) {
	const to = await ask({ title: `Rename ${name}`, verb: 'Rename', field: { label: 'Name', value: plain(before) } });
	if (to === undefined || !to.trim() || to === before) return;
	await rename(to.trim());
	// One that had no name cannot be given none.
	const undo = before ? () => rename(before).then(() => model.stale(part)) : undefined;
	toast(`${name} is called ${plain(to.trim())} now.`, undo ? { undo } : {});
	model.stale(part);
}

/** @param {boolean} isOwn */
function atOnce(isOwn) {
	return isOwn ? 'This is the browser that you are using: you are signed out.' : 'It is disconnected at once.';
}

/** @param {string} title @param {string} text @param {string} verb */
function isMeant(title, text, verb) {
	return ask({ title, text: [h('p', {}, text)], verb, danger: true });
}

/** @param {{ key: string, name: string, tags: string[], parts: (Node | false)[], buttons: (Node | false)[] }} what */
function card({ key, name, tags, parts, buttons }) {
	const id = `device-${key.replaceAll(/[^a-zA-Z0-9-]/g, '_')}`;
	const header = h('header', {}, h('h2', { id }, h('bdi', {}, name)), ...tags.filter((tag) => tag).map((tag) => h('span', { class: 'tag' }, plain(tag))));
	const element = h('article', { class: 'card', 'aria-labelledby': id }, header, ...parts);
	element.append(h('div', { class: 'row' }, ...buttons));
	return element;
}
