//! Logging out: signal-cli is no device of the account any more, and has no keys of it.

use std::io;

use channel_kit::child::relay;
use channel_kit::http::HttpError;
use channel_kit::{LoggedOut, LogoutError};
use pairing_core::escape;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use crate::rpc::{CallError, IO};
use crate::{Daemon, Number, Signal};

/// The longest reason that is passed on, in characters.
const REASON: usize = 300;

/// The longest answer of the program that is read, in bytes.
const ANSWER: u64 = 64 << 10;

/// No device has this id: the first one of an account is 1.
const NO_DEVICE: u8 = 0;

const REMOVE: &str = "removeDevice";
const UNREGISTER: &str = "unregister";
const DELETE: &str = "deleteLocalAccountData";

const ON_THE_PHONE: &str =
    "the phone lists this device until it is removed there: Settings, Linked devices";

/// Where signal-cli is asked.
enum Way<'a> {
    /// Its daemon runs.
    Daemon(&'a Signal),
    /// None runs, and the program can be started here.
    Program(&'a Signal, &'a Daemon),
}

/// Logs the account out.
///
/// Only the phone can remove a linked device. What a linked device can do is to tell Signal that it wants no messages any more
/// (`unregister`), and to delete its keys (`deleteLocalAccountData`). On the device that registered the account, `unregister`
/// would cut the number off for everybody who writes to it: so it is made sure first that the device is a linked one.
pub(crate) async fn log_out(signal: &Signal) -> Result<LoggedOut, LogoutError> {
    let (way, accounts) = way(signal).await?;
    let number = match &signal.number {
        Some(number) => number.as_str().to_owned(),
        None => the_only_one(&accounts)?,
    };
    let account = json!({ "account": number });
    let was_linked = way.is_linked(&number).await?;
    if was_linked {
        match way.ask(UNREGISTER, account.clone()).await {
            Ok(_) => {}
            Err(error) if is_unknown(&error) => {}
            Err(error) => return Err(unavailable(&error)),
        }
        // The daemon closes no stream of an account that it does not have any more.
        signal.logged_out.send_replace(());
    }
    way.ask(DELETE, account).await.map_err(|error| {
        let error = match error {
            error @ CallError::Refused { code: -1, .. } => refused(
                &error,
                "Signal says that the account is registered: if nothing else uses signal-cli for it, run \
                 `signal-cli -a <number> deleteLocalAccountData --ignore-registered`",
            ),
            error => unavailable(&error),
        };
        if was_linked {
            LogoutError::HalfDone {
                reason: format!("Signal sends no more messages here, but the keys were not deleted: {error}"),
                advice: error.advice(),
            }
        } else {
            error
        }
    })?;
    let done = LoggedOut::of(number);
    Ok(if was_linked {
        done.remark(Some(ON_THE_PHONE.to_owned()))
    } else {
        done.was_not_linked()
    })
}

/// Where to ask, and the accounts that are there.
async fn way(signal: &Signal) -> Result<(Way<'_>, Value), LogoutError> {
    const METHOD: &str = "listAccounts";
    match (
        Way::Daemon(signal).ask(METHOD, json!({})).await,
        &signal.daemon,
    ) {
        (Ok(accounts), _) => Ok((Way::Daemon(signal), accounts)),
        (Err(error), Some(daemon)) if is_no_daemon(&error) => {
            let way = Way::Program(signal, daemon);
            // To list the accounts takes Signal's servers, and is needed only if none is named.
            let accounts = match signal.number {
                Some(_) => Value::Null,
                None => way
                    .ask(METHOD, json!({}))
                    .await
                    .map_err(|error| unavailable(&error))?,
            };
            Ok((way, accounts))
        }
        (Err(error), None) if is_no_daemon(&error) => Err(LogoutError::Unavailable {
            reason: "signal-cli's daemon does not run at the address of httpUrl".to_owned(),
            advice: "start it, and try again",
        }),
        (Err(error @ CallError::Refused { code: -32601, .. }), _) => Err(refused(
            &error,
            "the daemon was started for one account alone, and cannot delete it: stop it, and run `signal-cli -a <number> \
             unregister`, then `signal-cli -a <number> deleteLocalAccountData`",
        )),
        (Err(error), _) => Err(unavailable(&error)),
    }
}

fn the_only_one(accounts: &Value) -> Result<String, LogoutError> {
    let numbers = accounts.as_array().into_iter().flatten();
    let numbers: Vec<_> = numbers.filter_map(|one| one["number"].as_str()).collect();
    match numbers[..] {
        [one] if Number::parse(one).is_ok() => Ok(one.to_owned()),
        _ => Err(LogoutError::Refused {
            reason: format!(
                "signal-cli has {} accounts, and none is named",
                numbers.len()
            ),
            advice: "set `account` to the number that is to be logged out",
        }),
    }
}

