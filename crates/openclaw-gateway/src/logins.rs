//! Logins: accounts that are being linked by a code; and logging them out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::{Adapter, Linked, LoggedOut, LoginCode, LoginError, LoginStep, LogoutError};
use gateway_channels::AdapterKey;
use gateway_protocol::channel_login::{LoggedOut as Answer, LoginProgress, LoginState};
use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId, LinkOutcome, escape};
use pairing_fs::StateDir;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::{adapters, qr};

/// The name of this machine in the list of devices on the phone.
const DEVICE: &str = "OpenClaw";

/// The longest time that a login takes, whatever its adapter does.
const LONGEST: Duration = Duration::from_secs(600);

/// The longest time that logging out takes, whatever its adapter does. An adapter that is cut short does not say how far it was,
/// so this is more than an adapter takes.
const LONGEST_LOGOUT: Duration = Duration::from_secs(270);

/// The longest account name that is passed on, in characters.
const NAME: usize = 128;

/// The last login of each account, of which there are no more than accounts.
#[derive(Default)]
pub(crate) struct Logins(Mutex<BTreeMap<AdapterKey, Login>>);

/// A login that was begun. It ends when it is dropped.
struct Login {
    progress: watch::Receiver<LoginProgress>,
    report: Reporting,
    task: JoinSet<()>,
}

/// Writes the outcome of a login to the audit log. It blocks.
pub(crate) type Report = Box<dyn FnOnce(LinkOutcome) + Send>;

/// A report that is made once: by the login when it ends, or by whoever gives it up before.
#[derive(Clone)]
struct Reporting(Arc<Mutex<Option<Report>>>);

impl Reporting {
    /// Makes it, unless that was done. It blocks.
    fn make(&self, outcome: LinkOutcome) {
        if let Some(report) = self.take() {
            report(outcome);
        }
    }

    /// Makes it on the blocking pool. From this call on, nobody else makes it.
    fn make_aside(&self, outcome: LinkOutcome) -> JoinHandle<()> {
        let report = self.take();
        spawn_blocking(move || {
            if let Some(report) = report {
                report(outcome);
            }
        })
    }

