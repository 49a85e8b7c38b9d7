// What the page knows of the gateway, kept up to date by its events.

import { because, plain } from './dom.js';
import { NotLive } from './wire.js';
import { called, KNOWN_CHANNELS, shortId } from './words.js';

/** @import { DmRequest, PairedDevice, PairedNode, PendingDevice, PendingNode, TurnedAway, Waiting, ChannelStatus } from './types.d.ts' */
/** @import { Gateway } from './wire.js' */

/** Events that come together are one reason to ask again. */
const GATHER_MS = 300;

/** @typedef {'requests' | 'devices' | 'nodes' | 'channels'} Part */

/** Is it in the configuration, or does it run all the same? @param {ChannelStatus} channel */
export function isSetUp({ configured, accounts }) {
	return configured || accounts.some((account) => account.running);
}

export class Model {
	/** @type {DmRequest[]} */
	requests = [];
	/** @type {TurnedAway[]} */
	turnedAway = [];
	/** @type {string[]} */
	problems = [];
	/** @type {PendingDevice[]} */
	pendingDevices = [];
	/** @type {PairedDevice[]} */
	paired = [];
	/** @type {PendingNode[]} */
	pendingNodes = [];
	/** @type {PairedNode[]} */
	pairedNodes = [];
	/** @type {ChannelStatus[]} */
	channels = [];
	/** Has everything been read that may be? */
	isRead = false;
	/** What became of those who waited, the newest first. @type {{ key: string, text: string }[]} */
	remarks = [];
	/** When allowlists last changed, for who shows one. */
	listsChanged = 0;
	/** Counts what was read. */
	version = 0;

	/** Requests that this page is deciding about: it says itself what came of them. @type {Set<string>} */
	#own = new Set();
	/** Which request of each has been seen. @type {Map<string, string>} */
	#seen = new Map();
	/** Those that came in the place of another one. @type {Set<string>} */
	#replaced = new Set();
	/** @type {Set<Part>} */
	#stale = new Set();
	/** @type {number | undefined} */
	#gathering;
	#count = 0;

	/**
	 * @param {Gateway} gateway
	 * @param {() => void} onChange
	 * @param {(who: Waiting) => void} onNew somebody waits who did not before
	 */
	constructor(gateway, onChange, onNew) {
		this.gateway = gateway;
		this.onChange = onChange;
		this.onNew = onNew;
	}

	now() {
		return this.gateway.now();
	}

	/** Asks the gateway. @param {string} method @param {object} [params] */
	call(method, params) {
		return this.gateway.call(method, params);
	}

	/** The channels that there are, or else those that every gateway knows. */
	channelNames() {
		const known = this.channels.map((one) => one.channel);
		return known.length > 0 ? known : [...KNOWN_CHANNELS];
	}

	/** Who decided, by a name where that is known. @param {string} by */
	decider(by) {
		const id = by.startsWith('device:') ? by.slice('device:'.length) : '';
		const device = this.paired.find((one) => one.deviceId === id);
		if (id) return device ? `${called(device.operatorLabel ?? device.displayName, id)} (device ${shortId(id)})` : `device ${shortId(id)}`;
		const secret = { 'operator:token': 'who has the gateway’s token', 'operator:password': 'who has the gateway’s password' }[by];
		return secret ?? plain(by.replace(/^terminal:/, ''), 100);
	}

	/** May this browser do what this scope is for? @param {string} scope */
	can(scope) {
		const { state } = this.gateway;
		if (state.kind !== 'live') return false;
		const { scopes } = state.hello.auth;
		const implied = ['operator.read', 'operator.messages'].includes(scope) && scopes.includes('operator.write');
		return implied || scopes.includes(scope) || scopes.includes('operator.admin');
	}

	/** Is there this method? @param {string} method */
	has(method) {
		const { state } = this.gateway;
		return state.kind === 'live' && state.hello.features.methods.includes(method);
	}

