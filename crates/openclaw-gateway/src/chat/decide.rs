//! Approving and rejecting by a command or a button: exactly the request that is named.

use pairing_core::{Approver, DecisionError, DeviceError, PairingCode};

use super::asking::{PendingSubject, RequestRef};
use super::{Commands, STORE_FAILED, approver, chat_key, fit, store_failed};
use crate::words;
use channel_kit::{Pressed, SendError};
use gateway_channels::OwnerMessage;

/// Minimum length of a prefix of an id.
const FEWEST: usize = 4;

/// Maximum number of requests in a list.
const LISTED: usize = 10;

pub(super) const GONE: &str = "It waits no more: it was decided, replaced, or has expired.";

/// The outcome of a decision.
pub(super) enum Decided {
    Done(String),
    /// Another decision came first.
    Gone,
    Failed(String),
}

impl Commands {
    /// `/pair approve`: approves the request that came with this chat's setup code, and no other.
    pub(super) async fn approve_own(&self, owner: &OwnerMessage) -> String {
        let (chat, approver) = (chat_key(owner), approver(owner));
        let decided = self.at_store(move |commands| {
            let tokens = match commands.pairing().devices().pairing_tokens() {
                Ok(tokens) => tokens,
                Err(error) => return store_failed(&error.0),
            };
            let is_own = |hash| {
                let mut tokens = tokens.iter();
                tokens.any(|token| token.hash == hash && token.chat.as_ref() == Some(&chat))
            };
            let (all, failed) = commands.waiting();
            let own = |asking: &&PendingSubject| match asking {
                PendingSubject::Device(request) => request.pairing_token.is_some_and(is_own),
                PendingSubject::Sender(_) => false,
            };
            let found: Vec<_> = all.iter().filter(own).collect();
            match found.as_slice() {
                [one] => commands.decide(one, true, &approver).said(),
                [] if failed.is_some() => STORE_FAILED.to_owned(),
                [] => format!(
                    "Nothing that waits came with a setup code of this chat.\n\n{}",
                    commands.listed(all.iter())
                ),
                several => format!(
                    "Several came with setup codes of this chat: say which.\n\n{}",
                    commands.listed(several.iter().copied())
                ),
            }
        });
        decided.await.unwrap_or_else(|| STORE_FAILED.to_owned())
    }

    /// `/pair approve latest`: shows the newest request. It does not approve it, so that nobody gets in by
    /// asking last.
    pub(super) async fn preview(&self) -> String {
        let shown = self.at_store(|commands| {
            let (all, failed) = commands.waiting();
            let newest = all
                .iter()
                .find(|asking| matches!(asking, PendingSubject::Device(_)));
            match newest {
                Some(newest) => format!(
                    "{}\n\nNothing has been decided. If it is the one you mean:\n/pair approve {}",
                    described(newest),
                    newest.name()
                ),
                None if failed.is_some() => STORE_FAILED.to_owned(),
                None => "No device waits.".to_owned(),
            }
        });
        shown.await.unwrap_or_else(|| STORE_FAILED.to_owned())
    }

    /// `/pair approve <id>` and `/pair reject <id>`: decides about that request.
    pub(super) async fn decide_typed(
        &self,
        owner: &OwnerMessage,
        typed: &str,
        approve: bool,
    ) -> String {
        let (typed, approver) = (typed.to_owned(), approver(owner));
        let decided = self.at_store(move |commands| {
            let (all, failed) = commands.waiting();
            let found: Vec<_> = match all.iter().find(|asking| asking.is_named(&typed)) {
                Some(whole) => vec![whole],
                None => all.iter().filter(|asking| asking.may_be(&typed)).collect(),
            };
            match found.as_slice() {
                [one] => commands.decide(one, approve, &approver).said(),
                [] if failed.is_some() => STORE_FAILED.to_owned(),
                [] => format!(
                    "No request with this id waits ({FEWEST} characters of one will do).\n\n{}",
                    commands.listed(all.iter())
                ),
                several => format!(
                    "Several could be meant: give more of the id.\n\n{}",
                    commands.listed(several.iter().copied())
                ),
            }
        });
        decided.await.unwrap_or_else(|| STORE_FAILED.to_owned())
    }

    /// A button: decides about the request that it was made for, once.
    pub(super) async fn decide_pressed(&self, owner: &OwnerMessage, pressed: &Pressed) {
        let Some((approve, about)) = read_button(&pressed.data) else {
            return;
        };
        let (approver, wanted) = (approver(owner), about.clone());
        let decided = self.at_store(move |commands| {
            let (all, failed) = commands.waiting();
            match all.iter().find(|asking| asking.about() == wanted) {
                Some(asking) => commands.decide(asking, approve, &approver),
                None if failed.is_some() => Decided::Failed(STORE_FAILED.to_owned()),
                None => Decided::Gone,
            }
        });
        let text = match decided.await {
            Some(Decided::Done(said)) => said,
            Some(Decided::Gone) => self.what_became_of(&about).await,
            // The request is still pending, so the buttons stay.
            Some(Decided::Failed(why)) => {
                self.say(owner, &why).await;
                return;
            }
            None => return,
        };
        // All recorded messages about the request, and this one in any case.
        self.settle(&about, &text, Some((owner, pressed))).await;
        let text = fit(&*owner.adapter, &text);
        let replaced = owner
            .adapter
            .replace(&pressed.chat, &pressed.message, &text);
        match replaced.await {
            Ok(()) => {}
            Err(SendError::Unavailable { .. }) => {
                // It is tried again in the next passes.
                let (chat, message) = (&pressed.chat, pressed.message.clone());
                self.remember_at(&*owner.adapter, chat, about, String::new(), message)
                    .await;
            }
            Err(error) => tracing::warn!(%error, "notice not replaced by the decision"),
        }
    }

