//! Linking an account of a chat system by a code: `channels.login.start`, `.wait` and `.end`; and logging it out:
//! `channels.logout`.

use std::fmt;

use pairing_core::{AccountId, ChannelId};
use serde::{Deserialize, Serialize};

use crate::Text;

/// The parameters of `channels.login.start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginStartParams {
    /// The channel.
    pub channel: ChannelId,
    /// The account; the default account unless it is named.
    #[serde(default)]
    pub account_id: AccountId,
}

/// The parameters of `channels.logout`.
pub type LogoutParams = LoginStartParams;

/// The answer to `channels.logout`. The other program's releases know the first three members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedOut {
    /// The channel.
    pub channel: ChannelId,
    /// The account.
    pub account_id: AccountId,
    /// Whether the account was logged in until now.
    pub cleared: bool,
    /// Whether it is logged out now.
    #[serde(default)]
    pub logged_out: bool,
    /// The account's name on the chat system; escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Something that is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// The parameters of `channels.login.wait`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginWaitParams {
    /// The login, as `channels.login.start` names it.
    pub login_id: Text,
    /// The step that the caller knows already: it waits for a later one.
    #[serde(default)]
    pub after: u64,
    /// How long to wait, in milliseconds; 20 seconds by default, and 60 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The parameters of `channels.login.end`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginEndParams {
    /// The login.
    pub login_id: Text,
}

/// The answer to `channels.login.end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginEnded {
    /// Whether the login was still known.
    pub ended: bool,
}

/// How far a login is: the answer to `channels.login.start` and `.wait`.
///
/// `code` and `qr` are a secret for as long as the login lasts: whoever uses them can link the account. `Debug` does not
/// show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginProgress {
    /// The name of the login.
    pub login_id: String,
    /// Grows with each change.
    pub step: u64,
    /// How far it is.
    pub state: LoginState,
    /// Where the code is scanned or typed, for a person.
    pub how: String,
    /// The text to scan or to type, in the state `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The rows of its QR code without a border; `1` is a dark module. A code that is typed has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qr: Option<Vec<String>>,
    /// The account that was linked, by its name on the chat system; escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_as: Option<String>,
    /// Something that is left to do after linking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Why it has failed; escaped and without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How far a login is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LoginState {
    /// The chat system is asked for a code.
    #[default]
    Preparing,
    /// There is a code to scan, or to type.
    Code,
    /// The code was scanned or typed, and the account is being set up.
    Scanned,
    /// The account is linked. This is the end.
    Linked,
    /// It has failed. This is the end.
    Failed,
    /// A state of a newer gateway.
    #[serde(other)]
    Unknown,
}

impl LoginProgress {
    /// A login that has just begun.
    pub fn new(login_id: impl Into<String>, how: impl Into<String>) -> Self {
        Self {
            login_id: login_id.into(),
            step: 1,
            state: LoginState::default(),
            how: how.into(),
            code: None,
            qr: None,
            linked_as: None,
            remark: None,
            error: None,
            advice: None,
        }
    }

    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        matches!(self.state, LoginState::Linked | LoginState::Failed)
    }
}

impl fmt::Debug for LoginProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginProgress")
            .field("login_id", &self.login_id)
            .field("step", &self.step)
            .field("state", &self.state)
            .field("linked_as", &self.linked_as)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_have_defaults_and_are_checked() {
        let start: LoginStartParams =
            serde_json::from_value(json!({ "channel": "signal" })).unwrap();
        assert!(start.account_id.is_default());
        let wait: LoginWaitParams = serde_json::from_value(json!({ "loginId": "1" })).unwrap();
        assert_eq!((wait.after, wait.timeout_ms), (0, None));
        for wrong in [json!({}), json!({ "channel": "signal", "force": true })] {
            assert!(serde_json::from_value::<LoginStartParams>(wrong).is_err());
        }
    }

    #[test]
    fn a_code_is_not_shown() {
        let mut progress = LoginProgress::new("1", "on the phone");
        progress.state = LoginState::Code;
        progress.code = Some("hunter2".to_owned());
        progress.qr = Some(vec!["101".to_owned()]);
        let shown = format!("{progress:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("101"),
            "{shown}"
        );
        let written = serde_json::to_value(&progress).unwrap();
        assert_eq!(
            written,
            json!({ "loginId": "1", "step": 1, "state": "code", "how": "on the phone", "code": "hunter2",
                    "qr": ["101"] })
        );
        assert_eq!(
            serde_json::from_value::<LoginProgress>(written).unwrap(),
            progress
        );
    }
}
