/* What the gateway says, as far as the page goes by it; for the type checker alone, and not served. */

export interface Kept {
	token: string;
	scopes: string[];
}

export interface DeviceIdentity {
	id: string;
	publicKey: string;
	privateKey: CryptoKey;
}

export interface Hello {
	protocol: number;
	server: { version: string; connId: string };
	features: { methods: string[]; events: string[] };
	snapshot: { uptimeMs: number };
	auth: { role: string; scopes: string[]; deviceToken?: string };
	policy: { tickIntervalMs: number };
}

export interface WireError {
	code: string;
	message: string;
	details?: { code?: string; requestId?: string; reason?: string };
	retryAfterMs?: number;
}

/** How the connection is. */
export type State =
	| { kind: 'signed-out'; message?: string }
	| { kind: 'connecting' }
	| { kind: 'asking'; requestId: string; reason: string }
	| { kind: 'live'; hello: Hello }
	| { kind: 'broken'; message: string; retryAt: number };

export interface DmRequest {
	channel: string;
	accountId: string;
	id: string;
	code: string;
	createdAtMs?: number;
	lastSeenAtMs?: number;
	expiresAtMs?: number;
	meta?: Record<string, unknown>;
}

export interface TurnedAway {
	channel: string;
	accountId: string;
	count: number;
	sinceMs: number;
	recent: { id: string; atMs: number }[];
}

export interface About {
	displayName?: string;
	platform?: string;
	deviceFamily?: string;
	clientId?: string;
	clientMode?: string;
	remoteIp?: string;
}

export interface PendingDevice extends About {
	requestId: string;
	deviceId: string;
	roles: string[];
	scopes?: string[];
	commands?: string[];
	silent: boolean;
	isRepair: boolean;
	ts: number;
	expiresAtMs?: number;
	setupCodeId?: string;
}

export interface Token {
	role: string;
	scopes: string[];
	createdAtMs: number;
	rotatedAtMs?: number;
	revokedAtMs?: number;
	lastUsedAtMs?: number;
}

export interface PairedDevice extends About {
	deviceId: string;
	roles: string[];
	scopes?: string[];
	commands?: string[];
	/** The owner's name for it, shown instead of its own. */
	operatorLabel?: string;
	createdAtMs: number;
	approvedAtMs: number;
	tokens: Token[];
	connectedAtMs?: number;
}

export interface PendingNode {
	requestId: string;
	nodeId: string;
	displayName?: string;
	platform?: string;
	deviceFamily?: string;
	remoteIp?: string;
	commands?: string[];
	isRepair?: boolean;
	ts: number;
	expiresAtMs?: number;
}

export interface PairedNode {
	nodeId: string;
	displayName?: string;
	platform?: string;
	remoteIp?: string;
	commands?: string[];
	createdAtMs?: number;
	approvedAtMs?: number;
	lastConnectedAtMs?: number;
}

export interface Allowed {
	channel: string;
	accountId: string;
	entries: AllowedEntry[];
	problems?: string[];
}

export interface AllowedEntry {
	id: string;
	written?: string;
	grantedBy?: string;
	grantedVia?: string;
	grantedAtMs?: number;
}

export interface Invitation {
	id: string;
	channel: string;
	accountId: string;
	issuedBy: string;
	issuedVia: string;
	issuedAtMs: number;
	expiresAtMs: number;
	principal?: string;
}

export interface AuditEntry {
	at: number;
	action: string;
	by: string;
	via: string;
	channel?: string;
	account?: string;
	sender?: string;
	device?: string;
	node?: string;
	chat?: string;
	request?: string;
	role?: string;
	scopes?: string[];
	commands?: string[];
}

export interface ChannelStatus {
	channel: string;
	/** Is it in the configuration? */
	configured: boolean;
	accounts: {
		accountId: string;
		dmPolicy: string;
		running: boolean;
		/** Is it linked by a code that is scanned? */
		canLink?: boolean;
		connection?: { state: string; sinceMs?: number; lastReceivedMs?: number; lastError?: string };
	}[];
}

export interface PartFault {
	part: string;
	name?: string;
	state: string;
	why: string;
	sinceMs?: number;
	advice?: string;
}

export interface Finding {
	severity: 'note' | 'warning' | 'error';
	kind: string;
	path: string;
	detail: string;
	advice: string;
	fixable: boolean;
}

/** How far an account is that is linked by a code. */
export interface LoginProgress {
	loginId: string;
	/** Grows with each change. */
	step: number;
	state: 'preparing' | 'code' | 'scanned' | 'linked' | 'failed';
	how: string;
	code?: string;
	qr?: string[];
	linkedAs?: string;
	remark?: string;
	error?: string;
	advice?: string;
}

export interface SetupCode {
	setupCode: string;
	setupCodeId: string;
	gatewayUrl: string;
	roles: string[];
	scopes: string[];
	expiresAtMs: number;
	qr: string[];
}

/** Somebody who waits for the owner, of whichever kind. */
export type Waiting =
	| { kind: 'sender'; key: string; about: string; at: number; request: DmRequest; replaces?: boolean }
	| { kind: 'device'; key: string; about: string; at: number; request: PendingDevice; replaces?: boolean }
	| { kind: 'node'; key: string; about: string; at: number; request: PendingNode; replaces?: boolean };

/** A part of the page: made once, told to look again whenever something has changed. */
export interface View {
	element: HTMLElement;
	/** Shows what is the case now. */
	update(): void;
	/** Has come to be seen, or the connection has. */
	enter?(): void;
}
