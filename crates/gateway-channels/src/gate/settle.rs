//! What strangers said first, once there is an answer to their request.

use pairing_core::{Account, Admission, ApprovedSender, PairingCode, SenderId};

use super::{Gate, blocking};
use crate::By;
use crate::sift::Letter;

impl Gate {
    /// Looks whether those who wait have been approved since, whoever did it and wherever; before that, decides about what
    /// came while the store was away.
    pub(crate) async fn settle(&self) {
        self.make_good(None).await;
        for (sender, code) in self.held.waiting() {
            let (rules, asked) = (self.rules(), sender.clone());
            let looking = blocking(move || {
                // In this order: an approval ends the request and lets its sender in at once, so whoever was seen to wait no
                // more is seen to be in.
                let waits = waits(&rules.account, &asked, code)?;
                match rules.account.admit_sender(&asked).ok()? {
                    Admission::Approved(by) => Some(Some(by)),
                    Admission::Refused(_) if waits => None,
                    Admission::Refused(_) => Some(None),
                }
            });
            let settled = looking.await.flatten();
            // What was configured before the approval counts.
            let rules = self.rules();
            if !rules.hand_over_first || rules.is_blocked(&sender) {
                self.held.forget(&sender, code);
                continue;
            }
            match settled {
                Some(Some(by)) => {
                    if let Some(first) = self.held.take(&sender) {
                        self.hand_over(by, first).await;
                    }
                }
                Some(None) => self.held.forget(&sender, code),
                // It waits still, or that cannot be read now.
                None => {}
            }
        }
    }

    pub(super) async fn hand_over(&self, by: ApprovedSender, first: Letter) {
        self.count("handed-over");
        self.deliver(By::Direct(by), first).await;
    }
}

/// Whether this request is still pending; `None` if that cannot be read.
fn waits(account: &Account, sender: &SenderId, code: PairingCode) -> Option<bool> {
    let pending = account.pending().ok()?.requests;
    let mut pending = pending.iter();
    Some(pending.any(|request| request.sender == *sender && request.code == code))
}
