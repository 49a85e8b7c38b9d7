// Who may talk to the bot: the allowed senders of a channel and an account.

import { because, button, code, copyable, field, fill, h, keyed, offer, plain, portion, say, searchBox, section, tell, toast } from './dom.js';
import { isSetUp } from './model.js';
import { ago, byAccount, channel, count, countdown, KNOWN_CHANNELS } from './words.js';

/** @import { Model } from './model.js' */
/** @import { Allowed, AllowedEntry, Invitation, View } from './types.d.ts' */

/** @param {Model} model @returns {View} */
export function people(model) {
	/** @type {Allowed | undefined} */
	let allowed;
	/** @type {AllowedEntry[]} */
	let sorted = [];
	/** Codes that were issued and that nobody has presented. @type {Invitation[]} */
	let invited = [];
	let read = -1;
	let reading = false;
	let trouble = '';

	const channels = h('select', { id: 'people-channel', onchange: anew });
	const accounts = h('select', { id: 'people-account', onchange: anew });
	const search = searchBox('people-search', () => (more.reset(), show()));
	const entry = h('input', { type: 'text', id: 'people-add', autocomplete: 'off', maxlength: 256 });
	const addButton = button('Add', addOne);
	const submit = (/** @type {Event} */ event) => (event.preventDefault(), addButton.click());
	const add = h('form', { class: 'row', onsubmit: submit }, h('label', { for: 'people-add' }, 'Add a sender'), entry, addButton);
	const invite = h('p', {}, button('Invite a person', inviteOne), ' ', h('small', { class: 'hint' }, 'makes a code that lets in the first who sends it to the bot'));
	const invitations = h('ul', { class: 'rows', 'aria-label': 'Invitations' });
	const summary = h('p', { role: 'status' });
	const list = h('ul', { class: 'rows', 'aria-label': 'Allowed senders' });
	const more = portion(show);
	const element = section(
		'people',
		'People',
		h('p', { class: 'hint' }, 'Who may talk to the assistant. Senders that openclaw.json names are let in, too, and are not listed here.'),
		h('div', { class: 'row filters' }, field('Channel', channels), field('Account', accounts), field('Search', search)),
		add,
		invite,
		invitations,
		summary,
		list,
		more.row,
	);

	function anew() {
		invited = [];
		offerAccounts();
		more.reset();
		read = -1;
		allowed = undefined;
		update();
	}

	async function addOne() {
		const who = entry.value.trim();
		if (!who) return entry.focus();
		const place = { channel: channels.value, accountId: accounts.value };
		const { status } = await model.call('pairing.allow', { ...place, entry: who });
		entry.value = '';
		const undo = () => model.call('pairing.revoke', { ...place, entry: who }).then(reread);
		if (status === 'added') toast(`${plain(who)} is let in by ${channel(place.channel)}${byAccount(place.accountId)}.`, { undo });
		else toast(`${plain(who)} was let in before.`);
		reread();
	}

	async function inviteOne() {
		const place = { channel: channels.value, accountId: accounts.value };
		const made = await model.call('pairing.invite', place);
		tell(
			'A code for one person',
			h('p', {}, `Whom it is meant for sends this to the bot on ${channel(place.channel)}${byAccount(place.accountId)}, in a direct message:`),
			h('p', { class: 'long' }, copyable(`/bind ${made.code}`, 'the invitation')),
			h('p', {}, 'It lets in the first who sends it, once, within 10 minutes, and is not shown again.'),
		);
		reread();
	}

	/** @param {Invitation} one */
	async function endInvitation(one) {
		const { ended } = await model.call('pairing.invite.end', { channel: one.channel, id: one.id });
		toast(ended ? 'The invitation is ended: its code is good for nothing.' : 'The invitation was used or ended before.');
		reread();
	}

	/** @param {AllowedEntry} who */
	async function revoke(who) {
		const place = { channel: channels.value, accountId: accounts.value };
		await model.call('pairing.revoke', { ...place, entry: who.id });
		const undo = () => model.call('pairing.allow', { ...place, entry: who.id }).then(reread);
		toast(`${plain(who.id)} is not let in any more.`, { undo });
		reread();
	}

	function reread() {
		read = -1;
		update();
	}

	async function load() {
		if (reading) return;
		reading = true;
		const [of, accountId, as] = [channels.value, accounts.value, model.listsChanged];
		try {
			const answer = await model.call('pairing.allowed', { channel: of, accountId });
			const issued = await model.call('pairing.invite.list', { channel: of, accountId });
			// Another one may have been chosen meanwhile: that one is still to be read.
			if (of === channels.value && accountId === accounts.value) {
				allowed = answer;
				invited = issued.invitations;
				sorted = answer.entries.sort((/** @type {AllowedEntry} */ a, /** @type {AllowedEntry} */ b) => (b.grantedAtMs ?? 0) - (a.grantedAtMs ?? 0));
				trouble = '';
				read = as;
			}
		} catch (error) {
			trouble = because(error);
			read = as;
		} finally {
			reading = false;
			update();
		}
	}

	function show() {
		const valid = invited.filter((one) => one.expiresAtMs > model.now());
		keyed(invitations, valid, (one) => one.id, invitationRow);
		valid.forEach((one, index) => {
			const left = invitations.children[index]?.querySelector('time');
			if (left) say(left, countdown(one.expiresAtMs - model.now()));
		});
		if (!allowed) {
			say(summary, trouble || 'Reading…');
			fill(list);
			more.row.hidden = true;
			return;
		}
		const wanted = search.value.trim().toLowerCase();
		const found = wanted ? sorted.filter(({ id, written }) => id.toLowerCase().includes(wanted) || written?.toLowerCase().includes(wanted)) : sorted;
		const all = count(sorted.length, 'sender');
		say(summary, trouble || (wanted ? `${found.length.toLocaleString('en')} of ${all}` : all));
		keyed(list, more.of(found), ({ id, grantedAtMs }) => `${id} ${grantedAtMs}`, row);
	}

	/** @param {Invitation} one */
	function invitationRow(one) {
		const user = one.principal !== undefined && h('small', {}, ' for ', code(one.principal));
		const by = h('small', { class: 'block' }, `issued by ${model.decider(one.issuedBy)}, good for `, h('time', {}));
		const end = button('End', () => endInvitation(one), { 'aria-label': `End invitation ${plain(one.id)}` });
		return h('li', {}, h('div', {}, 'Invitation ', code(one.id), user, by), end);
	}

	/** @param {AllowedEntry} who */
	function row(who) {
		const by = who.grantedBy ? `let in by ${model.decider(who.grantedBy)} ${ago(model.now(), who.grantedAtMs)}` : 'nobody wrote down who let them in';
		const end = button('Revoke', () => revoke(who), { 'aria-label': `Revoke ${plain(who.id)}` });
		return h('li', {}, h('div', {}, code(who.id), who.written !== undefined && h('small', {}, ' written ', code(who.written)), h('small', { class: 'block' }, by)), end);
	}

	function offerChannels() {
		const rank = (/** @type {string} */ id) => (isUsed(id) ? 0 : 100) + (KNOWN_CHANNELS.includes(id) ? KNOWN_CHANNELS.indexOf(id) : 50);
		const busy = model.channelNames().sort((a, b) => rank(a) - rank(b));
		offer(channels, busy, channel);
	}

	/** Is it set up? @param {string} id */
	function isUsed(id) {
		return model.channels.some((one) => one.channel === id && isSetUp(one));
	}

	function offerAccounts() {
		const known = model.channels.find((one) => one.channel === channels.value)?.accounts.map((one) => one.accountId) ?? [];
		const waiting = model.requests.filter((one) => one.channel === channels.value).map((one) => one.accountId);
		offer(accounts, [...new Set(['default', ...known, ...waiting])], (id) => plain(id));
	}

	function update() {
		offerChannels();
		offerAccounts();
		if (model.isRead && read !== model.listsChanged && model.gateway.state.kind === 'live') load();
		show();
	}

	return { element, update };
}
