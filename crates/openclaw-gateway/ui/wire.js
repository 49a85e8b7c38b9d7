// The connection to the gateway: made, lost, made again, and never taken for live when it is not.

import * as device from './device.js';

/** @import { Hello, State, WireError } from './types.d.ts' */

/** An answer that takes longer than this is none. */
const PATIENCE_MS = 30_000;
/** How often is looked whether the owner has approved this browser. */
const ASK_AGAIN_MS = 2_000;
const LONGEST_WAIT_MS = 15_000;

/** The gateway said no. */
export class Refused extends Error {
	/** @param {WireError} error */
	constructor(error) {
		super(error.message);
		this.code = error.code;
		this.details = error.details ?? {};
	}
}

/** The gateway was not asked; or it was, and nobody knows what it would have said. */
export class NotLive extends Error {
	/** @param {boolean} [wasAsked] */
	constructor(wasAsked = false) {
		super(wasAsked ? 'the connection ended before the answer came' : 'the gateway could not be asked: there is no connection to it');
		this.wasAsked = wasAsked;
	}
}

export class Gateway {
	/** @type {State} */
	state = { kind: 'connecting' };
	/** The gateway's clock against this one, in milliseconds. */
	skew = 0;

	/** @type {WebSocket | undefined} */
	#socket;
	/** @type {Map<string, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
	#open = new Map();
	#count = 0;
	#failures = 0;
	#heard = 0;
	/** @type {number | undefined} */
	#timer;
	/** The gateway's own secret: until this browser has a token. @type {string | undefined} */
	#secret;
	/** @type {string[]} */
	#scopes = [];
	/** @type {{ secret: string, scopes: string[] } | undefined} */
	#link;
	#onState;
	#onEvent;

	/**
	 * @param {(state: State) => void} onState
	 * @param {(event: string, payload: any) => void} onEvent
	 */
	constructor(onState, onEvent) {
		this.#onState = onState;
		this.#onEvent = onEvent;
		const again = () => this.state.kind === 'broken' && this.#connect();
		addEventListener('online', again);
		addEventListener('offline', () => this.state.kind === 'live' && this.#lost('this device is offline'));
		document.addEventListener('visibilitychange', () => document.hidden || again());
		setInterval(() => this.#watch(), 1_000);
	}

	/** The gateway's time, in milliseconds. */
	now() {
		return Date.now() + this.skew;
	}

	/**
	 * Connects by the token that this browser holds. Only where it holds none that is good, by the secret of a
	 * link: whoever made that, it takes nobody out of the page.
	 *
	 * @param {{ secret: string, scopes: string[] }} [link]
	 */
	async start(link) {
		// A browser that has not been here need not wait for its own disk.
		if (!link && !device.wasHere()) this.signOut();
		const kept = await device.kept().catch(() => this.signOut('This browser keeps nothing for pages: allow it to.'));
		if (kept) {
			this.#link = link;
			this.#scopes = kept.scopes;
			this.#connect();
		} else if (link) {
			this.signIn(link.secret, link.scopes);
		} else if (this.state.kind !== 'signed-out') {
			this.signOut();
		}
	}

	/** Connects by the gateway's secret, and asks for these scopes. @param {string} secret @param {string[]} scopes */
	signIn(secret, scopes) {
		this.#secret = secret;
		this.#scopes = scopes;
		this.#link = undefined;
		this.#failures = 0;
		this.#connect();
	}

	/** @param {string} [message] */
	signOut(message) {
		this.#secret = undefined;
		this.#link = undefined;
		this.#drop();
		this.#enter(message ? { kind: 'signed-out', message } : { kind: 'signed-out' });
	}

	/**
	 * Asks the gateway.
	 *
	 * @param {string} method
	 * @param {object} [params]
	 * @returns {Promise<any>}
	 */
	call(method, params = {}) {
		if (this.state.kind !== 'live') return Promise.reject(new NotLive());
		return this.#send(method, params);
	}

	/** @param {string} method @param {object} params @returns {Promise<any>} */
	#send(method, params) {
		// A socket that is closing takes nothing more, and would complain on the console.
		const socket = this.#socket;
		if (socket?.readyState !== WebSocket.OPEN) return Promise.reject(new NotLive());
		const id = String(++this.#count);
		return new Promise((resolve, reject) => {
			const late = setTimeout(() => {
				this.#open.delete(id);
				reject(new Error('the gateway takes too long to answer'));
			}, PATIENCE_MS);
			/** @template T @param {(value: T) => void} end */
			const ended = (end) => (/** @type {T} */ value) => {
				clearTimeout(late);
				end(value);
			};
			this.#open.set(id, { resolve: ended(resolve), reject: ended(reject) });
			socket.send(JSON.stringify({ type: 'req', id, method, params }));
		});
	}

	#connect() {
		this.#drop();
		if (this.state.kind !== 'asking') this.#enter({ kind: 'connecting' });
		// Below a base path, the page says which.
		const url = new URL(document.documentElement.dataset.base ?? '.', location.href);
		url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
		url.hash = '';
		const socket = new WebSocket(url);
		this.#socket = socket;
		this.#heard = performance.now();
		socket.onmessage = ({ data }) => this.#socket === socket && this.#hear(socket, data);
		socket.onclose = ({ reason }) => this.#socket === socket && this.#lost(reason);
	}

	/** Lets the socket go, and whoever waits for an answer by it. */
	#drop() {
		clearTimeout(this.#timer);
		const [socket, open] = [this.#socket, this.#open];
		this.#socket = undefined;
		this.#open = new Map();
		socket?.close();
		for (const { reject } of open.values()) reject(new NotLive(true));
	}

	/** @param {WebSocket} socket @param {string} data */
	#hear(socket, data) {
		this.#heard = performance.now();
		const frame = JSON.parse(data);
		if (frame.type === 'res') {
			const waiting = this.#open.get(frame.id);
			this.#open.delete(frame.id);
			if (frame.ok) waiting?.resolve(frame.payload);
			else waiting?.reject(new Refused(frame.error));
		} else if (frame.event === 'connect.challenge') {
			this.skew = frame.payload.ts - Date.now();
			this.#shakeHands(socket, frame.payload.nonce);
		} else if (frame.event === 'tick') {
			this.skew = frame.payload.ts - Date.now();
		} else if (this.state.kind === 'live') {
			this.#onEvent(frame.event, frame.payload);
		}
	}

	/** @param {WebSocket} socket @param {string} nonce */
	async #shakeHands(socket, nonce) {
		const secret = this.#secret;
		const kept = secret === undefined ? await device.kept() : undefined;
		// Another page of this browser may have signed out.
		if (secret === undefined && !kept) return this.signOut();
		try {
			const own = await device.identity();
			const token = secret ?? kept?.token ?? '';
			const scopes = this.#scopes;
			const proof = await device.prove(own, { nonce, signedAt: this.now(), scopes, token });
			if (this.#socket !== socket) return;
			const hello = await this.#send('connect', {
				minProtocol: 3,
				maxProtocol: 4,
				client: device.client(),
				role: 'operator',
				scopes,
				device: proof,
				// A gateway asks for one of the two, and only its owner knows for which.
				auth: secret === undefined ? { deviceToken: token } : { token: secret, password: secret },
				locale: navigator.language,
			});
			await this.#welcome(hello);
		} catch (error) {
			if (this.#socket === socket) await this.#turnedAway(error, kept?.token);
		}
	}

