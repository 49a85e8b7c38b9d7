// This browser as a device: a key that cannot leave it, and the token that it was given.
//
// Both are in IndexedDB, which no other origin reads. The gateway's own token never is: it is in memory
// until this device has one of its own.

/** @import { DeviceIdentity, Kept } from './types.d.ts' */

const CLIENT = { id: 'openclaw-control-ui', mode: 'ui' };

/** What cannot be asked of this browser, in words; `undefined` where everything can. */
export function whatIsMissing() {
	if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
		return 'Browsers keep keys only for pages that come by TLS or from their own machine: open this page as https://…, or as http://localhost on the gateway’s machine.';
	}
	if (!globalThis.indexedDB) {
		return 'This browser keeps nothing for pages: allow it to, or use another one.';
	}
	return undefined;
}

/** The key of this browser, made when first asked for. @returns {Promise<DeviceIdentity>} */
export async function identity() {
	// Two pages that open at once are to have the same one.
	return navigator.locks.request('openclaw-identity', async () => {
		/** @type {DeviceIdentity | undefined} */
		const kept = await read('identity');
		if (kept) return kept;
		const made = await generate();
		await write('identity', made);
		return made;
	});
}

/** @returns {Promise<Kept | undefined>} */
export function kept() {
	return read('session');
}

/** @param {Kept} session */
export function keep(session) {
	try {
		localStorage.openclaw = 'yes';
	} catch {
		// It is a hint, and no more.
	}
	return write('session', session);
}

/** May this browser hold a token? Known at once, unlike what is in the database. */
export function wasHere() {
	try {
		return 'openclaw' in localStorage;
	} catch {
		return true;
	}
}

/** Forgets the token; the key stays. */
export function forgetToken() {
	return run('readwrite', (store) => store.delete('session'));
}

/** Forgets the key, too: this browser is another device from now on. */
export function forgetAll() {
	return run('readwrite', (store) => store.clear());
}

/** What this browser says about itself. It never decides anything. */
export function client() {
	const platform = navigator.platform || 'web';
	return { ...CLIENT, version: '1', platform, displayName: `${browserName()} on ${platform}` };
}

/**
 * The `device` of a `connect`: the proof of the key for this challenge.
 *
 * @param {DeviceIdentity} device
 * @param {{ nonce: string, signedAt: number, scopes: string[], token: string }} what
 */
export async function prove(device, { nonce, signedAt, scopes, token }) {
	const { id, mode, platform } = client();
	const kind = platform.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
	const fields = ['v3', device.id, id, mode, 'operator', scopes.join(','), signedAt, token, nonce, kind, ''];
	const text = new TextEncoder().encode(fields.join('|'));
	const signature = await crypto.subtle.sign('Ed25519', device.privateKey, text);
	return { id: device.id, publicKey: device.publicKey, signature: base64url(signature), signedAt, nonce };
}

async function generate() {
	const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
	if (!('privateKey' in pair)) throw new Error('this browser made no pair of keys');
	const key = await crypto.subtle.exportKey('raw', pair.publicKey);
	const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', key));
	const id = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
	return { id, publicKey: base64url(key), privateKey: pair.privateKey };
}

/** @param {ArrayBuffer} bytes */
function base64url(bytes) {
	const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
	return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function browserName() {
	const names = [/Edg\//, 'Edge', /Firefox\//, 'Firefox', /Chrome\//, 'Chrome', /Safari\//, 'Safari'];
	const at = names.findIndex((name) => name instanceof RegExp && name.test(navigator.userAgent));
	return at < 0 ? 'Browser' : String(names[at + 1]);
}

/** @returns {Promise<IDBDatabase>} */
function open() {
	return new Promise((resolve, reject) => {
		const request = indexedDB.open('openclaw', 1);
		request.onupgradeneeded = () => request.result.createObjectStore('kept');
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} work
 * @returns {Promise<any>}
 */
async function run(mode, work) {
	const database = await open();
	try {
		return await new Promise((resolve, reject) => {
			const transaction = database.transaction('kept', mode);
			const request = work(transaction.objectStore('kept'));
			transaction.oncomplete = () => resolve(request.result);
			transaction.onabort = () => reject(transaction.error);
		});
	} finally {
		database.close();
	}
}

/** @param {string} name */
function read(name) {
	return run('readonly', (store) => store.get(name));
}

/** @param {string} name @param {unknown} value */
function write(name, value) {
	return run('readwrite', (store) => store.put(value, name));
}
