//! Which adapters run: the embedder's own, and those that the configuration names, as it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_config::Config;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::adapters::{Adapters, Key, Made, Named, Unmade};
use super::run::run;
use super::{Adapter, Gate, Stop};
use crate::shared::Shared;
use pairing_core::Chain;

/// Tells which adapters a configuration names, and makes them. It blocks.
pub(crate) type Source = Arc<dyn Fn(&Config) -> Vec<Named> + Send + Sync>;

/// The adapters that are to run.
///
/// - One that the embedder has added runs until the end, and none of the configuration takes its place.
/// - One that the configuration names runs while it is named. It gives way to one that is made of something
///   else, which begins once it has ended: two with one token would be in each other's way.
/// - What cannot be made is said once. What runs for that account goes on.
#[derive(Default)]
pub(crate) struct Roster {
    source: Option<Source>,
    wanted: BTreeMap<Key, Wanted>,
    running: BTreeMap<Key, Running>,
    /// What was said of those that cannot be made.
    said: BTreeMap<Key, Unmade>,
}

struct Wanted {
    adapter: Arc<dyn Adapter>,
    /// What it is made of; `None` for the embedder's own.
    of: Option<[u8; 32]>,
}

struct Running {
    adapter: Arc<dyn Adapter>,
    gate: Arc<Gate>,
    stop: watch::Sender<bool>,
    /// Ends with this.
    task: JoinSet<()>,
}

impl Roster {
    /// One of the embedder's own. It takes the place of one for the same account.
    pub(crate) fn add(&mut self, adapter: Arc<dyn Adapter>) {
        let key = (adapter.channel().clone(), adapter.account().clone());
        self.wanted.insert(key, Wanted { adapter, of: None });
    }

    /// Those that the configuration names, too.
    pub(crate) fn set_source(&mut self, source: Source) {
        self.source = Some(source);
    }

    /// Whether it will never run an adapter: none is set, and no configuration is followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.source.is_none()
    }

    pub(crate) fn adapters(&self) -> Adapters {
        let wanted = self.wanted.iter();
        wanted
            .map(|(key, wanted)| (key.clone(), wanted.adapter.clone()))
            .collect()
    }

    /// Goes by a configuration. It blocks.
    pub(crate) fn look(&mut self, config: &Config) {
        if let Some(source) = &self.source {
            let named = source(config);
            self.go_by(named);
        }
    }

    fn go_by(&mut self, named: Vec<Named>) {
        let is_named = |key: &Key| named.iter().any(|named| named.key == *key);
        self.wanted
            .retain(|key, wanted| wanted.of.is_none() || is_named(key));
        self.said.retain(|key, _| is_named(key));
        for Named { key, made } in named {
            match made {
                Ok(Made { of, adapter }) => {
                    self.said.remove(&key);
                    let before = self.wanted.get(&key);
                    let is_kept =
                        before.is_some_and(|before| before.of.is_none_or(|before| before == of));
                    if !is_kept {
                        let of = Some(of);
                        self.wanted.insert(key, Wanted { adapter, of });
                    }
                }
                Err(unmade) => self.say(key, unmade),
            }
        }
    }

    /// Runs them, and looks again each time that the configuration was `reloaded`, until told to stop; then
    /// what they have taken in is still handled, for as long as `limits.drain`. Those that run are shown in
    /// `gates`.
    pub(crate) async fn run(
        mut self,
        shared: Arc<Shared>,
        gates: watch::Sender<Vec<Arc<Gate>>>,
        mut reloaded: watch::Receiver<()>,
        mut stop: Stop,
    ) {
        self.start(&shared, &gates);
        loop {
            tokio::select! {
                biased;
                () = stop.wait() => break,
                changed = reloaded.changed() => if changed.is_err() { break },
            }
            if let Some(source) = self.source.clone() {
                let settings = shared.settings.load_full();
                let looking = tokio::task::spawn_blocking(move || source(&settings.config));
                match looking.await {
                    Ok(named) => self.go_by(named),
                    Err(error) => tracing::error!(%error, "the channels stay as they are"),
                }
                self.end_unwanted().await;
                self.start(&shared, &gates);
            }
            shared.channels.followed.send_replace(());
        }
        self.wanted.clear();
        self.end_unwanted().await;
    }

    /// Starts what is wanted and does not run.
    fn start(&mut self, shared: &Arc<Shared>, gates: &watch::Sender<Vec<Arc<Gate>>>) {
        shared.channels.adapters.store(Arc::new(self.adapters()));
        for (key, Wanted { adapter, .. }) in &self.wanted {
            if self.running.contains_key(key) {
                continue;
            }
            let gate = match Gate::new(shared.clone(), adapter.clone()) {
                Ok(gate) => Arc::new(gate),
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "a channel cannot be run");
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

    /// Ends what runs and is not wanted, or not as it is.
    async fn end_unwanted(&mut self) {
        let (mut kept, mut unwanted) = (BTreeMap::new(), Vec::new());
        for (key, running) in std::mem::take(&mut self.running) {
            let wanted = self.wanted.get(&key);
            if wanted.is_some_and(|wanted| Arc::ptr_eq(&wanted.adapter, &running.adapter)) {
                kept.insert(key, running);
            } else {
                running.stop.send_replace(true);
                unwanted.push(running);
            }
        }
        self.running = kept;
        for mut running in unwanted {
            while running.task.join_next().await.is_some() {}
        }
    }

    fn say(&mut self, key: Key, unmade: Unmade) {
        if self.said.get(&key) == Some(&unmade) {
            return;
        }
        let (channel, account) = &key;
        let what = if self.wanted.contains_key(&key) {
            "the bot goes on as it was"
        } else {
            "the bot is not run"
        };
        tracing::error!(
            %channel, account = account.as_str(), error = unmade.error, advice = unmade.advice, "{what}"
        );
        self.said.insert(key, unmade);
    }
}
