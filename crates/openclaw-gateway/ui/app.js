// The page: what is shown when, and the frame around it.

import * as device from './device.js';
import { devices } from './devices.js';
import { ask, button, fill, h, hush, plain, say, toast, turnOff } from './dom.js';
import { health } from './health.js';
import { history } from './history.js';
import { Model } from './model.js';
import { people } from './people.js';
import { phone } from './phone.js';
import { signIn } from './sign-in.js';
import { nameOf, waiting } from './waiting.js';
import { Gateway } from './wire.js';

/** @import { State, View, Waiting } from './types.d.ts' */

/** Times are shown to the second. */
const SECOND_MS = 1_000;

const app = /** @type {HTMLElement} */ (document.getElementById('app'));
const gateway = new Gateway(stateChanged, (event, payload) => model.hear(event, payload));
const model = new Model(gateway, update, news);
model.nameOf = nameOf;

const welcome = signIn(gateway);

/** The views, and what a browser has to be allowed to see them. @type {{ id: string, label: string, scope: string, method?: string, view: View }[]} */
const views = [
	{ id: 'waiting', label: 'Waiting', scope: 'operator.pairing', view: waiting(model) },
	{ id: 'people', label: 'People', scope: 'operator.pairing', view: people(model) },
	{ id: 'devices', label: 'Devices', scope: 'operator.pairing', view: devices(model) },
	{ id: 'phone', label: 'Pair a phone', scope: 'operator.admin', view: phone(model) },
	{ id: 'history', label: 'History', scope: 'operator.pairing', method: 'pairing.audit', view: history(model) },
	{ id: 'health', label: 'Health', scope: '', view: health(model) },
];

const links = views.map(({ id, label }) => h('a', { href: `#${id}` }, label, h('span', { class: 'count' })));
const live = h('p', { class: 'live', role: 'status' });
const notify = button('Notify me', askToNotify, { class: 'quiet' });
const out = button('Sign out', signOut, { class: 'quiet' });
const denied = h('p', { class: 'empty' }, 'This browser may not see that. To let it, sign out, and sign in for more.');
const main = h('main', { id: 'main' });
const shell = h(
	'div',
	{ class: 'shell' },
	h('header', { class: 'top' }, h('p', { class: 'brand' }, h('img', { src: 'ui/icon.svg', alt: '', width: 28, height: 28 }), 'OpenClaw'), live, notify, out),
	h('nav', { 'aria-label': 'Views' }, ...links),
	main,
);

let isShellShown = false;

/** @param {State} state */
function stateChanged(state) {
	if (state.kind === 'live') {
		isShellShown = true;
		model.read();
		for (const { view } of views) view.enter?.();
	}
	if (state.kind === 'signed-out') {
		if (isShellShown) {
			hush();
			bare();
		}
		isShellShown = false;
		model.clear();
	}
	update();
}

/** Shows what is the case. */
function update() {
	const isLive = gateway.state.kind === 'live' && model.isRead;
	// What was true some time ago is shown as such, and nothing is decided by it.
	const wasStale = document.body.classList.contains('stale');
	const isStale = isShellShown && !isLive;
	document.body.classList.toggle('stale', isStale);
	if (isShellShown) showShell();
	else showWelcome();
	if (isStale || wasStale) {
		const buttons = views.flatMap(({ view }) => [...view.element.querySelectorAll('button')]);
		for (const one of buttons) turnOff(one, isStale);
	}
	const number = isShellShown ? model.waiting().length : 0;
	const title = number > 0 ? `(${number}) OpenClaw` : 'OpenClaw';
	if (document.title !== title) document.title = title;
}

function showWelcome() {
	// Only what is there can have the focus.
	if (welcome.element.parentNode !== app) fill(app, welcome.element);
	welcome.update();
	interactive();
}

