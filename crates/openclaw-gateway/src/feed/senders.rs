//! Events about requests of senders.

use std::collections::BTreeMap;

use gateway_protocol::dm::DmRequest;
use gateway_protocol::event::{self, Decision, DmResolved};
use pairing_core::ChannelId;
use pairing_core::store::PendingRequest;

use super::{Feed, News, SenderKey, label, outcome};
use crate::sessions::Session;

impl Feed<'_> {
    pub(super) fn senders(
        &mut self,
        channel: &ChannelId,
        requests: Vec<PendingRequest>,
        tell: bool,
    ) {
        let now: BTreeMap<_, _> = requests
            .into_iter()
            .map(|request| (place(&request), request))
            .collect();
        let mut before = BTreeMap::new();
        self.seen.senders.retain(|place, request| {
            let is_of_this = place.0 == *channel;
            if is_of_this {
                before.insert(place.clone(), request.clone());
            }
            !is_of_this
        });
        if tell {
            // A sender who asks again after the end of a request has another code.
            let goes_on = |of: &BTreeMap<SenderKey, PendingRequest>,
                           place: &SenderKey,
                           request: &PendingRequest| {
                of.get(place)
                    .is_some_and(|other| other.code == request.code)
            };
            let mut unknown = BTreeMap::new();
            for (place, gone) in before
                .iter()
                .filter(|(place, gone)| !goes_on(&now, place, gone))
            {
                match outcome::of_sender(&self.parts.pairing, gone) {
                    Ok(decision) => self.sender_resolved(gone, decision),
                    Err(_) => drop(unknown.insert(place.clone(), gone.clone())),
                }
            }
            // How these ended is told once the store can be read.
            if !unknown.is_empty() {
                self.stale.channel(channel.clone(), false);
            }
            self.seen.senders.extend(unknown);
            for (_, new) in now
                .iter()
                .filter(|(place, new)| !goes_on(&before, place, new))
            {
                self.parts.metrics.requested("dm");
                self.news(News::Asks);
                let request = DmRequest::new(new, self.parts.pairing.limits());
                self.tell(event::DM_REQUESTED, &request, Session::may_see_senders);
            }
        }
        self.seen.senders.extend(now);
    }

    fn sender_resolved(&self, gone: &PendingRequest, decision: Decision) {
        self.parts.metrics.decided("dm", label(decision));
        self.news(News::Sender(Box::new(gone.clone()), decision));
        let resolved = DmResolved {
            channel: gone.channel.clone(),
            account_id: gone.account.clone(),
            id: gone.sender.clone(),
            decision,
            ts: self.now(),
        };
        self.tell(event::DM_RESOLVED, &resolved, Session::may_see_senders);
    }
}

fn place(request: &PendingRequest) -> SenderKey {
    (
        request.channel.clone(),
        request.account.clone(),
        request.sender.clone(),
    )
}
