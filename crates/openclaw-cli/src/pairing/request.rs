//! `openclaw pairing request`: stands in for a chat adapter.

use pairing_core::{Account, Created, DmPolicy, Refusal, Requested, Sender, escape};

use super::{Call, Place};
use crate::args::Asking;
use crate::backend::Files;
use crate::console::Screen;
use crate::{Exit, Failure, json, text};

impl Call {
    pub(super) fn request(
        &self,
        files: &Files,
        account: &Account,
        asking: &Asking,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let (channel, id) = (account.channel().id(), account.id());
        if let Some(fault) = self.config.account(channel, id).closed_by() {
            return Err(Failure::Closed(fault.clone()));
        }
        if self.is_blocked(channel, id, &asking.sender) {
            if self.json {
                screen.json(&json::Asked {
                    channel,
                    account: id,
                    status: "blocked",
                    id: &asking.sender,
                    code: None,
                    expires_at: None,
                    reply: None,
                })?;
            }
            screen.note(format_args!(
                "blocked: {} is on blockFrom of {}; no reply is sent",
                escape(&asking.sender).limit(64),
                Place(channel, id),
            ));
            return Ok(Exit::Refused);
        }
        let pairs = asking.meta.iter();
        let sender = pairs.fold(Sender::new(&asking.sender), |sender, (key, value)| {
            sender.with(key, value)
        });
        let requested = account.request_or_reuse(sender)?;
        if self.json {
            answer(files, account, asking, &requested, screen)?;
        }
        let place = Place(account.channel().id(), account.id());
        let now = files.service.now();
        match requested {
            Requested::Created(Created { reply, .. }) => {
                if !self.json {
                    // An id may contain characters that the channel allows and a terminal should not get.
                    for line in reply.lines() {
                        screen.line(escape(line).limit(usize::MAX))?;
                    }
                }
            }
            Requested::Pending(request) => {
                let since = request
                    .created_at
                    .map_or_else(String::new, |at| text::ago(now, at));
                screen.note(format_args!(
                    "pending: {place} request of {} was made {since}; the sender has the code, no reply is sent",
                    escape(request.sender.as_str()),
                ));
            }
            Requested::Allowed(sender) => screen.note(format_args!(
                "allowed: {} may talk to {place} already; no reply is sent",
                escape(sender.sender().as_str()),
            )),
            Requested::Full => {
                screen.note(format_args!(
                    "full: {} are pending for {place}, which is the most; no reply is sent",
                    text::count(files.service.limits().max_pending as u64, "request"),
                ));
                screen.hint(&format!(
                    "approve or reject one of `openclaw pairing list {}`",
                    account.channel().id()
                ));
                return Ok(Exit::Refused);
            }
            Requested::NotOffered(Refusal { policy }) => {
                screen.note(format_args!(
                    "not offered: under the dmPolicy {} of {place}, strangers are not offered a code; no reply is sent",
                    policy.as_str(),
                ));
                screen.hint(if policy == DmPolicy::Disabled {
                    "set `dmPolicy` to `pairing` in openclaw.json"
                } else {
                    "let the sender in by `allowFrom` in openclaw.json, or set `dmPolicy` to `pairing`"
                });
                return Ok(Exit::Refused);
            }
            _ => return Ok(Exit::Refused),
        }
        Ok(Exit::Done)
    }
}

fn answer(
    files: &Files,
    account: &Account,
    asking: &Asking,
    requested: &Requested,
    screen: &mut Screen<'_, '_>,
) -> Result<(), Failure> {
    let (status, request, reply) = match requested {
        Requested::Created(created) => (
            "created",
            Some(&created.request),
            Some(created.reply.as_str()),
        ),
        Requested::Pending(request) => ("pending", Some(request), None),
        Requested::Full => ("full", None, None),
        Requested::Allowed(_) => ("allowed", None, None),
        _ => ("not-offered", None, None),
    };
    let sender = account.channel().rules().sender(&asking.sender);
    screen.json(&json::Asked {
        channel: account.channel().id(),
        account: account.id(),
        status,
        id: sender
            .as_ref()
            .map_or(asking.sender.as_str(), |id| id.as_str()),
        code: request.map(|request| request.code),
        expires_at: request.and_then(|request| request.expires_at(files.service.limits())),
        reply,
    })?;
    Ok(())
}