	/** @param {Hello} hello */
	async #welcome(hello) {
		this.#failures = 0;
		const { deviceToken, scopes } = hello.auth;
		if (deviceToken) await device.keep({ token: deviceToken, scopes });
		if (this.#secret !== undefined && (await device.kept())) {
			// From here on it stands on its own token, as any device: only then may it have that rotated.
			this.#secret = undefined;
			this.#scopes = scopes;
			return this.#connect();
		}
		this.#link = undefined;
		this.#enter({ kind: 'live', hello });
	}

	/** @param {unknown} error @param {string | undefined} shown the token that was shown */
	async #turnedAway(error, shown) {
		if (!(error instanceof Refused)) {
			const unable = error instanceof DOMException;
			if (unable) return this.signOut('This browser cannot keep a key (Ed25519): use a newer one.');
			return this.#lost(error instanceof Error ? error.message : '');
		}
		const { code, requestId, reason } = error.details;
		if (code === 'PAIRING_REQUIRED' && requestId) {
			const before = this.state;
			if (before.kind === 'asking' && before.requestId !== requestId) {
				return this.signOut('The owner turned this browser down, or its request was too old. Sign in to ask again.');
			}
			this.#drop();
			this.#enter({ kind: 'asking', requestId, reason: reason ?? '' });
			this.#timer = setTimeout(() => this.#connect(), ASK_AGAIN_MS);
			return;
		}
		if (shown !== undefined && code === 'AUTH_DEVICE_TOKEN_MISMATCH') {
			// That the gateway closes it is no reason to try the same token again.
			this.#drop();
			// Another page of this browser may just have had it rotated, and be keeping the new one.
			await new Promise((resolve) => setTimeout(resolve, 500));
			if (this.#socket) return;
			const kept = await device.kept();
			if (kept && kept.token !== shown) return this.#connect();
			await device.forgetToken();
			if (this.#link) return this.signIn(this.#link.secret, this.#link.scopes);
			return this.signOut('The access of this browser was ended or changed. Sign in to ask for it again.');
		}
		if (error.code === 'UNAVAILABLE') return this.#lost(error.message);
		this.signOut(`The gateway refused: ${error.message}`);
	}

	/** @param {string} reason */
	#lost(reason) {
		this.#drop();
		const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.#failures) * (0.8 + Math.random() * 0.4);
		this.#failures += 1;
		this.#enter({ kind: 'broken', message: reason, retryAt: Date.now() + wait });
		this.#timer = setTimeout(() => this.#connect(), wait);
	}

	/** A connection by which nothing comes any more is none. */
	#watch() {
		const state = this.state;
		const most = state.kind === 'live' ? 2.5 * state.hello.policy.tickIntervalMs : PATIENCE_MS;
		if (this.#socket && performance.now() - this.#heard > most) this.#lost('the gateway is silent');
	}

	/** @param {State} state */
	#enter(state) {
		this.state = state;
		this.#onState(state);
	}
}
