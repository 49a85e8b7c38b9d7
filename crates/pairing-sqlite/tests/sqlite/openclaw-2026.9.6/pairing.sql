-- The tables of pairing in state/openclaw.sqlite, as release 2026.9.6 made and filled them.
PRAGMA user_version = 18;
CREATE TABLE schema_meta (
  meta_key TEXT NOT NULL PRIMARY KEY,
  role TEXT NOT NULL,
  schema_version INTEGER NOT NULL,
  agent_id TEXT,
  app_version TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO schema_meta VALUES ('primary', 'global', 18, NULL, '2026.9.6', 1795714464189, 1795715413224);
INSERT INTO schema_meta VALUES ('state-migrations', 'global', 3, NULL, '2026.9.6
3
2026-09-23T16:33:12.144Z
nI_cTOMgSU8nay6fmCsqt9zNGGhXpdmWgBgkxmmDdmM
nI_cTOMgSU8nay6fmCsqt9zNGGhXpdmWgBgkxmmDdmM
c3929ad60a00ae5d4781139464b350a2f8b98075bde3e9bbc3d29649f8680536', 1795715418015, 1795715418252);
INSERT INTO schema_meta VALUES ('startup-migrations', 'global', 3, NULL, '2026.9.6
3
2026-09-23T16:33:12.144Z
nI_cTOMgSU8nay6fmCsqt9zNGGhXpdmWgBgkxmmDdmM
nI_cTOMgSU8nay6fmCsqt9zNGGhXpdmWgBgkxmmDdmM
c3929ad60a00ae5d4781139464b350a2f8b98075bde3e9bbc3d29649f8680536', 1795715418252, 1795715418252);
CREATE TABLE channel_pairing_requests (
  channel_key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  code TEXT NOT NULL,
  created_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  meta_json TEXT,
  PRIMARY KEY (channel_key, account_id, request_id)
) STRICT;
CREATE INDEX idx_channel_pairing_requests_code
  ON channel_pairing_requests(channel_key, code);
CREATE INDEX idx_channel_pairing_requests_created
  ON channel_pairing_requests(channel_key, created_at, request_id);
INSERT INTO channel_pairing_requests VALUES ('imessage', 'default', 'me@example.org', 'R8M42HK4', '2026-11-26T17:34:13.000Z', '2026-11-26T17:34:13.000Z', '{"username":"user1","name":"Zoë Ünïcode"}');
INSERT INTO channel_pairing_requests VALUES ('telegram', 'default', '67890', 'M8NGT2AA', '2026-11-26T17:34:13.000Z', '2026-11-26T17:34:13.000Z', '{"username":"user1","name":"Zoë Ünïcode"}');
INSERT INTO channel_pairing_requests VALUES ('telegram', 'work', '777', 'UMKSKDC8', '2026-11-26T17:34:13.000Z', '2026-11-26T17:34:13.000Z', '{"firstName":"Ann","accountId":"work"}');
INSERT INTO channel_pairing_requests VALUES ('whatsapp', 'default', '+15550000002', 'ARZJQWV8', '2026-11-26T17:34:13.000Z', '2026-11-26T17:34:13.000Z', '{"username":"user1","name":"Zoë Ünïcode"}');
CREATE TABLE channel_pairing_allow_entries (
  channel_key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  entry TEXT NOT NULL,
  sort_order INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (channel_key, account_id, entry)
) STRICT;
CREATE INDEX idx_channel_pairing_allow_account
  ON channel_pairing_allow_entries(channel_key, account_id, sort_order, entry);
INSERT INTO channel_pairing_allow_entries VALUES ('discord', 'default', '123456789012345678', 0, 1795714469286);
INSERT INTO channel_pairing_allow_entries VALUES ('discord', 'default', 'discord:42', 1, 1795714469286);
INSERT INTO channel_pairing_allow_entries VALUES ('feishu', 'default', 'ou_7d8a6e6df7621556ce0d21922b676706', 0, 1795714469295);
INSERT INTO channel_pairing_allow_entries VALUES ('imessage', 'default', '+15551234567', 0, 1795714469301);
INSERT INTO channel_pairing_allow_entries VALUES ('signal', 'default', '+15550001111', 0, 1795714469308);
INSERT INTO channel_pairing_allow_entries VALUES ('signal', 'default', 'signal:+15559990000', 1, 1795714469308);
INSERT INTO channel_pairing_allow_entries VALUES ('slack', 'default', 'U012AB3CD', 0, 1795714469314);
INSERT INTO channel_pairing_allow_entries VALUES ('slack', 'default', 'user:U999', 1, 1795714469314);
INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '12345', 0, 1795714470606);
INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '555', 1, 1795714470606);
INSERT INTO channel_pairing_allow_entries VALUES ('whatsapp', 'default', '+15550000001', 0, 1795714470617);
INSERT INTO channel_pairing_allow_entries VALUES ('whatsapp', 'default', 'whatsapp:+1 (555) 222-3333', 1, 1795714470617);
CREATE TABLE device_pairing_pending (
  request_id TEXT NOT NULL PRIMARY KEY,
  device_id TEXT NOT NULL,
  public_key TEXT NOT NULL,
  display_name TEXT,
  platform TEXT,
  device_family TEXT,
  client_id TEXT,
  client_mode TEXT,
  browser_origin TEXT,
  role TEXT,
  roles_json TEXT,
  scopes_json TEXT,
  remote_ip TEXT,
  silent INTEGER,
  is_repair INTEGER,
  ts INTEGER NOT NULL,
  refreshed_at_ms INTEGER
) STRICT;
CREATE INDEX idx_device_pairing_pending_device
  ON device_pairing_pending(device_id, ts DESC);
CREATE TABLE device_pairing_paired (
  device_id TEXT NOT NULL PRIMARY KEY,
  public_key TEXT NOT NULL,
  display_name TEXT,
  operator_label TEXT,
  platform TEXT,
  device_family TEXT,
  client_id TEXT,
  client_mode TEXT,
  browser_origin TEXT,
  role TEXT,
  roles_json TEXT,
  scopes_json TEXT,
  approved_scopes_json TEXT,
  remote_ip TEXT,
  tokens_json TEXT,
  approved_via TEXT,
  node_surface_json TEXT,
  pending_node_surface_json TEXT,
  created_at_ms INTEGER NOT NULL,
  approved_at_ms INTEGER NOT NULL,
  last_seen_at_ms INTEGER,
  last_seen_reason TEXT
) STRICT;
CREATE INDEX idx_device_pairing_paired_approved
  ON device_pairing_paired(approved_at_ms DESC, device_id);
INSERT INTO device_pairing_paired VALUES ('f8fcb66b809727e7e8de7529380444f9e13cb706ab3bcd2b5ca671cf19f1d608', 'lQxfAfBd-_pOKm5WnH2FDSt6-P2CQx1sRJ0W1-CXtdQ', NULL, NULL, 'linux', NULL, 'test', 'test', NULL, 'operator', '["operator"]', '["operator.admin","operator.read","operator.write","operator.approvals","operator.pairing"]', NULL, NULL, '{"operator":{"token":"BEVP9hN3jX2j40VFHsAXmFNxALU6R8xVFf4Kn_3wrtQ","role":"operator","scopes":["operator.admin","operator.approvals","operator.pairing","operator.read","operator.write"],"createdAtMs":1795354072718}}', NULL, NULL, NULL, 1795354072718, 1795354072718, NULL, NULL);
INSERT INTO device_pairing_paired VALUES ('8110e45971ac4b5c1d46390656f99136ffb66be14f0d1f53fa8b81b224f0c7e3', 'ugeFQ2bPD0Zv5Y20k795hGhN093E03hgfDrcD_cnpsg', 'Phone', NULL, 'ios', NULL, 'openclaw-ios', 'node', NULL, 'node', '["node"]', NULL, NULL, NULL, '{"node":{"token":"kuDJaf2V_I_8VsIHrnbK1QUDl7AqbfWT2NkGUo1Bgn0","role":"node","scopes":[],"createdAtMs":1795354073547,"rotatedAtMs":1795354075094,"lastUsedAtMs":1795354074360}}', NULL, NULL, NULL, 1795354073547, 1795354073547, NULL, NULL);
INSERT INTO device_pairing_paired VALUES ('70e9e7d0c68055896eecaf71dce68342db6649e5c1d407ca05e0dbc08a2afde1', 'WFpVcaDzM2HcYahvSjr9Wj6pQ2PldHKzsJCiWq-4McA', NULL, NULL, 'linux', NULL, 'test', 'test', NULL, 'operator', '["operator"]', '["operator.admin"]', NULL, NULL, '{"operator":{"token":"GwMnOl6yL5pZKLvAHsj9VrRcCi6jf1i3Bi3G8VxAheo","role":"operator","scopes":["operator.admin"],"createdAtMs":1795354074308,"rotatedAtMs":1795354075066}}', NULL, NULL, NULL, 1795354074308, 1795354074308, NULL, NULL);
INSERT INTO device_pairing_paired VALUES ('49f0e04c478a4d557f4e35b01c8b2af7d7bf3de206c38f8609c38a198b0b58d6', '09PsSodrRMa-dlM-PpN8B9IR4T76sTN0Oh9PAW1nDmA', 'NodeA', NULL, 'linux', 'Linux', 'node-host', 'node', NULL, 'node', '["node"]', '[]', '[]', NULL, '{"node":{"token":"qeumKtgG8XJRaB0UoB-Da1ZV9qjcpG1NwhvuqfYTZ5Y","role":"node","scopes":[],"createdAtMs":1795715447094}}', 'silent', NULL, '{"requestId":"93b1afe0-7ad6-4e0d-ab42-2e0773b05e47","revision":"38248f92-9949-439b-84db-a53584b5625d","displayName":"NodeA","platform":"linux","version":"2026.9.6","deviceFamily":"Linux","caps":["browser","file","local-inference","mcp","system"],"commands":["browser.proxy","browser.proxy.upload.v1","desktop.stream","fs.listDir","mcp.tools.call.v1","ollama.chat","ollama.models","system.execApprovals.get","system.execApprovals.set","system.run","system.run.prepare","system.which","terminal.upload"],"silent":true,"ts":1795715447155}', 1795715447094, 1795715447094, 1795715447074, 'connect');
INSERT INTO device_pairing_paired VALUES ('24dbe3669e3478172cec49aa836a55847e9f6293311523292369fa0d9a0d2e52', '8q3oQM-DzecEHhJokmpGNX74ZBW74VRbKzacggMf-_E', NULL, NULL, 'linux', 'Linux', 'node-host', 'node', NULL, 'node', '["node"]', '[]', '[]', NULL, '{"node":{"token":"cEms55mLGM5bf_fdF_ctly41eDsqhiKsJNQVQEsNqyc","role":"node","scopes":[],"createdAtMs":1795715495640}}', 'silent', NULL, '{"requestId":"a25a7fad-adf5-4c3d-b7a5-6d07e5ff5679","revision":"7089e7f2-401a-49ac-aa28-9af5ae284a3e","platform":"linux","version":"0.1.0","deviceFamily":"Linux","caps":["device"],"commands":[],"silent":true,"ts":1795715495696}', 1795715495640, 1795715495640, 1795715495626, 'connect');
CREATE TABLE device_bootstrap_tokens (
  token_key TEXT NOT NULL PRIMARY KEY,
  token TEXT NOT NULL,
  setup_id TEXT,
  ts INTEGER NOT NULL,
  device_id TEXT,
  public_key TEXT,
  profile_json TEXT,
  redeemed_profile_json TEXT,
  pending_profile_json TEXT,
  issued_at_ms INTEGER NOT NULL,
  last_used_at_ms INTEGER
) STRICT;
CREATE INDEX idx_device_bootstrap_tokens_ts
  ON device_bootstrap_tokens(ts);
INSERT INTO device_bootstrap_tokens VALUES ('nyamNy2SRZe-4upZnDhsMRk89WLYQU90IzvDEuCcloU', 'nyamNy2SRZe-4upZnDhsMRk89WLYQU90IzvDEuCcloU', '7508188b-c354-445a-9dc8-38effc9482c3', 1795715494780, NULL, NULL, '{"roles":["node","operator"],"scopes":["operator.admin","operator.approvals","operator.questions","operator.read","operator.talk.secrets","operator.write"],"purpose":"mobile-full"}', '{"roles":[],"scopes":[]}', NULL, 1795715494780, NULL);
CREATE TABLE device_pairing_join_codes (
  shortcode TEXT,
  payload_json TEXT,
  created_at_ms INTEGER,
  expires_at_ms INTEGER
) STRICT;
CREATE TABLE device_pair_setup_completions (
  setup_id TEXT NOT NULL PRIMARY KEY,
  device_id TEXT NOT NULL,
  device_name TEXT,
  access TEXT NOT NULL,
  completed_at_ms INTEGER NOT NULL,
  delivery_state TEXT NOT NULL CHECK (delivery_state IN ('uncertain', 'confirmed')),
  retain_until_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE device_auth_tokens (
  device_id TEXT NOT NULL,
  role TEXT NOT NULL,
  token TEXT NOT NULL,
  scopes_json TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (device_id, role)
) STRICT;
CREATE INDEX idx_device_auth_tokens_updated
  ON device_auth_tokens(updated_at_ms DESC, device_id, role);