    fn take(&self) -> Option<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Logins {
    /// Begins to link the account of an adapter, in the place of an earlier attempt. `None` if that is not done by scanning
    /// a code. It blocks.
    pub(crate) fn start(
        &self,
        adapter: &Arc<dyn Adapter>,
        id: String,
        report: Report,
    ) -> Option<LoginProgress> {
        let login = Login::start(adapter, id, report)?;
        let progress = login.progress.borrow().clone();
        let key = (adapter.channel().clone(), adapter.account().clone());
        let earlier = self.all().insert(key, login);
        earlier.into_iter().for_each(Login::give_up);
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

    /// Gives up a login. Whether it was known. It blocks.
    pub(crate) fn end(&self, id: &str) -> bool {
        self.give_up(|_, login| login.is(id))
    }

    /// Gives up the login of an account, if there is one. It blocks.
    pub(crate) fn end_of(&self, account: &AdapterKey) {
        self.give_up(|key, _| key == account);
    }

    fn give_up(&self, is_meant: impl Fn(&AdapterKey, &Login) -> bool) -> bool {
        let given_up: Vec<_> = {
            let mut all = self.all();
            let meant = all.iter().filter(|(key, login)| is_meant(key, login));
            let meant: Vec<_> = meant.map(|(key, _)| key.clone()).collect();
            meant.iter().filter_map(|key| all.remove(key)).collect()
        };
        let was_known = !given_up.is_empty();
        given_up.into_iter().for_each(Login::give_up);
        was_known
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<AdapterKey, Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    fn start(adapter: &Arc<dyn Adapter>, id: String, report: Report) -> Option<Self> {
        let how = adapter.login()?.how();
        let (tell, progress) = watch::channel(LoginProgress::new(id, how));
        let report = Reporting(Arc::new(Mutex::new(Some(report))));
        let mut task = JoinSet::new();
        task.spawn(run(Arc::clone(adapter), tell, report.clone()));
        Some(Self {
            progress,
            report,
            task,
        })
    }

    /// Ends it. Nothing is said of one that has ended by itself.
    fn give_up(self) {
        let Self { report, task, .. } = self;
        drop(task);
        report.make(LinkOutcome::NotLinked);
    }

    fn is(&self, id: &str) -> bool {
        self.progress.borrow().login_id == id
    }
}

/// Links an account, and tells how far it is.
async fn run(adapter: Arc<dyn Adapter>, progress: watch::Sender<LoginProgress>, report: Reporting) {
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
    // Before anything else is waited for: whoever gives the login up now is too late.
    let reported = report.make_aside(match linked {
        Ok(_) => LinkOutcome::Linked,
        Err(_) => LinkOutcome::NotLinked,
    });
    match &linked {
        Ok(_) => tracing::info!(%channel, account, "account linked"),
        Err(error) => {
            tracing::warn!(%channel, account, %error, advice = error.advice(), "account not linked");
        }
    }
    // Whoever sees the end finds it in the audit log.
    let _ = reported.await;
    progress.send_modify(|now| end(now, linked));
}

/// Logs out the account of an adapter; `None` if it is not linked by a code, so that there is nothing to log out of.
pub(crate) async fn log_out_of(adapter: &dyn Adapter) -> Option<Result<LoggedOut, LogoutError>> {
    let (channel, account) = (adapter.channel(), adapter.account().as_str());
    let out = timeout(LONGEST_LOGOUT, adapter.login()?.log_out()).await;
    let out = out.unwrap_or_else(|_| {
        Err(LogoutError::Unavailable {
            reason: format!(
                "it was not done within {} seconds",
                LONGEST_LOGOUT.as_secs()
            ),
            advice: "look at the account on the phone, and try again",
        })
    });
    match &out {
        Ok(LoggedOut { was_linked, .. }) => {
            tracing::info!(%channel, account, was_linked, "account logged out");
        }
        Err(error) => {
            tracing::warn!(%channel, account, %error, advice = error.advice(), "account not logged out");
        }
    }
    Some(out)
}

/// Whether the account is not linked after this.
pub(crate) fn is_not_linked(out: &Result<LoggedOut, LogoutError>) -> bool {
    match out {
        Ok(_) => true,
        Err(error) => error.is_half_done(),
    }
}

/// The answer that says it.
pub(crate) fn answer((channel, account_id): AdapterKey, out: LoggedOut) -> Answer {
    Answer {
        channel,
        account_id,
        cleared: out.was_linked,
        logged_out: true,
        name: Some(escape(&out.account).limit(NAME).to_string()),
        remark: out.remark,
    }
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
        let adapter = configured(config, state, var, channel, account)?;
        // Whoever waits for it takes down what became of it.
        let login = Login::start(&adapter, String::new(), Box::new(|_| {}));
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

/// The adapter of an account.
fn configured(
    config: &Config,
    state: &StateDir,
    var: &dyn Fn(&str) -> Option<OsString>,
    channel: &ChannelId,
    account: &AccountId,
) -> Result<Arc<dyn Adapter>, LinkingError> {
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
    Ok(built.adapter)
}

/// An account was not logged out without a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingOutError {
    /// Its configuration does not say which account it is.
    #[error(transparent)]
    Account(#[from] LinkingError),
    /// On this chat system, there is nothing to log out of.
    #[error("channel {0} does not support logout")]
    Unable(ChannelId),
    /// It was tried.
    #[error(transparent)]
    Logout(#[from] LogoutError),
}

/// Logs an account out without a gateway, by its configuration. Its first part blocks for a moment.
pub async fn log_out(
    config: &Config,
    state: &StateDir,
    var: &dyn Fn(&str) -> Option<OsString>,
    channel: &ChannelId,
    account: &AccountId,
) -> Result<Answer, LoggingOutError> {
    let adapter = configured(config, state, var, channel, account)?;
    let out = log_out_of(&*adapter).await;
    let out = out.ok_or_else(|| LoggingOutError::Unable(channel.clone()))??;
    Ok(answer((channel.clone(), account.clone()), out))
}

impl LoggingOutError {
    /// Whether the account is not linked any more all the same.
    pub fn is_half_done(&self) -> bool {
        matches!(self, Self::Logout(error) if error.is_half_done())
    }

    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Account(error) => error.advice(),
            Self::Unable(channel) => Some(adapters::instead_of_logout(channel)),
            Self::Logout(error) => Some(error.advice()),
        }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn whoever_gives_a_login_up_after_its_end_reports_nothing() {
        let (told, all) = mpsc::channel();
        let report: Report = Box::new(move |outcome| told.send(outcome).unwrap());
        let report = Reporting(Arc::new(Mutex::new(Some(report))));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            // The pool is busy for now.
            let (release, held) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || held.recv());
            let reported = report.make_aside(LinkOutcome::Linked);
            report.make(LinkOutcome::NotLinked);
            drop(release);
            assert!(busy.await.unwrap().is_err());
            reported.await.unwrap();
        });
        assert_eq!(all.iter().collect::<Vec<_>>(), [LinkOutcome::Linked]);
    }
}