function showShell() {
	const { state } = gateway;
	if (shell.parentNode !== app) fill(app, shell);
	const until = state.kind === 'broken' ? Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000)) : 0;
	const why = state.kind === 'broken' && state.message ? `: ${plain(state.message, 100)}` : '';
	say(live, state.kind === 'live' ? 'Live' : `Not live${why}. ${until > 0 ? `Trying again in ${until} s` : 'Trying again'}`);
	live.classList.toggle('off', state.kind !== 'live');
	notify.hidden = !('Notification' in globalThis) || Notification.permission !== 'default';

	const shown = current();
	views.forEach((one, index) => {
		const link = /** @type {HTMLElement} */ (links[index]);
		link.hidden = state.kind === 'live' && !isFor(one);
		if (one === shown) link.setAttribute('aria-current', 'page');
		else link.removeAttribute('aria-current');
	});
	const waits = model.waiting().length;
	const badge = links[0]?.querySelector('.count');
	if (badge) say(badge, waits > 0 ? ` ${waits}` : '');

	const may = gateway.state.kind !== 'live' || isFor(shown);
	const element = may ? shown.view.element : denied;
	if (main.firstElementChild !== element) fill(main, element);
	if (may) shown.view.update();
	if (model.isRead) interactive();
}

/** @param {typeof views[number]} one */
function isFor({ scope, method }) {
	return (!scope || model.can(scope)) && (!method || model.has(method));
}

function current() {
	const id = location.hash.slice(1);
	const first = /** @type {typeof views[number]} */ (views[0]);
	const found = views.find((one) => one.id === id);
	// Who may only look begins where there is something to see.
	const start = gateway.state.kind === 'live' ? views.find(isFor) : undefined;
	return found ?? start ?? first;
}

function interactive() {
	if (performance.getEntriesByName('interactive').length === 0) performance.mark('interactive');
}

/** @param {Waiting} one */
function news(one) {
	if (!('Notification' in globalThis) || Notification.permission !== 'granted' || !document.hidden) return;
	const what = one.kind === 'sender' ? 'wants to talk to the assistant' : 'wants to be paired';
	const note = new Notification('OpenClaw', { body: `${nameOf(one)} ${what}.`, tag: one.key, icon: 'ui/icon.svg' });
	note.onclick = () => {
		focus();
		location.hash = 'waiting';
		note.close();
	};
}

async function askToNotify() {
	const answer = await Notification.requestPermission();
	if (answer === 'granted') toast('Whoever comes while this page is in the background is told of.');
	update();
}

async function signOut() {
	const text = [h('p', {}, 'This browser forgets its key and its token, and is taken off the list of devices. To come back it has to be approved anew.')];
	if (!(await ask({ title: 'Sign out?', text, verb: 'Sign out', danger: true }))) return;
	try {
		const { id } = await device.identity();
		if (model.can('operator.pairing')) await gateway.call('device.pair.remove', { deviceId: id });
		else toast('The gateway still lists this browser: remove it there.');
	} finally {
		await device.forgetAll();
		gateway.signOut();
	}
}

/** The secret out of a link: out of the address bar before anything else happens. */
function linkInAddress() {
	const secret = new URLSearchParams(location.hash.slice(1)).get('token');
	if (secret === null) return undefined;
	bare();
	return { secret, scopes: ['operator.admin'] };
}

/** Takes the fragment out of the address bar. */
function bare() {
	window.history.replaceState(null, '', location.pathname + location.search);
}

function follow() {
	const link = linkInAddress();
	if (link && gateway.state.kind !== 'live') return gateway.start(link);
	update();
	if (isShellShown) {
		current().view.enter?.();
		current().view.update();
		main.querySelector('h1')?.focus();
		shell.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
		scrollTo(0, 0);
	}
}

addEventListener('hashchange', follow);
setInterval(() => (model.look(), update()), SECOND_MS);

const link = linkInAddress();
if (device.whatIsMissing()) gateway.signOut();
else gateway.start(link);