impl Way<'_> {
    async fn ask(&self, method: &'static str, params: Value) -> Result<Value, CallError> {
        match self {
            Self::Daemon(signal) => signal.rpc.plain(method, params, signal.pace.call).await,
            Self::Program(signal, daemon) => {
                let asked = timeout(signal.pace.call, by_program(daemon, method, &params)).await;
                let late = HttpError::Deadline {
                    after: signal.pace.call,
                };
                asked.unwrap_or(Err(CallError::Http {
                    method,
                    error: late,
                }))
            }
        }
    }

    /// Whether signal-cli is linked to the account; an error if it is the device that registered it. signal-cli has no
    /// question for that, but a linked device refuses to remove another one, without asking Signal. Where it does not
    /// refuse, nothing is removed either.
    async fn is_linked(&self, number: &str) -> Result<bool, LogoutError> {
        let params = json!({ "account": number, "deviceId": NO_DEVICE });
        match self.ask(REMOVE, params).await {
            Err(error) if is_unknown(&error) => Ok(false),
            Err(CallError::Refused {
                code: -1, message, ..
            }) if message.contains("linked devices") => Ok(true),
            Ok(_) | Err(CallError::Refused { code: IO, .. }) => Err(LogoutError::Refused {
                reason: format!(
                    "signal-cli is no linked device of {number}: the number was registered with it"
                ),
                advice: "turn the account off by `enabled: false`; to give the number up for good, run \
                         `signal-cli -a <number> unregister`",
            }),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// Runs the program once. Its exit status says what its daemon says by codes.
async fn by_program(
    daemon: &Daemon,
    method: &'static str,
    params: &Value,
) -> Result<Value, CallError> {
    let failed = |code: i64, text: &str| CallError::Refused {
        method,
        code,
        message: escape(text.trim()).limit(REASON).to_string(),
        outcome: None,
        after: None,
    };
    let cannot = |error: io::Error| failed(0, &format!("signal-cli cannot be started: {error}"));
    let mut child = daemon.once(method, params).spawn().map_err(cannot)?;
    let answer = read(child.stdout.take());
    let last = async {
        match child.stderr.take() {
            Some(errors) => relay(errors, |_| {}).await,
            None => String::new(),
        }
    };
    let (answer, last) = tokio::join!(answer, last);
    let status = child.wait().await.map_err(cannot)?;
    if status.success() {
        return Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null));
    }
    let last = if last.is_empty() {
        "signal-cli has failed, and does not say why"
    } else {
        &last
    };
    Err(failed(-i64::from(status.code().unwrap_or_default()), last))
}

/// The beginning of what a program writes. The rest is read, too, so that the program is not held up.
async fn read(output: Option<ChildStdout>) -> Vec<u8> {
    let mut beginning = Vec::new();
    if let Some(mut output) = output {
        let _ = (&mut output).take(ANSWER).read_to_end(&mut beginning).await;
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    }
    beginning
}

fn is_no_daemon(error: &CallError) -> bool {
    let none = HttpError::Connect;
    matches!(error, CallError::Http { error, .. } if *error == none)
}

/// Whether signal-cli does not have the account, or Signal does not know it any more.
fn is_unknown(error: &CallError) -> bool {
    let CallError::Refused { message, .. } = error else {
        return false;
    };
    ["does not exist", "is not registered"]
        .iter()
        .any(|part| message.contains(part))
}

fn refused(error: &CallError, advice: &'static str) -> LogoutError {
    let reason = escape(&error.to_string()).limit(REASON).to_string();
    LogoutError::Refused { reason, advice }
}

fn unavailable(error: &CallError) -> LogoutError {
    let advice = match error {
        CallError::Elsewhere { .. } | CallError::Malformed { .. } => {
            "check httpUrl: something else answers there, or a signal-cli older than 0.13"
        }
        CallError::Refused { code: IO, .. } | CallError::Http { .. } => {
            "signal-cli did not reach Signal: try again; or remove this device on the phone (Settings, Linked devices), and run \
             `signal-cli -a <number> deleteLocalAccountData --ignore-registered`"
        }
        CallError::Refused { .. } => {
            "run it by hand to see why: `signal-cli -a <number> unregister`"
        }
    };
    let reason = escape(&error.to_string()).limit(REASON).to_string();
    LogoutError::Unavailable { reason, advice }
}
