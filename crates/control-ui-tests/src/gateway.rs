//! The gateway on the stage: it uses real files, and a clock that can be moved.

use std::net::SocketAddr;
use std::sync::Arc;

use openclaw_config::Config;
use openclaw_gateway::store::{self, Opened};
use openclaw_gateway::{Gateway, Overrides, Settings};
use pairing_core::{Pairing, PairingBuilder};
use pairing_fs::{AuditLog, StateDir, SystemEntropy};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::bot::{Bot, Played};
use crate::clock::MovedClock;

/// A running gateway.
pub(crate) struct Running {
    /// Address on which the gateway listens.
    pub(crate) address: SocketAddr,
    /// The gateway's own pairing service.
    pub(crate) pairing: Pairing,
    /// The bot that the gateway runs.
    pub(crate) bot: Option<Arc<Played>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Creates a pairing service on the files of a directory, as every process does for itself.
pub(crate) fn service(state: &StateDir, clock: &MovedClock) -> Pairing {
    let Opened {
        store,
        channels,
        limits,
        ..
    } = store::files(state);
    PairingBuilder::new(store, clock.clone(), SystemEntropy)
        .channels(channels)
        .limits(limits)
        .audit(AuditLog::new(state))
        .build()
}

impl Running {
    /// Starts a gateway with a configuration and a bot, on this loopback port; 0 picks any port.
    pub(crate) async fn start(
        state: &StateDir,
        clock: &MovedClock,
        (config, bot): (&str, Bot),
        port: u16,
    ) -> Result<Self, Failure> {
        // The gateway and its doctor also look for the configuration here.
        std::fs::write(state.config(), config)?;
        let config = Config::parse(config)?;
        let settings = Settings::from_config(&config, &Overrides::default())?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let pairing = service(state, clock);
        let bot = Played::new(bot)?;
        let mut builder = Gateway::builder(pairing.clone(), settings)
            .listener(listener)
            .audit_log(AuditLog::new(state))
            .pair_commands(Some(state))
            .doctor(state, |_| None)
            .shutdown(async {
                let _ = stopped.await;
            });
        if let Some(bot) = bot.clone() {
            builder = builder.adapter(bot);
        }
        Ok(Self {
            address,
            pairing,
            bot,
            stop,
            task: tokio::spawn(builder.build().run()),
        })
    }

    /// Stops the gateway, and waits until it has stopped.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        Ok(self.task.await?)
    }
}
