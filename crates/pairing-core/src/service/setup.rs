//! Setup codes: issuing, listing and ending them.

use super::transact::{list, transact};
use super::{DeviceError, Devices, ListError};
use crate::device::{PairingToken, SecretToken, SetupProfile, TokenHash};
use crate::dm::Decision;
use crate::store::{Change, Record};
use crate::{Approver, AuditAction, AuditEvent, AuditSubject, Key, Range};

impl Devices {
    /// Issues the pairing token of a setup code. It is valid for 10 minutes and one device, and only for
    /// the roles and scopes of the profile.
    pub fn issue_pairing_token(
        &self,
        profile: SetupProfile,
        chat: Option<&str>,
        approver: &Approver,
    ) -> Result<(SecretToken, PairingToken), DeviceError> {
        let ask = profile.ask();
        approver.may_deal(&ask.roles, &ask.scopes)?;
        let (secret, now) = (SecretToken::generate(self.0.entropy())?, self.0.now());
        let token = PairingToken {
            hash: TokenHash::of(&secret),
            profile,
            issued_at: now,
            expires_at: now + self.limits().pairing_token_lifetime,
            chat: chat.map(str::to_owned),
            device: None,
            unclaimed: std::collections::BTreeSet::new(),
        };
        transact(self.0.store(), |tx| {
            // Expired tokens are deleted whenever a new one is issued.
            let over = tx.pairing_tokens()?.into_iter();
            let over = over.filter(|token| token.expires_at <= now);
            let mut changes: Vec<_> = over
                .map(|token| Change::Delete(Key::PairingToken { hash: token.hash }))
                .collect();
            changes.push(Change::Put(Record::from(token.clone())));
            Ok::<_, DeviceError>(Decision {
                changes,
                outcome: (),
            })
        })?;
        let chat = token.chat.clone();
        let subject = AuditSubject::Bearer { chat };
        let mut event = AuditEvent::new(now, AuditAction::Issued, approver, subject);
        event.scopes = Some(ask.scopes);
        self.0.audit(&event);
        Ok((secret, token))
    }

    /// Returns the setup codes that have not expired.
    pub fn pairing_tokens(&self) -> Result<Vec<PairingToken>, ListError> {
        let (records, _) = list(self.0.store(), &Range::PairingTokens)?;
        let tokens = records.iter().filter_map(|r| r.as_pairing_token().cloned());
        let now = self.0.now();
        Ok(tokens.filter(|token| now < token.expires_at).collect())
    }

    /// Ends a setup code before it expires. Returns `false` if there is no such code.
    pub fn end_pairing_token(
        &self,
        hash: TokenHash,
        approver: &Approver,
    ) -> Result<bool, DeviceError> {
        approver.may_pair()?;
        transact(self.0.store(), |tx| {
            let token = tx.pairing_token(hash)?;
            Ok(match token {
                Some(_) => Decision {
                    changes: vec![Change::Delete(Key::PairingToken { hash })],
                    outcome: true,
                },
                None => Decision::unchanged(false),
            })
        })
    }

    /// Deletes setup codes and requests that have expired, which would otherwise be deleted with the next
    /// new ones. Returns their number.
    pub fn clean_up(&self) -> Result<usize, DeviceError> {
        transact(self.0.store(), |tx| {
            let now = self.0.now();
            let tokens = tx.pairing_tokens()?.into_iter();
            let tokens = tokens.filter(|token| token.expires_at <= now);
            let tokens = tokens.map(|token| Key::PairingToken { hash: token.hash });
            let requests = tx.device_requests()?.into_iter();
            let requests = requests.filter(|request| request.is_expired(self.limits(), now));
            let requests = requests.map(|request| Key::DeviceRequest {
                device: request.device,
            });
            let changes: Vec<_> = tokens.chain(requests).map(Change::Delete).collect();
            Ok(Decision {
                outcome: changes.len(),
                changes,
            })
        })
    }
}
