//! The roster: which adapters run, as the configuration changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter, Stop, StopSender};
use openclaw_config::Config;
use pairing_core::Chain;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::gate::Gate;
use crate::run::run;
use crate::{AdapterKey, Adapters, BuildError, Built, Channels, Configured, Host};

/// How often messages that came while the store was away are tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Builds the adapters that a configuration names. It may block.
pub type Source = Arc<dyn Fn(&Config) -> Vec<Configured> + Send + Sync>;

/// The adapters that should run: those that the embedder adds, and those that the configuration names.
///
/// - An adapter of the embedder runs until the end; a configured one never takes its place.
/// - A configured adapter runs while it is configured. When its settings change, the new adapter starts after the
///   old one has ended, because two with one token would disturb each other.
/// - An adapter that cannot be built is logged once. The adapter that runs for that account goes on.
#[derive(Default)]
pub struct Roster {
    source: Option<Source>,
    desired: BTreeMap<AdapterKey, Desired>,
    running: BTreeMap<AdapterKey, Running>,
    /// The errors of the adapters that cannot be built. They were logged.
    logged: BTreeMap<AdapterKey, BuildError>,
    /// Changes of the configuration since [`prepare`](Self::prepare).
    reloaded: Option<watch::Receiver<()>>,
}

struct Desired {
    adapter: Arc<dyn Adapter>,
    /// The hash of its settings; `None` for an adapter of the embedder.
    fingerprint: Option<[u8; 32]>,
}

struct Running {
    adapter: Arc<dyn Adapter>,
    gate: Arc<Gate>,
    stop: StopSender,
    /// Aborts the task when dropped.
    task: JoinSet<()>,
}

impl Roster {
    /// Adds an adapter of the embedder, in place of one for the same account.
    pub fn add(&mut self, adapter: Arc<dyn Adapter>) {
        let key = (adapter.channel().clone(), adapter.account().clone());
        let fingerprint = None;
        self.desired.insert(
            key,
            Desired {
                adapter,
                fingerprint,
            },
        );
    }

    /// Adds the adapters that the configuration names.
    pub fn set_source(&mut self, source: Source) {
        self.source = Some(source);
    }

    /// Whether it will never run an adapter: none was added, and no configuration is followed.
    pub fn is_empty(&self) -> bool {
        self.desired.is_empty() && self.source.is_none()
    }

    /// Builds the configured adapters and publishes all of them in `channels`, so that messages can be sent before
    /// [`run`](Self::run). It may block.
    pub fn prepare(&mut self, channels: &Channels, config: &Config) {
        self.reloaded = Some(channels.reloaded.subscribe());
        if let Some(source) = &self.source {
            let configured = source(config);
            self.update(configured);
        }
        self.publish(channels);
    }

    fn publish(&self, channels: &Channels) {
        channels.adapters.store(Arc::new(self.adapters()));
        channels.unbuilt.store(Arc::new(self.logged.clone()));
    }

    /// Runs the adapters, and updates them each time the configuration changes, until told to stop. What they have
    /// received by then is still handled, for as long as [`Host::drain`].
    ///
    /// Also hands over the first messages of strangers that were approved since.
    pub async fn run(mut self, host: Arc<dyn Host>, channels: Arc<Channels>, mut stop: Stop) {
        let (gates, running) = watch::channel(Vec::new());
        let mut settling = JoinSet::new();
        settling.spawn(settle(channels.clone(), running, stop.clone()));
        let mut reloaded = match self.reloaded.take() {
            Some(reloaded) => reloaded,
            None => channels.reloaded.subscribe(),
        };
        self.start(&host, &channels, &gates);
        loop {
            tokio::select! {
                biased;
                () = stop.wait() => break,
                changed = reloaded.changed() => if changed.is_err() { break },
            }
            if let Some(source) = self.source.clone() {
                let config = host.config();
                match tokio::task::spawn_blocking(move || source(&config)).await {
                    Ok(configured) => self.update(configured),
                    Err(error) => tracing::error!(
                        %error,
                        "bots not rebuilt after a change of the configuration: they go on as they were"
                    ),
                }
                self.end_unwanted().await;
                self.start(&host, &channels, &gates);
            }
            channels.followed.send_replace(());
        }
        self.desired.clear();
        self.end_unwanted().await;
        while settling.join_next().await.is_some() {}
    }

