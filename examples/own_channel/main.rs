//! A gateway with a chat system of one's own: Matrix, whose adapter is `matrix.rs`.
//!
//! ```sh
//! MATRIX_ACCESS_TOKEN=… cargo run -p examples --example own_channel -- \
//!     https://matrix.example.org @bot:example.org ./state
//! ```
//!
//! Whoever writes to that account gets a code, and is let in with `openclaw pairing approve`.

mod matrix;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use openclaw_gateway::{Gateway, Overrides, Settings, prepare};
use pairing_core::{AccountId, ChannelId, ChannelRules, Channels, PairingBuilder};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};
use tokio::net::TcpListener;

use matrix::{Failure, Matrix};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let arguments = [arguments.next(), arguments.next(), arguments.next()];
    let [Some(server), Some(user), Some(state)] = arguments else {
        return Err("usage: own_channel <server> <user> <state-dir>".into());
    };
    let matrix = Matrix {
        channel: ChannelId::parse("matrix")?,
        account: AccountId::default(),
        server,
        user,
        token: std::env::var("MATRIX_ACCESS_TOKEN")?,
        http: Client::builder(TokioExecutor::new()).build(
            HttpsConnectorBuilder::new()
                .with_native_roots()?
                .https_or_http()
                .enable_http1()
                .build(),
        ),
    };

    let state = StateDir::at(state);
    let channels = Channels::builtin().with(ChannelRules::new(ChannelId::parse("matrix")?));
    let store = FsStore::new(&state, channels.clone());
    let pairing = PairingBuilder::new(store, SystemClock, SystemEntropy).channels(channels);

    let prepared = prepare(&state, |name| std::env::var_os(name), false, &SystemEntropy)?;
    let overrides = Overrides {
        kept: prepared.kept,
        ..Overrides::default()
    };
    Gateway::builder(
        pairing.build(),
        Settings::from_config(&prepared.config, &overrides)?,
    )
    .listener(TcpListener::bind("127.0.0.1:18789").await?)
    .adapter(Arc::new(matrix))
    .pair_commands(Some(&state))
    .shutdown(async {
        // Without signals it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .build()
    .run()
    .await;
    Ok(())
}
