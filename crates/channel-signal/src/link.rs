//! Linking: the account of a phone, with signal-cli as one of its devices.

use std::time::Duration;

use channel_kit::child::{Lines, relay};
use channel_kit::http::HttpError;
use channel_kit::{Linked, LoginCode, LoginError, LoginStep};
use pairing_core::escape;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::rpc::CallError;
use crate::{Daemon, Number, Signal};

/// The longest line that the program writes, and the longest code, in bytes.
const LINE: usize = 2048;

/// The longest reason that is passed on, in characters.
const REASON: usize = 300;

/// How long the program may take to end when it has said all.
const GOODBYE: Duration = Duration::from_secs(10);

type Tell<'a> = &'a (dyn Fn(LoginStep) + Send + Sync);

/// Links an account: through the daemon, so that it has the account at once; or, where none runs that could be started
/// here, by the program itself.
pub(crate) async fn link(
    signal: &Signal,
    device: &str,
    tell: Tell<'_>,
) -> Result<Linked, LoginError> {
    let number = match (by_daemon(signal, device, tell).await, &signal.daemon) {
        (Err(None), Some(daemon)) => {
            let work = by_program(daemon, signal.account.as_str(), device, tell);
            let number = timeout(signal.pace.link, work).await;
            let number = number.unwrap_or(Err(LoginError::TimedOut))?;
            signal.outdated.notify_one();
            number
        }
        (Err(None), None) => return Err(no_daemon()),
        (Err(Some(error)), _) => return Err(error),
        (Ok(number), _) => number,
    };
    signal.linked.notify_one();
    let is_other = |configured: &&Number| configured.as_str() != number;
    let remark = signal.number.as_ref().filter(is_other).map(|configured| {
        format!(
            "the configuration names {configured}: set `account` to {}, or link the other one",
            escape(&number).limit(REASON)
        )
    });
    Ok(Linked::to(number).remark(remark))
}

/// Returns the account's number. The error is `None` if no daemon runs.
async fn by_daemon(
    signal: &Signal,
    device: &str,
    tell: Tell<'_>,
) -> Result<String, Option<LoginError>> {
    let begun = signal.rpc.plain("startLink", json!({}), signal.pace.call);
    let begun = begun.await.map_err(|error| match error {
        CallError::Http {
            error: HttpError::Connect,
            ..
        } => None,
        error => Some(of_call(&error)),
    })?;
    let code = begun["deviceLinkUri"].as_str().and_then(code);
    let code = code.ok_or_else(|| {
        of_call(&CallError::Malformed {
            method: "startLink",
        })
    })?;
    tell(LoginStep::Code(code.clone()));
    let params = json!({ "deviceLinkUri": code.expose(), "deviceName": device });
    let done = signal.rpc.plain("finishLink", params, signal.pace.link);
    let done = done.await.map_err(|error| match error {
        CallError::Http {
            error: HttpError::Deadline { .. },
            ..
        } => LoginError::TimedOut,
        error => of_call(&error),
    })?;
    let number = done["number"].as_str();
    Ok(number.map_or_else(|| "an account without a number".to_owned(), str::to_owned))
}

/// Runs `signal-cli link`. Returns the account's number.
async fn by_program(
    daemon: &Daemon,
    account: &str,
    device: &str,
    tell: Tell<'_>,
) -> Result<String, LoginError> {
    let mut child = daemon.link(device).spawn().map_err(|error| {
        let reason = format!("signal-cli cannot be started: {error}");
        LoginError::Unavailable {
            reason,
            advice: "install signal-cli 0.13 or newer, or set cliPath to where it is",
        }
    })?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        // Both are asked for.
        return Err(explained("signal-cli has no standard streams"));
    };
    let mut why = None;
    let said = |line: &str| {
        let line = without_codes(line);
        tracing::debug!(account, line, "signal: signal-cli says while it links");
        why = why.take().or_else(|| known(&line));
    };
    let (number, last) = tokio::join!(read(stdout, tell), relay(stderr, said));
    let status = timeout(GOODBYE, child.wait()).await;
    number.ok_or_else(|| {
        why.unwrap_or_else(|| {
            let status = match status {
                Ok(Ok(status)) => status.to_string(),
                _ => "it does not end".to_owned(),
            };
            let separator = if last.is_empty() { "" } else { ": " };
            explained(&format!("signal-cli link: {status}{separator}{last}"))
        })
    })
}

/// Reads what the program writes to its end: the code, and the number that was linked.
async fn read(mut stdout: tokio::process::ChildStdout, tell: Tell<'_>) -> Option<String> {
    const LINKED: &str = "Associated with:";
    let mut lines = Lines::new(LINE);
    let mut piece = vec![0; LINE];
    let mut number = None;
    loop {
        let size = stdout.read(&mut piece).await.unwrap_or(0);
        // The last line may have no end.
        let read = if size == 0 {
            &b"\n"[..]
        } else {
            &piece[..size]
        };
        for line in lines.push(read) {
            let line = String::from_utf8_lossy(&line);
            if let Some(code) = code(&line) {
                tell(LoginStep::Code(code));
            } else if let Some(linked) = line.trim().strip_prefix(LINKED) {
                number = Some(linked.trim().to_owned());
            }
        }
        if size == 0 {
            return number;
        }
    }
}

/// The code in a text, if it is nothing else.
fn code(text: &str) -> Option<LoginCode> {
    let text = text.trim();
    let is_code = (text.starts_with("sgnl://linkdevice?") || text.starts_with("tsdevice:/?"))
        && text.len() <= LINE
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_code.then(|| LoginCode::new(text))
}