    fn adapters(&self) -> Adapters {
        let desired = self.desired.iter();
        desired
            .map(|(key, desired)| (key.clone(), desired.adapter.clone()))
            .collect()
    }

    fn update(&mut self, configured: Vec<Configured>) {
        let is_named = |key: &AdapterKey| configured.iter().any(|one| one.key == *key);
        self.desired
            .retain(|key, desired| desired.fingerprint.is_none() || is_named(key));
        self.logged.retain(|key, _| is_named(key));
        for Configured { key, built } in configured {
            let Built {
                fingerprint,
                adapter,
                ..
            } = match built {
                Ok(built) => built,
                Err(error) => {
                    self.log(key, error);
                    continue;
                }
            };
            self.logged.remove(&key);
            let before = self.desired.get(&key);
            let is_kept = before.is_some_and(|before| {
                before
                    .fingerprint
                    .is_none_or(|before| before == fingerprint)
            });
            if !is_kept {
                let fingerprint = Some(fingerprint);
                let desired = Desired {
                    adapter,
                    fingerprint,
                };
                self.desired.insert(key, desired);
            }
        }
    }

    /// Starts the adapters that are desired and do not run.
    fn start(
        &mut self,
        host: &Arc<dyn Host>,
        channels: &Arc<Channels>,
        gates: &watch::Sender<Vec<Arc<Gate>>>,
    ) {
        self.publish(channels);
        for (key, Desired { adapter, .. }) in &self.desired {
            if self.running.contains_key(key) {
                continue;
            }
            let gate = match Gate::new(host.clone(), channels.clone(), adapter.clone()) {
                Ok(gate) => Arc::new(gate),
                Err(error) => {
                    tracing::error!(channel = %key.0, error = %Chain(&error), "the store does not know this channel: the bot is not run");
                    continue;
                }
            };
            let (stop, stopped) = Stop::new();
            let mut task = JoinSet::new();
            task.spawn(run(adapter.clone(), gate.clone(), stopped));
            let running = Running {
                adapter: adapter.clone(),
                gate,
                stop,
                task,
            };
            self.running.insert(key.clone(), running);
        }
        let all = self.running.values();
        gates.send_replace(all.map(|running| running.gate.clone()).collect());
    }

    /// Stops the adapters that are not desired any more, or not in this form.
    async fn end_unwanted(&mut self) {
        let (mut kept, mut unwanted) = (BTreeMap::new(), Vec::new());
        for (key, running) in std::mem::take(&mut self.running) {
            let desired = self.desired.get(&key);
            if desired.is_some_and(|desired| Arc::ptr_eq(&desired.adapter, &running.adapter)) {
                kept.insert(key, running);
            } else {
                running.stop.stop();
                unwanted.push(running);
            }
        }
        self.running = kept;
        for mut running in unwanted {
            while running.task.join_next().await.is_some() {}
        }
    }

    fn log(&mut self, key: AdapterKey, error: BuildError) {
        if self.logged.get(&key) == Some(&error) {
            return;
        }
        let (channel, account) = &key;
        let account_name = account.as_str();
        let BuildError {
            error: reason,
            advice,
            ..
        } = &error;
        if self.desired.contains_key(&key) {
            tracing::error!(
                %channel, account = account_name, error = reason, advice,
                "settings of a bot cannot be used: the bot goes on as it was"
            );
        } else {
            tracing::error!(
                %channel, account = account_name, error = reason, advice,
                "settings of a bot cannot be used: the bot is not run"
            );
        }
        self.logged.insert(key, error);
    }
}

/// Hands over the first messages of approved strangers, each time that requests may have been decided.
async fn settle(channels: Arc<Channels>, gates: watch::Receiver<Vec<Arc<Gate>>>, mut stop: Stop) {
    loop {
        tokio::select! {
            biased;
            () = stop.wait() => return,
            () = channels.decided.notified() => {}
            // The store may have failed for a moment that nobody else has noticed.
            () = sleep(AGAIN) => {
                let gates = gates.borrow().clone();
                for gate in gates {
                    gate.make_good(None).await;
                }
                continue;
            }
        }
        let gates = gates.borrow().clone();
        for gate in gates {
            gate.settle().await;
        }
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("desired", &self.desired.keys())
            .finish_non_exhaustive()
    }
}
