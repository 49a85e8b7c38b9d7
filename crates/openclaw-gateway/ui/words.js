// Words for people: times, scopes, channels, decisions.

import { code, plain } from './dom.js';

/** @import { About } from './types.d.ts' */

/** A length of time to its largest unit, cut off. @param {number} ms */
export function span(ms) {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	if (seconds < 60) return `${seconds} s`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
	if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
	return `${Math.floor(seconds / 86_400)} days`;
}

/** @param {number} now @param {number | undefined} at */
export function ago(now, at) {
	if (at === undefined) return 'at an unknown time';
	return now - at < 1000 ? 'just now' : `${span(now - at)} ago`;
}

/** `1:05`. @param {number} ms */
export function countdown(ms) {
	const seconds = Math.max(0, Math.ceil(ms / 1000));
	return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** @param {number} at */
export function date(at) {
	const when = new Date(at);
	return Number.isNaN(when.getTime()) ? 'at an unknown time' : when.toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
}

/** @type {Record<string, string>} */
const CHANNELS = {
	telegram: 'Telegram',
	whatsapp: 'WhatsApp',
	signal: 'Signal',
	imessage: 'iMessage',
	bluebubbles: 'BlueBubbles',
	discord: 'Discord',
	slack: 'Slack',
	feishu: 'Feishu',
};

/** The channels that every gateway knows. */
export const KNOWN_CHANNELS = Object.keys(CHANNELS);

/** @param {string} id */
export function channel(id) {
	return CHANNELS[id] ?? plain(id);
}

/** By which bot account, where that is not the only one. @param {string} account */
export function byAccount(account) {
	return account === 'default' ? '' : ` (account ${plain(account)})`;
}

/** @type {Record<string, string>} */
const SCOPES = {
	'operator.admin': 'do everything, approve other devices too',
	'operator.pairing': 'decide who and what is paired',
	'operator.write': 'look at everything, read direct messages, and change things',
	'operator.read': 'look at everything but the texts of direct messages',
	'operator.messages': 'read the texts of direct messages',
	'operator.approvals': 'decide what agents may execute',
	'operator.talk.secrets': 'read the secrets that voice needs',
};

/**
 * The power over a node's machine that a command gives; `undefined` for ordinary commands.
 *
 * @param {string} command
 */
export function power(command) {
	if (/^system\.run/.test(command)) return 'run programs';
	if (/^system\.execApprovals/.test(command)) return 'decide which programs may be run';
	if (/^(file|dir|fs|workspace)(\.|$)/.test(command)) return 'read and write files';
	if (/^terminal(\.|$)/.test(command)) return 'use a terminal';
	if (/^browser(\.|$)/.test(command)) return 'use the browser and what it is signed in to';
	return undefined;
}

/**
 * What is granted, a line each; `before` is what has been granted already.
 *
 * @param {{ roles: string[], scopes?: string[], commands?: string[] }} ask
 * @param {{ roles: string[], scopes?: string[], commands?: string[] }} [before]
 */
export function rights({ roles, scopes = [], commands = [] }, before) {
	/** @param {boolean | undefined} had */
	const mark = (had) => (before && !had ? ', new' : '');
	const lines = [];
	if (roles.includes('operator')) {
		if (scopes.length === 0) lines.push(`As operator: connect, and nothing else${mark(before?.roles.includes('operator'))}`);
		for (const scope of scopes) {
			const may = SCOPES[scope] ?? 'something that this page does not know';
			lines.push(`As operator: ${may} (${plain(scope)}${mark(before?.scopes?.includes(scope))})`);
		}
	}
	if (roles.includes('node')) {
		if (commands.length === 0) lines.push(`As node: be there, and be asked for nothing yet${mark(before?.roles.includes('node'))}`);
		for (const command of commands) {
			lines.push(`As node: ${commandRight(command, before)}`);
		}
	}
	return lines;
}

/**
 * What a command lets a node be asked.
 *
 * @param {string} command
 * @param {{ commands?: string[] }} [before]
 */
export function commandRight(command, before) {
	const mark = before && !before.commands?.includes(command) ? ', new' : '';
	const may = power(command);
	return may ? `${may} (${plain(command)}${mark})` : `be asked for ${plain(command)}${mark}`;
}

/** `read, write`. @param {string[]} scopes */
export function scopeNames(scopes) {
	return scopes.map((scope) => plain(scope.replace(/^operator\./, ''))).join(', ') || 'no scopes';
}

/** What it is called, or else the beginning of its id. @param {string | undefined} name @param {string} id */
export function called(name, id) {
	return plain(name?.trim() || shortId(id), 64);
}

/** @param {string} id */
export function shortId(id) {
	return id.length > 16 ? `${plain(id.slice(0, 12))}…` : plain(id);
}

/** `iPhone, iOS`. @param {About} about */
export function kind({ deviceFamily, platform, clientId }) {
	const words = [deviceFamily, platform, clientId].filter((word) => word);
	return words.map((word) => plain(word, 64)).join(', ') || 'unknown';
}

/** Where it connects from. @param {About} about */
export function origin({ remoteIp }) {
	return remoteIp ? code(remoteIp) : 'the gateway’s own machine';
}

/** @param {number} number @param {string} noun */
export function count(number, noun) {
	return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}
