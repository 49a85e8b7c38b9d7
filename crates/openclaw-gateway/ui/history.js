// What happened: the audit log.

import { because, button, code, field, fill, foreign, grid, h, offer, plain, say, searchBox, section } from './dom.js';
import { byAccount, channel, date, scopeNames, shortId } from './words.js';

/** @import { Model } from './model.js' */
/** @import { AuditEntry, View } from './types.d.ts' */

const PORTION = 100;
const MOST = 1000;
/** Whoever types is not interrupted. */
const TYPED_MS = 250;

/** @type {Record<string, string>} */
const VIAS = { terminal: 'at the terminal', chat: 'in a chat', gateway: 'by way of the gateway', page: 'on a page of another program', silent: 'without being asked' };

/** What happens to an account of a chat service, not to a person. */
const LINKS = ['linked', 'not-linked', 'logged-out'];

/** @param {Model} model @returns {View} */
export function history(model) {
	let most = PORTION;
	let read = -1;
	let reading = false;
	let asked = 0;
	/** @type {number | undefined} */
	let typing;

	const channels = h('select', { id: 'history-channel', onchange: anew });
	const device = searchBox('history-device', typed, 'beginning of its id');
	const person = searchBox('history-person', typed, 'sender or who decided');
	const summary = h('p', { role: 'status' });
	const table = grid('History', ['When', 'What', 'About', 'By']);
	const more = h('p', { class: 'more', hidden: true }, button('Show more', () => ((most = Math.min(MOST, most * 2)), load())));
	const element = section(
		'history',
		'History',
		h('div', { class: 'row filters' }, field('Channel', channels), field('Device', device), field('Person', person)),
		summary,
		table.element,
		more,
	);

	function typed() {
		clearTimeout(typing);
		typing = setTimeout(anew, TYPED_MS);
	}

	function anew() {
		most = PORTION;
		load();
	}

	async function load() {
		const mine = ++asked;
		const wanted = { channel: channels.value, device: device.value.trim(), person: person.value.trim() };
		const filters = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
		reading = true;
		try {
			const answer = await model.call('pairing.audit', { limit: most, ...filters });
			if (mine !== asked) return;
			fill(table.body, ...answer.entries.map((/** @type {AuditEntry} */ entry) => table.row(date(entry.at), what(entry), about(entry), by(entry, model))));
			more.hidden = !answer.more || most >= MOST;
			const problems = answer.problems ? ` ${answer.problems} lines of the log cannot be understood.` : '';
			say(summary, (answer.entries.length === 0 ? 'Nothing of the kind is in the log.' : answer.more ? `The newest ${answer.entries.length}.` : `${answer.entries.length} in all.`) + problems);
		} catch (error) {
			if (mine === asked) say(summary, `The log could not be read: ${because(error)}`);
		} finally {
			reading = false;
		}
	}

	return {
		element,
		update() {
			offer(channels, ['', ...model.channelNames()], (id) => (id ? channel(id) : 'all'));
			// Whatever is decided changes one of these.
			const version = model.version;
			if (read === version || reading || !model.isRead || model.gateway.state.kind !== 'live') return;
			read = version;
			load();
		},
	};
}

/** @param {AuditEntry} entry */
function what({ action, role, scopes = [], commands = [] }) {
	return [
		h('b', {}, plain(action)),
		role && ` ${plain(role)}`,
		scopes.length > 0 && ` (${scopeNames(scopes)})`,
		commands.length > 0 && h('small', { class: 'block' }, commands.map((name) => plain(name, 60)).join(', ')),
	];
}

/** @param {AuditEntry} entry @param {Model} model */
function by({ by, via }, model) {
	return [model.decider(by), h('small', { class: 'block' }, VIAS[via] ?? plain(via))];
}

/** @param {AuditEntry} entry */
function about(entry) {
	if (entry.sender !== undefined) {
		return [code(entry.sender, 100), h('small', { class: 'block' }, channel(entry.channel ?? '') + byAccount(entry.account ?? 'default'))];
	}
	if (entry.device !== undefined) return ['device ', h('code', { title: plain(entry.device, 80) }, shortId(entry.device))];
	if (entry.node !== undefined) return ['legacy node ', code(entry.node, 80)];
	if (entry.channel !== undefined) {
		const whose = channel(entry.channel) + byAccount(entry.account ?? 'default');
		return [LINKS.includes(entry.action) ? 'the account itself' : 'who holds the claim code', h('small', { class: 'block' }, whose)];
	}
	if (entry.chat !== undefined) return ['who holds the setup code that was made in ', foreign(entry.chat, 80)];
	return ['who holds the setup code'];
}
