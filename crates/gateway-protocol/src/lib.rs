//! OpenClaw's gateway protocol as types: frames, the handshake and its refusals, methods, events.
