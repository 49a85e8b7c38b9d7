//! OpenClaw's gateway, as far as pairing needs it: a WebSocket server to run or to embed.
