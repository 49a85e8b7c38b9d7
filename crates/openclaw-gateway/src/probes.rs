//! Asking the chat systems whether they accept their accounts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::Adapter;
use gateway_channels::AdapterKey;
use gateway_protocol::channel::AccountProbe;
use pairing_core::escape;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long an answer counts. Whoever may look cannot have a chat system asked more often.
const FRESH: Duration = Duration::from_secs(5);

/// The longest name that is passed on, in characters.
const NAME: usize = 128;

/// The last answers. One round runs at a time, and whoever asks meanwhile gets its answers.
#[derive(Debug, Default)]
pub(crate) struct Probes(tokio::sync::Mutex<BTreeMap<AdapterKey, Answer>>);

#[derive(Debug)]
struct Answer {
    at: Instant,
    probe: AccountProbe,
}

impl Probes {
    /// Asks the chat system of each of these accounts, all at once, and waits at most `within`.
    pub(crate) async fn ask(
        &self,
        adapters: &[Arc<dyn Adapter>],
        within: Duration,
    ) -> BTreeMap<AdapterKey, AccountProbe> {
        let mut answers = self.0.lock().await;
        answers.retain(|_, answer| answer.at.elapsed() < FRESH);
        let mut asking = JoinSet::new();
        for adapter in adapters {
            let key = (adapter.channel().clone(), adapter.account().clone());
            if !answers.contains_key(&key) {
                asking.spawn(ask(key, Arc::clone(adapter), within));
            }
        }
        while let Some(asked) = asking.join_next().await {
            // An adapter that panics has no answer.
            let Ok((key, probe)) = asked else { continue };
            let at = Instant::now();
            answers.insert(key, Answer { at, probe });
        }
        let answers = answers.iter();
        answers
            .map(|(key, answer)| (key.clone(), answer.probe.clone()))
            .collect()
    }
}

async fn ask(
    key: AdapterKey,
    adapter: Arc<dyn Adapter>,
    within: Duration,
) -> (AdapterKey, AccountProbe) {
    let began = Instant::now();
    let asked = timeout(within, adapter.probe()).await;
    let (name, error) = match asked {
        Ok(Ok(probed)) => {
            let name = probed.name.filter(|name| !name.is_empty());
            (name.map(|name| escape(&name).limit(NAME).to_string()), None)
        }
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(_) => (
            None,
            Some(format!("no answer in {} ms", within.as_millis())),
        ),
    };
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let probe = AccountProbe {
        ok: error.is_none(),
        name,
        error,
        elapsed_ms,
    };
    (key, probe)
}
