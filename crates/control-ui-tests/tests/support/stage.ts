// The program that plays everything around the browser: started for each test, spoken to in lines of JSON.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The gateway's token in all tests. */
export const TOKEN = 'correct-horse-battery-staple';

/** Nobody is let in without being asked about; the clock is told every second. */
export const CONFIG = config();

/** A configuration, with more of `gateway` and of everything else. */
export function config(gateway = '', rest = ''): string {
  const limits = 'limits: { tickSeconds: 1, drainSeconds: 1, loopbackDelayMs: 1 }';
  const nodes = 'nodes: { pairing: { autoApproveLocal: false } }';
  return `{ gateway: { auth: { token: '${TOKEN}' }, ${nodes}, ${limits}, ${gateway} }, ${rest} }`;
}

export interface Connect {
  device: string;
  role: 'operator' | 'node';
  displayName?: string;
  platform?: string;
  deviceFamily?: string;
  scopes?: string[];
  commands?: string[];
  setupCode?: string;
}

export interface Connected {
  deviceId: string;
  connected: boolean;
  scopes?: string[];
  code?: string;
  message?: string;
  requestId?: string;
}

export interface Stored {
  allowed: string[];
  waiting: string[];
  pending: { requestId: string; deviceId: string; name?: string; scopes: string[] }[];
  paired: { deviceId: string; name?: string; client?: string; roles: string[]; scopes?: string[] }[];
  nodes: string[];
  nodeCommands: string[];
}

interface Waiting {
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

export class Stage {
  /** Where the page is. */
  origin = '';
  port = 0;

  #process: ChildProcessWithoutNullStreams;
  #waiting = new Map<number, Waiting>();
  #count = 0;
  #config = '';
  #ended: Promise<void>;
  #complaints = '';

  constructor(program: string) {
    this.#process = spawn(program);
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#hear(line));
    this.#process.stderr.on('data', (text) => (this.#complaints += text));
    this.#ended = new Promise((resolve) => {
      const end = (why: string) => {
        const error = new Error(`the stage has ended: ${why} ${this.#complaints}`);
        for (const { reject } of this.#waiting.values()) reject(error);
        this.#waiting.clear();
        resolve();
      };
      this.#process.on('error', (error) => end(error.message));
      this.#process.on('close', (code) => end(`status ${code}`));
    });
  }

  async start(text = CONFIG): Promise<void> {
    const { origin, port } = await this.#do<{ origin: string; port: number }>('start', { config: text });
    [this.origin, this.port, this.#config] = [origin, port, text];
  }

  /** Has the gateway been away? */
  wasStopped = false;

  stop = () => {
    this.wasStopped = true;
    return this.#do('stop');
  };
  /** The same gateway again, on its port. */
  restart = (text?: string, bot?: 'none' | 'heard' | 'blocked' | 'linked' | 'refused') => {
    this.wasStopped = true;
    return this.#do('restart', { config: text, bot });
  };
  /** What the bot has said. */
  said = async () => (await this.#do<{ said: { to: string; text: string }[] }>('said')).said;
  /** What happens next while the bot's account is linked by a code. */
  link = (step: 'code' | 'scanned' | 'linked' | 'failed', text = '') => this.#do('link', { step, text });
  /** The same gateway, after it was stopped. */
  startAgain = () => this.#do('start', { config: this.#config });
  move = (ms: number) => this.#do<{ now: number }>('move', { ms });
  seed = (much: { senders?: number; devices?: number; channel?: string; account?: string }) => this.#do('seed', much);
  stored = (of: { channel?: string; account?: string } = {}) => this.#do<Stored>('stored', of);
  /** Adds a line to the audit log, as somebody does who can write it. */
  log = (entry: object) => this.#do('log', { line: JSON.stringify(entry) });
  /** A page of another origin; its port. */
  serve = async (html: string) => (await this.#do<{ port: number }>('serve', { html })).port;
  decode = async (path: string) => (await this.#do<{ text: string }>('decode', { path })).text;

  /** A stranger writes to the bot; the code they are told. */
  async writes(sender: string, meta: Record<string, string> = {}, place: { channel?: string; account?: string } = {}): Promise<string> {
    const params = { channel: 'telegram', sender, meta, ...place };
    return (await this.#do<{ code: string }>('writes', params)).code;
  }

  connect = (how: Connect) => this.#do<Connected>('connect', { ...how });
  alive = async (device: string) => (await this.#do<{ alive: boolean }>('alive', { device })).alive;
  /** Waits until the device is not connected any more. */
  died = async (device: string) => (await this.#do<{ how: string }>('died', { device })).how;
  leave = (device: string) => this.#do('leave', { device });
  nodeAsks = (node: string, displayName?: string, commands: string[] = []) =>
    this.#do<{ requestId: string }>('nodeAsks', { node, displayName, commands });

  /** A device asks, which has not been approved; what its request is called. */
  async asks(how: Connect): Promise<{ requestId: string; deviceId: string }> {
    const { requestId, deviceId, ...rest } = await this.connect(how);
    if (requestId === undefined) throw new Error(`the device did not have to ask: ${JSON.stringify(rest)}`);
    return { requestId, deviceId };
  }

  /** A device that is paired and connected; its id. */
  async paired(how: Connect): Promise<string> {
    const { requestId, deviceId } = await this.asks(how);
    await this.#do('letIn', { requestId });
    const { connected } = await this.connect(how);
    if (!connected) throw new Error('the device was not let in');
    return deviceId;
  }

  approve = (requestId: string) => this.#do('approve', { requestId });
  reject = (requestId: string) => this.#do('reject', { requestId });
  rename = (deviceId: string, name: string) => this.#do('rename', { deviceId, name });
  remove = (deviceId: string) => this.#do('remove', { deviceId });
  revokeToken = (deviceId: string, role: string) => this.#do('revokeToken', { deviceId, role });
  approveSender = (code: string, channel = 'telegram') => this.#do('approveSender', { channel, code });
  rejectSender = (code: string, channel = 'telegram') => this.#do('rejectSender', { channel, code });
  allow = (sender: string, channel = 'telegram') => this.#do('allow', { channel, sender });
  disallow = (sender: string, channel = 'telegram') => this.#do('disallow', { channel, sender });

  async end(): Promise<void> {
    this.#process.stdin.end();
    await this.#ended;
  }

  #do<Answer = unknown>(what: string, params: object = {}): Promise<Answer> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#process.stdin.write(`${JSON.stringify({ id, do: what, ...params })}\n`);
    });
  }

  #hear(line: string): void {
    const answer = JSON.parse(line) as { id: number; ok: boolean; error?: string };
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.ok) waiting?.resolve(answer);
    else waiting?.reject(new Error(`the stage: ${answer.error}`));
  }
}
