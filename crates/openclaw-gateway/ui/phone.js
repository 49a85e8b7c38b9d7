// Pairing a phone: a code, the request that is made with it, and the device that comes of it.

import { because, button, code, copyable, field, fill, h, qrCode, radios, say, section } from './dom.js';
import { nameOf, requestCards } from './waiting.js';
import { countdown, rights } from './words.js';

/** @import { Model } from './model.js' */
/** @import { SetupCode, View, Waiting } from './types.d.ts' */

const PROFILES = [
	{ value: 'limited', label: 'Limited', detail: 'a node, and an app that reads, writes and decides what agents may execute' },
	{ value: 'node', label: 'A node only', detail: 'can be asked to do things, and asks for nothing' },
	{ value: 'full', label: 'Full', detail: 'a node, and an app that may do everything, approve others too' },
];

/** @param {Model} model @returns {View} */
export function phone(model) {
	/** The code that is shown. @type {SetupCode | undefined} */
	let made;
	/** What was asked with it. @type {Extract<Waiting, { kind: 'device' }> | undefined} */
	let asked;

	const access = radios('Access', PROFILES);
	const address = h('input', { type: 'url', id: 'phone-url', placeholder: 'as the gateway finds it itself', autocomplete: 'off', value: usualAddress() });
	const make = button('Make a code', makeOne, { class: 'main' });
	const form = h(
		'div',
		{ class: 'form' },
		access.element,
		field('Address of the gateway', address),
		h('p', { class: 'hint' }, 'By which the phone finds it: wss://…, or ws://… in a network of your own.'),
		make,
	);
	const left = h('span', {});
	const shownCode = h('div', { class: 'setup' });
	const status = h('p', { role: 'status' });
	const list = h('div', { class: 'cards' });
	const cards = requestCards(model, list);
	const element = section('phone', 'Pair a phone', form, shownCode, status, list);

	async function makeOne() {
		const profile = PROFILES[access.chosen()]?.value;
		const url = address.value.trim();
		say(status, '');
		asked = undefined;
		try {
			made = /** @type {SetupCode} */ (await model.call('device.pair.setupCode', { profile, qr: true, ...(url ? { url } : {}) }));
		} catch (error) {
			return say(status, because(error));
		}
		const grants = rights({ roles: made.roles, scopes: made.scopes });
		fill(
			shownCode,
			qrCode(made.qr),
			h(
				'div',
				{},
				h('p', {}, 'In the app on the phone: Settings, Gateway, then scan this, or paste'),
				h('p', { class: 'long' }, copyable(made.setupCode, 'the setup code')),
				h('p', {}, 'It is good for one phone, for ', h('strong', {}, left), ', and by itself lets nobody in: the phone asks, and you approve. It leads to ', code(made.gatewayUrl), '.'),
				h('p', {}, 'The phone will ask to'),
				h('ul', {}, ...grants.map((line) => h('li', {}, line))),
				button('Cancel', cancel),
			),
		);
		form.hidden = true;
		update();
		shownCode.querySelector('button')?.focus();
	}

	async function cancel() {
		const id = made?.setupCodeId;
		forget('The code was cancelled: it is good for nothing.');
		if (id !== undefined) await model.call('device.pair.setupCode.end', { setupCodeId: id });
	}

	/** Takes the code off the page. @param {string} why */
	function forget(why) {
		made = undefined;
		fill(shownCode);
		form.hidden = false;
		say(status, why);
	}

	function update() {
		if (made) {
			const rest = made.expiresAtMs - model.now();
			const id = made.setupCodeId;
			const found = model.waiting().find((one) => one.kind === 'device' && one.request.setupCodeId === id);
			if (found?.kind === 'device') {
				asked = found;
				forget('The code was used: this is who asks.');
			} else if (rest <= 0) {
				forget('The code was too old, and is gone. Make another one.');
			} else {
				say(left, countdown(rest));
			}
		}
		const all = model.waiting();
		const request = asked && all.find((one) => one.about === asked?.about);
		if (request?.kind === 'device') asked = request;
		cards(request ? [request] : []);
		if (asked && !request) {
			const { deviceId } = asked.request;
			const device = model.paired.find((one) => one.deviceId === deviceId && one.approvedAtMs >= (asked?.request.ts ?? 0));
			say(status, device ? `${nameOf(asked)} is paired${device.connectedAtMs === undefined ? '' : ', and connected'}.` : `${nameOf(asked)} does not wait any more.`);
		}
	}

	return {
		element,
		update,
		enter: () => {
			if (!asked && !made) say(status, '');
		},
	};
}

/** Where this page was found a phone finds the gateway, too, unless that is this machine. */
function usualAddress() {
	const { hostname, host, protocol } = location;
	const isOwn = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
	return isOwn ? '' : `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
}
