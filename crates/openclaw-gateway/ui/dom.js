// Making and keeping elements. Text is only ever set as text.

/** @typedef {string | number | Node | undefined | null | false} Child */

/**
 * An element. What begins with `on` is listened to, `true` is an attribute without a value, and what is
 * `undefined` or `false` is left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === undefined || value === false) continue;
		if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? '' : String(value));
	}
	element.append(...present(children));
	return element;
}

/** Puts these in the place of what was in an element. @param {Element} parent @param {Child[]} children */
export function fill(parent, ...children) {
	parent.replaceChildren(...present(children));
}

/** Sets a text, if it is another one. @param {Element} element @param {string} text */
export function say(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

/** @param {Child[]} children @returns {(string | Node)[]} */
function present(children) {
	return children
		.filter((child) => child !== undefined && child !== null && child !== false)
		.map((child) => (child instanceof Node ? child : String(child)));
}

/** What moves, reorders or hides what is around it, or cannot be seen. */
const UNSAFE =
	/[\p{Cc}\p{Zl}\p{Zp}\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** A text from outside, so that it can be nothing but a text. @param {string | undefined} text @param {number} [limit] */
export function plain(text = '', limit = 128) {
	const letters = Array.from(text.slice(0, 4 * limit));
	const cut = letters.length > limit || text.length > 4 * limit;
	const spelled = letters
		.slice(0, limit)
		.join('')
		.replace(UNSAFE, (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`);
	return cut ? `${spelled}…` : spelled;
}

/** The same, kept apart from the direction of what is around it. @param {string | undefined} text @param {number} [limit] */
export function foreign(text, limit) {
	return h('bdi', {}, plain(text, limit));
}

/** What went wrong, in words. @param {unknown} error */
export function because(error) {
	return plain(error instanceof Error ? error.message : String(error), 400);
}

/** @param {string} text @param {number} [limit] */
export function code(text, limit = 256) {
	return h('code', {}, plain(text, limit));
}

/**
 * Makes the children of an element those of these items, in their order: those that stay are kept, and the
 * one that has the focus keeps it; where it goes, the view's title has it. Tells which have come or have moved.
 *
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @returns {HTMLElement[]}
 */
export function keyed(parent, items, keyOf, make) {
	const before = /** @type {HTMLElement[]} */ (Array.from(parent.children));
	const known = new Map(before.map((child) => [child.dataset.key, child]));
	const after = items.map((item) => {
		const key = keyOf(item);
		const child = known.get(key) ?? make(item);
		child.dataset.key = key;
		known.delete(key);
		return child;
	});
	const hadFocus = [...known.values()].some((child) => child.contains(document.activeElement));
	for (const child of known.values()) child.remove();
	// Never to another one's buttons: who presses twice would decide about that one.
	if (hadFocus) parent.closest('section')?.querySelector('h1')?.focus({ preventScroll: true });
	let place = parent.firstElementChild;
	for (const child of after) {
		if (child === place) place = place.nextElementSibling;
		else parent.insertBefore(child, place);
	}
	return after.filter((child, index) => before[index] !== child);
}

/**
 * A button that does something which takes its time: it is not pressed twice.
 *
 * @param {string} label what is on it
 * @param {() => unknown} act
 * @param {Record<string, any>} [attributes]
 */
export function button(label, act, attributes = {}) {
	const press = async () => {
		if (isOff(made)) return;
		turnOff(made, true);
		try {
			await act();
		} catch (error) {
			toast(`That did not work: ${because(error)}`, { bad: true });
		} finally {
			turnOff(made, false);
		}
	};
	const made = h('button', { type: 'button', onclick: press, ...attributes }, label);
	return made;
}

/** Turned off it keeps the focus, and says so; so is all that decides while nothing is live. @param {Element} control @param {boolean} off */
export function turnOff(control, off) {
	if (off || control.closest('.stale section')) control.setAttribute('aria-disabled', 'true');
	else control.removeAttribute('aria-disabled');
}

/** @param {Element} control */
export function isOff(control) {
	return control.getAttribute('aria-disabled') === 'true';
}

const toasts = h('div', { class: 'toasts', role: 'region', 'aria-label': 'News' });
document.body.append(toasts);
const TOAST_MS = 12_000;

/** Takes away what has been said. */
export const hush = () => toasts.replaceChildren();

/**
 * Says what has been done, for a while.
 *
 * @param {string} text
 * @param {{ undo?: () => unknown, bad?: boolean }} [options]
 */
export function toast(text, { undo, bad } = {}) {
	const close = () => made.remove();
	const made = h('div', { class: bad ? 'toast bad' : 'toast', role: bad ? 'alert' : 'status' });
	toasts.append(made);
	while (toasts.children.length > 4) toasts.firstElementChild?.remove();
	const again = undo && button('Undo', async () => (await undo(), close()));
	// Only what comes into a live region is read out.
	made.append(h('span', {}, text), ...present([again, button('Close', close, { class: 'quiet' })]));
	let left = bad ? 4 * TOAST_MS : TOAST_MS;
	const timer = setInterval(() => {
		const read = made.matches(':hover, :focus-within') || document.hidden;
		if (!read) left -= 1_000;
		if (left > 0) return;
		clearInterval(timer);
		close();
	}, 1_000);
}

/** @param {string} title @param {Child[]} children @param {Record<string, any>} [attributes] */
function openDialog(title, children, attributes = {}) {
	const heading = h('h2', { id: 'dialog-title' }, title);
	const form = h('form', { method: 'dialog' }, heading, ...children);
	const dialog = h('dialog', { 'aria-labelledby': heading.id, onclose: () => dialog.remove(), ...attributes }, form);
	document.body.append(dialog);
	dialog.showModal();
	return dialog;
}

/**
 * Asks whether it is meant so. The answer is what has been written, where something is to be; `undefined`
 * for no.
 *
 * @param {{ title: string, text?: Child[], verb: string, danger?: boolean, field?: { label: string, value: string } }} what
 * @returns {Promise<string | undefined>}
 */
export function ask({ title, text = [], verb, danger, field }) {
	const input = field && h('input', { type: 'text', maxlength: 200, value: field.value, autocomplete: 'off' });
	const yes = h('button', { type: 'submit', value: 'yes', class: danger ? 'danger' : 'main' }, verb);
	const no = h('button', { type: 'submit', value: '', autofocus: !input }, 'Cancel');
	const children = [...text, input && h('label', {}, h('span', {}, field.label), input), h('div', { class: 'row end' }, no, yes)];
	const dialog = openDialog(title, children, { role: danger && 'alertdialog' });
	// Enter in the field presses the first button, which is not the one that is meant.
	input?.addEventListener('keydown', (event) => {
		if (event.key !== 'Enter') return;
		event.preventDefault();
		dialog.close('yes');
	});
	input?.select();
	return new Promise((resolve) => {
		dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes' ? (input?.value ?? 'yes') : undefined));
	});
}

/** Shows something that is not shown again. @param {string} title @param {Child[]} text */
export function tell(title, ...text) {
	openDialog(title, [...text, h('div', { class: 'row end' }, h('button', { type: 'submit', class: 'main' }, 'Close'))]);
}

/** A text, and a button that copies it. @param {string} text @param {string} label */
export function copyable(text, label) {
	const copy = button('Copy', async () => {
		await navigator.clipboard.writeText(text);
		copy.textContent = 'Copied';
		setTimeout(() => (copy.textContent = 'Copy'), 2_000);
	}, { 'aria-label': `Copy ${label}`, class: 'quiet' });
	return h('span', { class: 'copyable' }, h('code', {}, text), copy);
}

/** A row of terms and what they are. @param {[string, Child | Child[]][]} rows */
export function facts(rows) {
	const row = (/** @type {[string, Child | Child[]]} */ [term, text]) => h('div', {}, h('dt', {}, term), h('dd', {}, ...[text].flat()));
	return h('dl', {}, ...rows.map(row));
}

/** A part of the page under its title. @param {string} id @param {string} title @param {Child[]} children */
export function section(id, title, ...children) {
	const heading = h('h1', { id: `${id}-title`, tabindex: -1 }, title);
	return h('section', { 'aria-labelledby': heading.id }, heading, ...children);
}

/** One of these. @param {string} legend @param {{ label: string, detail: string }[]} options */
export function radios(legend, options) {
	const inputs = options.map((_, index) => h('input', { type: 'radio', name: legend, checked: index === 0 }));
	const choices = options.map(({ label, detail }, index) =>
		h('label', { class: 'choice' }, inputs[index], h('span', {}, h('b', {}, label), h('small', { 'aria-hidden': 'true' }, detail))),
	);
	const element = h('fieldset', {}, h('legend', {}, legend), ...choices);
	return { element, chosen: () => inputs.findIndex((input) => input.checked) };
}

/** @param {string} label @param {HTMLElement} control */
export function field(label, control) {
	return h('div', { class: 'field' }, h('label', { for: control.id }, label), control);
}

/** Offers these, without taking away what is chosen. @param {HTMLSelectElement} select @param {string[]} values @param {(value: string) => string} word */
export function offer(select, values, word) {
	const before = Array.from(select.options, (option) => option.value).join('\n');
	if (before === values.join('\n')) return;
	const chosen = select.value;
	fill(select, ...values.map((value) => h('option', { value }, word(value))));
	if (values.includes(chosen)) select.value = chosen;
}

/** A field to find by. @param {string} id @param {() => void} oninput @param {string} [placeholder] */
export function searchBox(id, oninput, placeholder) {
	return h('input', { type: 'search', id, oninput, autocomplete: 'off', placeholder });
}

/** A table of these columns, which on a narrow screen is a list. @param {string} label @param {string[]} columns */
export function grid(label, columns) {
	const body = h('tbody', {});
	const head = h('tr', {}, ...columns.map((text) => h('th', { scope: 'col' }, text)));
	const element = h('table', { class: 'stacks', 'aria-label': label }, h('thead', {}, head), body);
	/** @param {(Child | Child[])[]} cells */
	const row = (...cells) =>
		h('tr', {}, ...cells.map((cell, index) => h('td', { 'data-label': columns[index] }, h('div', {}, ...[cell].flat()))));
	return { element, body, row };
}

/** So many at first, and more where they are asked for. @param {() => void} update */
export function portion(update, size = 100) {
	let most = size;
	const more = button('Show more', () => {
		most += size;
		update();
	});
	const row = h('p', { class: 'more' }, more);
	return {
		row,
		reset: () => (most = size),
		/** @template T @param {T[]} items @returns {T[]} */
		of(items) {
			row.hidden = items.length <= most;
			return items.slice(0, most);
		},
	};
}

/** Draws a QR code, with the border that scanners need. @param {string[]} rows */
export function qrCode(rows) {
	const [border, size] = [4, 8];
	const side = (rows.length + 2 * border) * size;
	const canvas = h('canvas', { width: side, height: side, role: 'img', 'aria-label': 'QR code' });
	const paint = canvas.getContext('2d');
	if (!paint) return canvas;
	paint.fillStyle = '#fff';
	paint.fillRect(0, 0, side, side);
	paint.fillStyle = '#000';
	rows.forEach((row, y) => {
		for (let x = 0; x < row.length; x += 1) {
			if (row[x] === '1') paint.fillRect((x + border) * size, (y + border) * size, size, size);
		}
	});
	return canvas;
}