fn no_daemon() -> LoginError {
    LoginError::Unavailable {
        reason: "signal-cli's daemon does not run at the address of httpUrl".to_owned(),
        advice: "start it with `signal-cli daemon --http 127.0.0.1:8080 --receive-mode on-connection`, or remove httpUrl \
                 so that signal-cli is started here",
    }
}

fn of_call(error: &CallError) -> LoginError {
    let text = without_codes(&error.to_string());
    match error {
        CallError::Refused { code: -32601, .. } => LoginError::Unavailable {
            reason: text,
            advice: "the daemon was started for one account alone, which cannot link others: start it without -a",
        },
        CallError::Elsewhere { .. } | CallError::Malformed { .. } => LoginError::Unavailable {
            reason: text,
            advice: "check httpUrl: something else answers there, or a signal-cli older than 0.13",
        },
        _ => explained(&text),
    }
}

/// A text without the codes in it: they are secrets while they last, wherever they are written.
fn without_codes(text: &str) -> String {
    let is_of_code = |word: &str| {
        let word = word.to_ascii_lowercase();
        ["linkdevice", "tsdevice:", "pub_key="]
            .iter()
            .any(|part| word.contains(part))
    };
    let words = text.split(' ');
    let words = words.map(|word| if is_of_code(word) { "(the code)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What a text of signal-cli means.
fn explained(text: &str) -> LoginError {
    let text = &without_codes(text);
    known(text).unwrap_or_else(|| LoginError::Unavailable {
        reason: escape(text).limit(REASON).to_string(),
        advice: "run `signal-cli link` by hand to see why",
    })
}

/// What a text of signal-cli means, if that is known.
fn known(text: &str) -> Option<LoginError> {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let reason = || escape(text).limit(REASON).to_string();
    if has(&["timed out", "TimeoutException"]) {
        return Some(LoginError::TimedOut);
    }
    if has(&["already exists"]) {
        return Some(LoginError::Refused {
            reason: reason(),
            advice: "signal-cli has this account already: `signal-cli listAccounts` names it. To link it anew, remove it \
                     with `signal-cli -a <number> deleteLocalAccountData`",
        });
    }
    let advice = if has(&["UnsupportedClassVersionError"]) {
        "its Java is too old: install Java 21 or newer, and let JAVA_HOME name it"
    } else if has(&[
        "JAVA_HOME",
        "no 'java' command",
        "java: not found",
        "java: command not found",
    ]) {
        "it finds no Java: install Java 21 or newer, or let JAVA_HOME name it"
    } else if has(&[
        "Link request error",
        "Connection closed",
        "UnknownHost",
        "Connection refused",
    ]) {
        "it does not reach Signal: this machine needs the network, and Signal's servers on port 443"
    } else if has(&["Config file is in use"]) {
        "another signal-cli uses the account: stop it, or set httpUrl to where its daemon listens"
    } else {
        return None;
    };
    Some(LoginError::Unavailable {
        reason: reason(),
        advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_addresses_of_signal() {
        for text in [
            "sgnl://linkdevice?uuid=a&pub_key=b",
            " tsdevice:/?uuid=a&pub_key=b\r",
        ] {
            assert_eq!(code(text).unwrap().expose(), text.trim());
        }
        for none in [
            "",
            "https://signal.org",
            "sgnl://linkdevice?a b",
            "sgnl://signal.group/#x",
        ] {
            assert_eq!(code(none), None, "{none}");
        }
        assert_eq!(
            code(&format!("sgnl://linkdevice?{}", "x".repeat(LINE))),
            None
        );
    }

    #[test]
    fn no_code_is_in_what_is_said() {
        for (text, shown) in [
            (
                "bad uri: sgnl://linkdevice?uuid=secret&pub_key=B, again",
                "bad uri: (the code) again",
            ),
            ("(tsdevice:/?uuid=secret&pub_key=B)", "(the code)"),
            ("uri=SGNL://LinkDevice?uuid=secret", "(the code)"),
            ("nothing  of it", "nothing  of it"),
        ] {
            assert_eq!(without_codes(text), shown);
            assert!(!explained(text).to_string().contains("secret"), "{text}");
        }
        let error = CallError::Refused {
            method: "finishLink",
            code: -32601,
            message: "sgnl://linkdevice?uuid=secret".to_owned(),
            outcome: None,
            after: None,
        };
        assert!(!format!("{:?}", of_call(&error)).contains("secret"));
    }

    #[test]
    fn what_signal_cli_says_is_named_with_what_to_do() {
        for (text, advice) in [
            (
                "Link request timed out, please try again.",
                "while it is shown",
            ),
            (
                "The user +15550000001 already exists\nDelete \"x\" before trying again.",
                "listAccounts",
            ),
            ("Link request error: Connection closed!", "network"),
            (
                "java.lang.UnsupportedClassVersionError: org/asamk/signal/Main",
                "Java 21",
            ),
            (
                "ERROR: JAVA_HOME is not set and no 'java' command could be found in your PATH.",
                "no Java",
            ),
            (
                "Config file is in use by another instance, waiting",
                "httpUrl",
            ),
            ("something else \u{1b}[31m", "by hand"),
        ] {
            let error = explained(text);
            assert!(error.advice().contains(advice), "{error:?}");
            assert!(!error.to_string().contains('\u{1b}'), "{error}");
        }
    }
}
