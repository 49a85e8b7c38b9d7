// Before the page is let in: the gateway's secret, and the owner's approval of this browser.

import * as device from './device.js';
import { button, code, copyable, fill, h, radios } from './dom.js';
import { count } from './words.js';

/** @import { Gateway } from './wire.js' */
/** @import { View } from './types.d.ts' */

/** What a browser may be for. */
const ACCESS = [
	{ label: 'Everything', scopes: ['operator.admin'], detail: 'see all of it, decide, manage devices' },
	{ label: 'Decide who is paired', scopes: ['operator.pairing', 'operator.read'], detail: 'let senders in; other devices stay out of sight' },
	{ label: 'Only look', scopes: ['operator.read'], detail: 'see how the gateway is, and decide nothing' },
];

/** @param {Gateway} gateway @returns {View} */
export function signIn(gateway) {
	const missing = device.whatIsMissing();
	const element = h('main', { class: 'lone' });
	let shown = '';

	const secret = h('input', { type: 'password', required: false, autocomplete: 'current-password', id: 'secret' });
	const access = radios('What this browser may do', ACCESS);
	const submit = h('button', { type: 'submit', class: 'main' }, 'Sign in');
	/** @param {Event} event */
	const go = (event) => {
		event.preventDefault();
		const given = secret.value.trim();
		secret.value = '';
		gateway.signIn(given, ACCESS[access.chosen()]?.scopes ?? []);
	};
	const form = h(
		'form',
		{ onsubmit: go },
		h('label', { for: 'secret' }, 'Gateway token or password'),
		secret,
		h('p', { class: 'hint' }, 'On the gateway’s machine, ', code('openclaw gateway token --show'), ' tells it. It is asked for once, and not kept.'),
		access.element,
		submit,
	);

	function showForm(/** @type {string | undefined} */ message) {
		const alert = message && h('p', { role: 'alert', class: 'bad' }, message);
		fill(element, logo(), h('h1', {}, 'Sign in'), alert, missing ? h('p', { role: 'alert', class: 'bad' }, missing) : form);
		if (!missing) secret.focus();
	}

	function showAsking(/** @type {string} */ requestId) {
		const over = button('Start over', () => gateway.signOut(), { class: 'quiet' });
		fill(
			element,
			logo(),
			h('h1', {}, 'Approve this browser'),
			h('p', {}, 'The secret is right. Like any other device this browser is let in once its owner approves it: on the gateway’s machine, within ', count(5, 'minute'), ', run'),
			h('p', {}, copyable(`openclaw devices approve ${requestId}`, 'the command')),
			h('p', {}, 'or press Approve in a browser that is signed in, or say ', code('/pair approve'), ' in a chat with the bot.'),
			h('p', { role: 'status' }, 'Waiting: this page goes on by itself.'),
			over,
		);
	}

	return {
		element,
		update() {
			const { state } = gateway;
			const now = state.kind === 'asking' ? state.requestId : state.kind === 'signed-out' ? `out ${state.message}` : state.kind;
			if (now === shown) return;
			shown = now;
			if (state.kind === 'asking') showAsking(state.requestId);
			else if (state.kind === 'signed-out') showForm(state.message);
			else fill(element, logo(), h('p', { role: 'status' }, state.kind === 'broken' ? 'The gateway cannot be reached: trying again.' : 'Connecting…'));
		},
	};
}

function logo() {
	return h('p', { class: 'brand' }, h('img', { src: 'ui/icon.svg', alt: '', width: 28, height: 28 }), 'OpenClaw');
}
