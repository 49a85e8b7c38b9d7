// Decides about senders with the real program's own functions, in one process: `node decisions.mjs DIST COUNT`.
// Four kinds in turn: a request that is approved, another, an entry that is added, the same taken away.
// Prints what it decided, as JSON, and how often it had to try again.
import { readFileSync, readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [dist, count] = [process.argv[2], Number(process.argv[3])];
const defines = (name) => readFileSync(`${dist}/${name}`, 'utf8').includes('async function approveChannelPairingCode(');
const file = readdirSync(dist).find((name) => /^pairing-store-.*\.m?js$/.test(name) && defines(name));
const functions = Object.values(await import(pathToFileURL(`${dist}/${file}`).href));
const named = (name) => functions.find((one) => one.name === name);
const [request, approve, add, remove] = [
	'upsertChannelPairingRequest',
	'approveChannelPairingCode',
	'addChannelAllowFromStoreEntry',
	'removeChannelAllowFromStoreEntry',
].map(named);

const at = { channel: 'telegram', accountId: 'default' };
const told = { approved: [], removed: [], retries: 0 };

async function insisted(work) {
	for (;;) {
		try {
			const done = await work();
			if (done) return done;
		} catch (error) {
			if (told.retries > 5000) throw error;
		}
		told.retries += 1;
		await new Promise((later) => setTimeout(later, 5));
	}
}

for (let n = 0; n < count; n += 1) {
	const entry = `8${n}`;
	if (n % 4 < 2) {
		const { code } = await insisted(async () => {
			const asked = await request({ ...at, id: entry, meta: { username: entry } });
			return asked.code ? asked : undefined;
		});
		await insisted(() => approve({ ...at, code }));
		told.approved.push(entry);
	} else if (n % 4 === 2) {
		await insisted(() => add({ ...at, entry }));
	} else {
		const last = `8${n - 1}`;
		await insisted(() => remove({ ...at, entry: last }));
		told.removed.push(last);
	}
}
console.log(`decided: ${JSON.stringify(told)}`);
