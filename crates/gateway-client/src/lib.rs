//! An async client of OpenClaw's gateway: proves its key, keeps its tokens, comes back.
