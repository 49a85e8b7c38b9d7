//! The gateway over real sockets: every check, limit and event.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "tests"
)]

mod access;
mod attack;
mod audit;
mod bluebubbles;
mod bots;
mod channels;
mod choosing;
mod counts;
mod credentials;
mod devices;
mod discord;
mod dm;
mod doctor;
mod elsewhere;
mod embedding;
mod events;
mod every_channel;
mod feishu;
mod frames;
mod guesses;
mod handshake;
mod health;
mod hello;
mod http;
mod imessage;
mod invoke;
mod join_codes;
mod lockout;
#[cfg(feature = "etcd")]
#[path = "../../../pairing-etcd/tests/etcd/members.rs"]
mod members;
mod methods;
mod nodes;
#[cfg(feature = "etcd")]
mod on_etcd;
mod owner_socket;
mod page;
mod peers;
mod proof;
mod recorded;
mod refusals;
mod releases;
mod reloading;
mod serving;
mod sessions;
mod setup_codes;
mod shown;
mod signal;
mod slack;
mod sockets;
mod stopping;
mod stores;
mod support;
mod talk;
mod telegram;
mod tls;
mod tokens;
mod upgrades;
mod weather;
mod whatsapp;
