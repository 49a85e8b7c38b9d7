// How it is: the gateway, the store, the channels, and what the doctor finds.

import { because, button, code, facts, fill, grid, h, plain, say, section } from './dom.js';
import { linking } from './linking.js';
import { isSetUp } from './model.js';
import { ago, channel, span } from './words.js';

/** @import { Model } from './model.js' */
/** @import { ChannelStatus, Finding, PartFault, View } from './types.d.ts' */

const AGAIN_MS = 10_000;

/** @type {Record<string, string>} */
const STORES = {
  files: 'files in the state directory',
  openclaw: "OpenClaw's own database",
  sqlite: 'a database in the state directory',
  etcd: 'an etcd cluster',
};
/** @type {Record<string, string>} */
const POLICIES = {
	pairing: 'who is unknown gets a code, and waits for you',
	allowlist: 'only who is listed',
	open: 'everybody',
	disabled: 'nobody',
};

/** @type {Record<string, string>} */
const STATES = { connected: 'connected', connecting: 'connecting', failing: 'fails, and tries again', stopped: 'has stopped' };
/** @type {Record<string, string>} */
const GOOD = { connected: 'good', failing: 'bad', stopped: 'bad' };

/** @type {Record<string, string>} */
const PARTS = {
	store: 'the store',
	records: 'records',
	channel: 'account',
	feed: 'the change feed',
	gateways: 'other gateways',
	lock: 'the lock of the state directory',
	certificate: 'the certificate',
	disk: 'disk space',
	clock: 'the clock',
};

/** @param {Model} model @returns {View} */
export function health(model) {
	let looked = -Infinity;
	/** @type {ChannelStatus[]} */
	let shown = [];
	const gateway = h('div', {});
	const faults = h('div', {});
	const store = h('div', {});
	const noChannels = h('p', { class: 'hint' });
	const warnings = h('div', {});
	const trouble = h('p', { role: 'status' });
	const table = grid('Channels', ['Channel', 'Account', 'Bot', 'Last message', 'Last error', 'Direct messages']);
	const links = linking(model);
	const element = section(
		'health',
		'Health',
		button('Look again', () => look()),
		trouble,
		h('h2', {}, 'Faults'),
		faults,
		h('h2', {}, 'Gateway'),
		gateway,
		h('h2', {}, 'Store'),
		store,
		h('h2', {}, 'Channels'),
		noChannels,
		table.element,
		links.element,
		h('h2', {}, 'Warnings'),
		warnings,
	);

	/** @param {ChannelStatus} of */
	const rowsOf = ({ channel: id, accounts }) =>
		accounts.map(({ accountId, dmPolicy, running, connection: { state = '', sinceMs, lastReceivedMs, lastError = '' } = {} }) =>
			table.row(
				channel(id),
				plain(accountId),
				running ? h('span', {}, h('b', { class: GOOD[state] ?? '' }, STATES[state] ?? 'runs here'), since(sinceMs)) : 'not run here',
				lastReceivedMs ? ago(model.now(), lastReceivedMs) : '',
				plain(lastError, 300),
				POLICIES[dmPolicy] ?? plain(dmPolicy),
			),
		);
	/** @param {number} [at] */
	const since = (at) => (at ? `, ${ago(model.now(), at)}` : '');

	async function look() {
		looked = performance.now();
		try {
			if (model.can('operator.read')) {
				await broken();
				const status = await model.call('status');
				fill(gateway, facts([
					['Version', plain(status.version)],
					['Running for', span(status.uptimeMs)],
					['Connections', String(status.connections)],
					['Address', code(location.host)],
				]));
				const isWell = status.store?.ok ?? status.health.ok;
				fill(store, facts([
					['Kept in', STORES[status.store?.kind] ?? plain(status.store?.kind ?? 'a store of its own')],
					['State', isWell ? h('b', { class: 'good' }, 'can be read and written') : h('b', { class: 'bad' }, 'cannot be reached: nobody new is let in until it can')],
				]));
				if (model.has('pairing.channels')) await model.refresh('channels');
			} else {
				fill(faults);
				fill(gateway, h('p', { class: 'hint' }, 'This browser may not see how the gateway is.'));
				fill(store);
			}
			await findings();
			say(trouble, '');
		} catch (error) {
			say(trouble, `It could not be looked: ${because(error)}`);
		}
	}

	// The parts that do not work. A gateway of another release may not tell.
	async function broken() {
		/** @type {{ faults?: PartFault[] }} */
		const { faults: found } = await model.call('health');
		if (!found) return fill(faults, h('p', { class: 'hint' }, 'This gateway does not tell.'));
		if (found.length === 0) return fill(faults, h('p', {}, 'Every part works.'));
		fill(faults, h('ul', { class: 'findings', 'aria-label': 'Faults' }, ...found.map((fault) => broke(fault, model.now()))));
	}

	async function findings() {
		if (!model.has('doctor.findings') || !model.can('operator.admin')) {
			return fill(warnings, h('p', { class: 'hint' }, 'What the doctor finds is for browsers that may do everything.'));
		}
		/** @type {{ findings: Finding[] }} */
		const found = await model.call('doctor.findings');
		if (found.findings.length === 0) return fill(warnings, h('p', {}, 'Nothing is wrong.'));
		fill(warnings, h('ul', { class: 'findings' }, ...found.findings.map(finding)));
	}

	return {
		element,
		enter: () => (looked = -Infinity),
		update() {
			if (!element.isConnected) return;
			links.update();
			if (shown !== model.channels) {
				shown = model.channels;
				const rows = shown.filter(isSetUp).flatMap(rowsOf);
				fill(table.body, ...rows);
				table.element.hidden = rows.length === 0;
				noChannels.hidden = rows.length > 0;
				say(noChannels, shown.length === 0 ? 'This browser may not see the channels.' : 'No channel is set up: openclaw.json names none.');
			}
			if (model.gateway.state.kind === 'live' && model.isRead && performance.now() - looked > AGAIN_MS) look();
		},
	};
}

/** @param {PartFault} fault @param {number} now */
function broke({ part, name, state, why, sinceMs, advice }, now) {
	const named = [PARTS[part] ?? plain(part), name ? plain(name) : ''].filter((word) => word).join(' ');
	return h(
		'li',
		{ class: state === 'degraded' ? 'warn' : 'bad' },
		h('p', {}, h('b', {}, `${named}: ${plain(state)}`), sinceMs ? ` since ${ago(now, sinceMs)}` : ''),
		h('p', {}, plain(why, 1000)),
		advice ? h('p', {}, plain(advice, 1000)) : '',
	);
}

/** @param {Finding} found */
function finding({ severity, path, detail, advice }) {
	return h(
		'li',
		{ class: severity === 'note' ? '' : severity === 'warning' ? 'warn' : 'bad' },
		h('p', {}, h('b', {}, `${severity}: `), plain(detail, 1000)),
		h('p', {}, plain(advice, 1000)),
		h('p', {}, code(path, 1000)),
	);
}