	/** Everybody who waits, the newest first. @returns {Waiting[]} */
	waiting() {
		const now = this.now();
		/** @param {Waiting['kind']} kind @param {string} who @param {string} id @param {number} at @param {any} request */
		const one = (kind, who, id, at, request) => {
			const [about, key] = [`${kind} ${who}`, `${kind} ${who} ${id}`];
			return /** @type {Waiting} */ ({ kind, about, key, at, request, replaces: this.#replaced.has(key) });
		};
		return [
			...this.requests
				.filter((request) => now < (request.expiresAtMs ?? Infinity))
				.map((request) => one('sender', `${request.channel} ${request.accountId} ${request.id}`, request.code, request.createdAtMs ?? 0, request)),
			...this.pendingDevices.map((request) => one('device', request.deviceId, request.requestId, request.ts, request)),
			...this.pendingNodes.map((request) => one('node', request.nodeId, request.requestId, request.ts, request)),
		].sort((a, b) => b.at - a.at || (a.key < b.key ? -1 : 1));
	}

	/** Reads everything that this browser may see. */
	async read() {
		// What came while the connection was gone is news, too.
		const tell = this.isRead;
		const parts = this.#readable();
		await Promise.all(parts.map((part) => this.#readPart(part, tell)));
		this.isRead = true;
		this.listsChanged += 1;
		this.onChange();
	}

	/** @returns {Part[]} */
	#readable() {
		/** @type {Part[]} */
		const parts = [];
		if (this.can('operator.pairing')) parts.push('requests', 'devices', 'nodes');
		if (this.can('operator.read') && this.has('pairing.channels')) parts.push('channels');
		return parts;
	}

	/** An event of the gateway. @param {string} event @param {any} payload */
	hear(event, payload) {
		switch (event) {
			case 'pairing.resolved':
				this.#resolved(`sender ${payload.channel} ${payload.accountId} ${payload.id}`, payload.decision);
				return this.stale('requests');
			case 'device.pair.resolved':
				this.#resolved(`device ${payload.deviceId}`, payload.decision);
				return this.stale('devices');
			case 'node.pair.resolved':
				this.#resolved(`node ${payload.nodeId}`, payload.decision);
				return this.stale('nodes');
			case 'pairing.requested':
				return this.stale('requests');
			case 'node.pair.requested':
				return this.stale('nodes');
			case 'device.pair.requested':
			case 'presence':
				return this.stale('devices');
			case 'pairing.changed':
				if (payload.devices) this.stale('devices');
				if (payload.nodes) this.stale('nodes');
				if (payload.channels) {
					this.listsChanged += 1;
					this.stale('requests');
				}
		}
	}

	/** Is to be read again. @param {Part} part */
	stale(part) {
		this.#stale.add(part);
		this.#gathering ??= setTimeout(() => {
			this.#gathering = undefined;
			this.#again();
		}, GATHER_MS);
	}

	/** Asks again for what seems to have ended: a device may have asked again in time. */
	look() {
		const now = this.now();
		const over = (/** @type {{ expiresAtMs?: number }} */ { expiresAtMs = Infinity }) => expiresAtMs <= now;
		if (this.pendingDevices.some(over)) this.stale('devices');
		if (this.pendingNodes.some(over)) this.stale('nodes');
	}

	/** Reads this now. @param {Part} part */
	async refresh(part) {
		await this.#readPart(part, true);
		this.onChange();
	}

	async #again() {
		const readable = this.#readable();
		const parts = readable.filter((part) => this.#stale.has(part));
		this.#stale.clear();
		await Promise.all(parts.map((part) => this.#readPart(part, true)));
		this.onChange();
	}

	/** @param {Part} part @param {boolean} tell */
	async #readPart(part, tell) {
		try {
			if (part === 'requests') {
				const answer = await this.call('pairing.list');
				[this.requests, this.turnedAway, this.problems] = [answer.requests, answer.turnedAway ?? [], answer.problems ?? []];
			} else if (part === 'devices') {
				const answer = await this.call('device.pair.list');
				[this.pendingDevices, this.paired] = [answer.pending, answer.paired];
			} else if (part === 'nodes') {
				const answer = await this.call('node.pair.list');
				[this.pendingNodes, this.pairedNodes] = [answer.pending, answer.paired];
			} else {
				this.channels = (await this.call('pairing.channels')).channels;
			}
			this.version += 1;
			this.#note(tell);
		} catch (error) {
			if (error instanceof NotLive) return;
			this.remark(`What waits could not be read: ${because(error)}`);
		}
	}

	/** Notes who waits, and what has taken the place of something else. @param {boolean} tell */
	#note(tell) {
		for (const one of this.waiting()) {
			const before = this.#seen.get(one.about);
			if (before === one.key) continue;
			this.#seen.set(one.about, one.key);
			if (before !== undefined) this.#replaced.add(one.key);
			if (tell) this.onNew(one);
		}
	}

	/** Decides; what becomes of the request is then said by whoever called this. @param {Waiting} one @param {() => Promise<any>} decide */
	async own(one, decide) {
		this.#own.add(one.about);
		try {
			return await decide();
		} finally {
			// The event may come after the answer.
			setTimeout(() => this.#own.delete(one.about), 2_000);
			await this.refresh(one.kind === 'sender' ? 'requests' : one.kind === 'device' ? 'devices' : 'nodes');
		}
	}

	/** @param {string} about @param {string} decision */
	#resolved(about, decision) {
		const one = this.waiting().find((other) => other.about === about);
		if (!one || decision === 'superseded') return;
		this.#seen.delete(about);
		if (this.#own.has(about)) return;
		this.remark(`${this.nameOf(one)} ${decision === 'expired' ? 'was too late' : `was ${decision} elsewhere`}.`);
	}

	/** @type {(one: Waiting) => string} */
	nameOf = () => '';

	/** @param {string} text */
	remark(text) {
		this.remarks = [{ key: String(++this.#count), text }, ...this.remarks].slice(0, 5);
		this.onChange();
	}

	/** Forgets everything: another one may sign in. */
	clear() {
		clearTimeout(this.#gathering);
		this.#gathering = undefined;
		this.#stale.clear();
		this.#seen.clear();
		this.#replaced.clear();
		[this.requests, this.turnedAway, this.problems, this.remarks] = [[], [], [], []];
		[this.pendingDevices, this.paired, this.pendingNodes, this.pairedNodes, this.channels] = [[], [], [], [], []];
		this.isRead = false;
	}
}