    /// `/pair pending`: lists pending requests.
    pub(super) async fn pending(&self) -> String {
        let listed = self.at_store(|commands| {
            let (all, failed) = commands.waiting();
            let listed = commands.listed(all.iter());
            match failed {
                Some(_) => format!("{listed}\n\nNot everything could be read; the log says why."),
                None => listed,
            }
        });
        listed.await.unwrap_or_else(|| STORE_FAILED.to_owned())
    }

    /// Decides, and ends the sessions that the decision ends.
    pub(super) fn decide(
        &self,
        asking: &PendingSubject,
        approve: bool,
        approver: &Approver,
    ) -> Decided {
        let done = match asking {
            PendingSubject::Device(request) => {
                let devices = self.pairing().devices();
                let done = if approve {
                    let settings = self.0.parts.settings.load();
                    let policy = &settings.config.gateway.node_commands;
                    let keep = |command: &str| !policy.denies(command);
                    let approved = devices.approve_commands(&request.id, &keep, approver);
                    approved.map(|device| {
                        // The approval may be for less than a session of the device has.
                        let devices = self.pairing().devices();
                        self.0
                            .parts
                            .clients
                            .end_sessions(&devices, device.id, None, None);
                    })
                } else {
                    devices.reject(&request.id, approver).map(drop)
                };
                done.map_err(|error| match error {
                    DeviceError::UnknownRequest => Decided::Gone,
                    DeviceError::Store(error) => Decided::Failed(store_failed(&error)),
                    error => Decided::Failed(format!("That did not work: {error}.")),
                })
            }
            PendingSubject::Sender(request) => {
                let Ok(channel) = self.pairing().channel_of(&request.channel) else {
                    return Decided::Gone;
                };
                let account = channel.account_of(request.account.clone());
                let done = if approve {
                    account.approve_code(request.code, approver).map(drop)
                } else {
                    account.reject(request.code.as_str(), approver).map(drop)
                };
                done.map_err(|error| match error {
                    DecisionError::NotFound { .. } | DecisionError::Expired { .. } => Decided::Gone,
                    DecisionError::Store(error) => Decided::Failed(store_failed(&error)),
                    error => Decided::Failed(format!("That did not work: {error}.")),
                })
            }
        };
        match done {
            Ok(()) => Decided::Done(asking.decided(approve, Some(approver.id()))),
            Err(failed) => failed,
        }
    }

    /// Lists pending requests, with the commands to decide about them.
    fn listed<'a>(&self, all: impl Iterator<Item = &'a PendingSubject>) -> String {
        let all: Vec<_> = all.collect();
        if all.is_empty() {
            return "Nobody waits.".to_owned();
        }
        let now = self.pairing().now();
        let shown = all.iter().take(LISTED).map(|asking| {
            let what = match asking {
                PendingSubject::Device(request) => words::ask(&request.ask),
                PendingSubject::Sender(_) => "to talk to the bot".to_owned(),
            };
            let when = asking
                .asked_at()
                .map(|at| format!(", {}", words::ago(now, at)));
            let (title, when) = (asking.title(), when.unwrap_or_default());
            format!(
                "{title}{when}\n  asks: {what}\n  /pair approve {}",
                asking.name()
            )
        });
        let shown: Vec<_> = shown.collect();
        let more = all.len().saturating_sub(LISTED);
        let more = if more == 0 {
            String::new()
        } else {
            format!("\n\nand {more} more")
        };
        format!("{}{more}", shown.join("\n\n"))
    }
}

impl Decided {
    pub(super) fn said(self) -> String {
        match self {
            Self::Done(said) | Self::Failed(said) => said,
            Self::Gone => GONE.to_owned(),
        }
    }
}

impl PendingSubject {
    fn is_named(&self, typed: &str) -> bool {
        matches!(self, Self::Device(request) if request.id.as_str().eq_ignore_ascii_case(typed))
    }

    /// A text that is both a code and a prefix of an id names neither.
    fn may_be(&self, typed: &str) -> bool {
        match self {
            Self::Device(request) => {
                let start = request.id.as_str().get(..typed.len());
                typed.len() >= FEWEST
                    && start.is_some_and(|start| start.eq_ignore_ascii_case(typed))
            }
            Self::Sender(request) => PairingCode::parse(typed) == Ok(request.code),
        }
    }
}

/// Describes a request in full: the device or sender, and everything that it asks for.
pub(super) fn described(asking: &PendingSubject) -> String {
    let mut lines = vec![format!("{} asks to", asking.title()), asking.rights()];
    lines.extend(asking.source());
    lines.join("\n")
}

/// The data of a button; `None` if it does not fit.
pub(super) fn button(approve: bool, about: &RequestRef) -> Option<String> {
    let data = format!("pair:{}:{about}", if approve { 'a' } else { 'r' });
    Some(data).filter(|data| data.len() <= 64)
}

fn read_button(data: &str) -> Option<(bool, RequestRef)> {
    let (approve, about) = match data.split_at_checked(7)? {
        ("pair:a:", about) => (true, about),
        ("pair:r:", about) => (false, about),
        _ => return None,
    };
    let about = RequestRef::try_from(about.to_owned()).ok()?;
    (!matches!(about, RequestRef::Code(_))).then_some((approve, about))
}
