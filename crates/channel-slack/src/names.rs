//! Names of people, by which an owner may recognise them. A bot without the scope `users:read` does without.

use std::collections::HashMap;

use pairing_core::Timestamp;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

use crate::Slack;
use crate::api::{self, Call};

/// How long names are remembered, and how many at most.
const WITHIN: Duration = Duration::from_secs(3600);
const MOST: usize = 1000;

/// The longest wait for a name, for which a message waits.
const WAIT: Duration = Duration::from_secs(3);

/// The longest name, in characters.
const LONGEST: usize = 100;

type Meta = Vec<(String, String)>;

/// Names that were looked up.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<Box<str>, (Timestamp, Meta)>,
    /// Nothing is asked until then.
    paused: Option<Instant>,
    is_off: bool,
}

impl Names {
    /// The names of a person; none where they cannot be learnt.
    pub(crate) async fn of(&mut self, bot: &Slack, person: &str) -> Meta {
        let now = bot.clock.now();
        if let Some((at, meta)) = self.known.get(person)
            && *at <= now
            && now < *at + WITHIN
        {
            return meta.clone();
        }
        if self.is_off || self.paused.is_some_and(|until| until > Instant::now()) {
            return Meta::new();
        }
        let meta = match ask(bot, person).await {
            Ok(meta) => meta,
            Err(error) => {
                self.is_off = error.code() == Some("missing_scope");
                // A server that fails is not asked for each message.
                let pause = error.retry_after().unwrap_or(Duration::from_secs(60));
                if error.code().is_none() {
                    self.paused = Some(Instant::now() + pause);
                }
                tracing::debug!(
                    account = bot.account.as_str(), error = %error,
                    "slack: a name cannot be looked up"
                );
                Meta::new()
            }
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(person.into(), (now, meta.clone()));
        meta
    }
}

async fn ask(bot: &Slack, person: &str) -> Result<Meta, api::CallError> {
    #[derive(Deserialize)]
    struct Found {
        user: User,
    }
    #[derive(Deserialize)]
    struct User {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        real_name: Option<String>,
    }
    const METHOD: &str = "users.info";
    // This one takes no JSON.
    let params = channel_kit::http::Body {
        content_type: FORM.to_owned(),
        bytes: format!("user={person}").into_bytes(),
    };
    let within = WAIT.min(bot.pace.call);
    let response = bot.api.once(Call::new(METHOD), params, within).await?;
    let Found { user } = api::read(&response, METHOD)?;
    let named = [("username", user.name), ("name", user.real_name)];
    let named = named.into_iter().filter_map(|(key, name)| {
        let name: String = name?.chars().take(LONGEST).collect();
        (!name.trim().is_empty()).then(|| (key.to_owned(), name))
    });
    Ok(named.collect())
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
