// Linking an account by a code that a phone scans: the code, and how far it is.

import { because, button, copyable, fill, h, plain, qrCode, say } from './dom.js';
import { channel } from './words.js';

/** @import { Model } from './model.js' */
/** @import { LoginProgress } from './types.d.ts' */

/** How long the gateway waits for the next step. */
const STEP_MS = 20_000;

/** @param {Model} model */
export function linking(model) {
	/** How far the login is that was begun here. @type {LoginProgress | undefined} */
	let now;
	/** Counts logins: answers about an earlier one are left alone. */
	let count = 0;
	/** The accounts that have a button. */
	let offered = '';

	const choices = h('div', { class: 'row' });
	const shown = h('div', { class: 'setup' });
	const status = h('p', { role: 'status' });
	const element = h('div', { hidden: true }, h('h2', {}, 'Link an account'), choices, shown, status);

	/** @param {string} id @param {string} accountId */
	async function begin(id, accountId) {
		count += 1;
		const mine = count;
		show(/** @type {LoginProgress} */ (await model.call('channels.login.start', { channel: id, accountId })));
		void follow(mine);
	}

	/** Shows each step, to the end. @param {number} mine */
	async function follow(mine) {
		while (mine === count && now && !isOver(now)) {
			const { loginId, step } = now;
			try {
				const next = /** @type {LoginProgress} */ (await model.call('channels.login.wait', { loginId, after: step, timeoutMs: STEP_MS }));
				if (mine === count && next.step > step) show(next);
			} catch (error) {
				if (mine === count) forget(`It is not known whether the account was linked: ${because(error)}`);
			}
		}
	}

	async function cancel() {
		const loginId = now?.loginId;
		count += 1;
		forget('Cancelled: the code is good for nothing.');
		if (loginId !== undefined) await model.call('channels.login.end', { loginId });
	}

	/** Takes the code off the page. @param {string} why */
	function forget(why) {
		now = undefined;
		fill(shown);
		choices.hidden = false;
		say(status, why);
	}

	/** @param {LoginProgress} next */
	function show(next) {
		now = next;
		choices.hidden = !isOver(next);
		fill(shown, ...(next.state === 'code' ? [drawn(next), told(next)] : []));
		shown.querySelector('button')?.focus();
		say(status, words(next));
	}

	/** @param {LoginProgress} next */
	function drawn({ qr, code = '' }) {
		return qr ? qrCode(qr) : h('p', { class: 'long' }, copyable(code, 'the code'));
	}

	/** @param {LoginProgress} next */
	function told({ qr, how }) {
		return h(
			'div',
			{},
			h('p', {}, `${qr ? 'Scan' : 'Type'} this ${plain(how, 200)}.`),
			h('p', {}, 'Whoever uses it has the account: show it to nobody else.'),
			button('Cancel', cancel),
		);
	}

	return {
		element,
		update() {
			const may = model.has('channels.login.start') && model.can('operator.admin');
			const accounts = model.channels.flatMap(({ channel: id, accounts }) =>
				accounts.filter((one) => may && one.canLink).map(({ accountId }) => ({ id, accountId })),
			);
			element.hidden = accounts.length === 0 && !now;
			const offers = JSON.stringify(accounts);
			if (offers === offered) return;
			offered = offers;
			fill(choices, ...accounts.map(({ id, accountId }) => button(label(id, accountId), () => begin(id, accountId))));
		},
	};
}

/** @param {string} id @param {string} accountId */
function label(id, accountId) {
	return `Link ${channel(id)}${accountId === 'default' ? '' : ` (${plain(accountId)})`}`;
}

/** @param {LoginProgress} now */
function isOver({ state }) {
	return state === 'linked' || state === 'failed';
}

/** @param {LoginProgress} now */
function words({ state, linkedAs, remark, error, advice }) {
	/** @param {string | undefined} text */
	const also = (text) => (text ? `: ${plain(text, 400)}` : '');
	if (state === 'preparing') return 'Asking for a code.';
	if (state === 'code') return 'Waiting for the phone.';
	if (state === 'scanned') return 'Accepted. The account is being set up.';
	if (state === 'linked') return `Linked as ${plain(linkedAs, 200)}${also(remark)}.`;
	return state === 'failed' ? `Not linked${also(error)}${also(advice)}.` : 'Waiting.';
}
