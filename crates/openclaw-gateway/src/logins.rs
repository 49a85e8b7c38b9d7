//! Logins: accounts that are being linked by a code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::{Adapter, Linked, LoginCode, LoginError, LoginStep};
use gateway_channels::AdapterKey;
use gateway_protocol::channel_login::{LoginProgress, LoginState};
use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId, escape};
use pairing_fs::StateDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{adapters, qr};

/// The name of this machine in the list of devices on the phone.
const DEVICE: &str = "OpenClaw";

/// The longest time that a login takes, whatever its adapter does.
const LONGEST: Duration = Duration::from_secs(600);

/// The longest account name that is passed on, in characters.
const NAME: usize = 128;

/// The last login of each account, of which there are no more than accounts.
#[derive(Default)]
pub(crate) struct Logins(Mutex<BTreeMap<AdapterKey, Login>>);

/// A login that was begun. It ends when it is dropped.
struct Login {
    progress: watch::Receiver<LoginProgress>,
    _task: JoinSet<()>,
}

impl Logins {
    /// Begins to link the account of an adapter, in the place of an earlier attempt. `None` if that is not done by scanning
    /// a code.
    pub(crate) fn start(&self, adapter: &Arc<dyn Adapter>, id: String) -> Option<LoginProgress> {
        let login = Login::start(adapter, id)?;
        let progress = login.progress.borrow().clone();
        let key = (adapter.channel().clone(), adapter.account().clone());
        self.all().insert(key, login);
        Some(progress)
    }

    /// Waits until a login is further than `after`, for so long at most. `None` if it is not known.
    pub(crate) async fn wait(
        &self,
        id: &str,
        after: u64,
        within: Duration,
    ) -> Option<LoginProgress> {
        let mut progress = {
            let all = self.all();
            let mut all = all.values();
            all.find(|login| login.is(id))?.progress.clone()
        };
        let _ = timeout(within, progress.wait_for(|now| now.step > after)).await;
        let now = progress.borrow().clone();
        Some(now)
    }

    /// Gives up a login. Whether it was known.
    pub(crate) fn end(&self, id: &str) -> bool {
        let mut all = self.all();
        let before = all.len();
        all.retain(|_, login| !login.is(id));
        all.len() < before
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<AdapterKey, Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    fn start(adapter: &Arc<dyn Adapter>, id: String) -> Option<Self> {
        let how = adapter.login()?.how();
        let (tell, progress) = watch::channel(LoginProgress::new(id, how));
        let mut task = JoinSet::new();
        task.spawn(run(Arc::clone(adapter), tell));
        Some(Self {
            progress,
            _task: task,
        })
    }

    fn is(&self, id: &str) -> bool {
        self.progress.borrow().login_id == id
    }
}

/// Links an account, and tells how far it is.
async fn run(adapter: Arc<dyn Adapter>, progress: watch::Sender<LoginProgress>) {
    let (channel, account) = (adapter.channel(), adapter.account().as_str());
    let Some(login) = adapter.login() else { return };
    tracing::info!(%channel, account, "linking of an account has begun");
    let tell = |step: LoginStep| {
        progress.send_modify(|now| match step {
            LoginStep::Code(code) => show(now, &code, true),
            LoginStep::Typed(code) => show(now, &code, false),
            LoginStep::Scanned => enter(now, LoginState::Scanned),
            _ => {}
        });
    };
    let linked = timeout(LONGEST, login.link(DEVICE, &tell)).await;
    let linked = linked.unwrap_or(Err(LoginError::TimedOut));
    match &linked {
        Ok(_) => tracing::info!(%channel, account, "account linked"),
        Err(error) => {
            tracing::warn!(%channel, account, %error, advice = error.advice(), "account not linked");
        }
    }
    progress.send_modify(|now| end(now, linked));
}

/// Goes on to a state, without the code of the one before.
fn enter(now: &mut LoginProgress, state: LoginState) {
    now.step += 1;
    now.state = state;
    (now.code, now.qr) = (None, None);
}

/// Shows a code, and draws it where it is to be scanned.
fn show(now: &mut LoginProgress, code: &LoginCode, is_scanned: bool) {
    enter(now, LoginState::Code);
    now.qr = is_scanned.then(|| qr::rows(code.expose()).ok()).flatten();
    now.code = Some(code.expose().to_owned());
}

fn end(now: &mut LoginProgress, linked: Result<Linked, LoginError>) {
    match linked {
        Ok(linked) => {
            enter(now, LoginState::Linked);
            now.linked_as = Some(escape(&linked.account).limit(NAME).to_string());
            now.remark = linked.remark;
        }
        Err(error) => {
            enter(now, LoginState::Failed);
            now.error = Some(error.to_string());
            now.advice = Some(error.advice().to_owned());
        }
    }
}

/// An account that is linked without a gateway, by its configuration.
pub struct Linking(Login);

/// An account cannot be linked, because of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkingError {
    /// The configuration does not name the account, or turns it off.
    #[error("the configuration sets up no such account, or turns it off")]
    NotConfigured,
    /// This program was built without personal accounts of the channel.
    #[error("this program was built without personal accounts of this channel")]
    NotBuilt {
        /// How to get a program that has them.
        advice: &'static str,
    },
    /// Its settings cannot be used.
    #[error("{error}")]
    Settings {
        /// The error, escaped and without secrets.
        error: String,
        /// What to do about it.
        advice: Option<&'static str>,
    },
    /// On this chat system, accounts are not linked by scanning a code.
    #[error(
        "accounts of this channel are not linked by a code: their settings name what they need"
    )]
    Unable,
}

impl Linking {
    /// Begins to link an account. It blocks for a moment, and has to be called within a runtime of tokio.
    pub fn start(
        config: &Config,
        state: &StateDir,
        var: &dyn Fn(&str) -> Option<OsString>,
        channel: &ChannelId,
        account: &AccountId,
    ) -> Result<Self, LinkingError> {
        let mut all = adapters::configured(config, state, var).into_iter();
        let found = all.find(|one| one.key.0 == *channel && one.key.1 == *account);
        let missing = || match adapters::another_build(channel) {
            Some(advice) => LinkingError::NotBuilt { advice },
            None => LinkingError::NotConfigured,
        };
        let built = found.ok_or_else(missing)?.built;
        let built = built.map_err(|error| LinkingError::Settings {
            error: error.error,
            advice: error.advice,
        })?;
        let login = Login::start(&built.adapter, String::new());
        login.map(Self).ok_or(LinkingError::Unable)
    }

    /// Waits until it is further than `after`, a step that is known already; 0 for the first one.
    pub async fn wait(&self, after: u64) -> LoginProgress {
        let mut progress = self.0.progress.clone();
        // The sender lives until the end.
        let _ = progress
            .wait_for(|now| now.step > after || now.is_over())
            .await;
        self.0.progress.borrow().clone()
    }
}

impl LinkingError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NotConfigured => Some(
                "set the account up first, such as `openclaw config set channels.signal.autoStart true`",
            ),
            Self::NotBuilt { advice } => Some(advice),
            Self::Settings { advice, .. } => *advice,
            Self::Unable => {
                Some("`openclaw channels status --probe` says whether an account is accepted")
            }
        }
    }
}

impl fmt::Debug for Linking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Linking")
            .field(&*self.0.progress.borrow())
            .finish()
    }
}
