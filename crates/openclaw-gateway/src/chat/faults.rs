//! Notices to owners about parts of the gateway that do not work, and work again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::{Adapter, Outgoing};
use gateway_protocol::health::{FaultState, PartFault};
use pairing_core::Timestamp;

use super::{Commands, fit, tell};
use crate::budget::{Bucket, Rate};

/// At most six of these notices go out in an hour, however often a part fails and works again.
const NOTICES: Rate = Rate::new(3, Duration::from_secs(20 * 60));

/// What owners were told last.
#[derive(Debug, Default)]
pub(super) struct ToldFaults(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    faults: Faults,
    left: Bucket,
}

/// The state of each part that does not work, by its name.
type Faults = BTreeMap<(String, Option<String>), FaultState>;

impl Commands {
    /// Tells owners who asked for it what has begun and what has ended since they were told last, in one message. What
    /// cannot be told now is tried again at the next pass, with what is true then.
    pub(super) async fn tell_faults(&self) {
        let config = self.0.parts.settings.load().config.clone();
        let told = &self.0.told_faults;
        if !config.notify_faults {
            told.get().faults.clear();
            return;
        }
        let (found, now) = (self.0.parts.health.seen(), self.pairing().now());
        let Some(text) = told.news(&found, now) else {
            return;
        };
        let is_down = |adapter: &dyn Adapter| {
            let name = format!("{}:{}", adapter.channel(), adapter.account().as_str());
            let mut accounts = found.iter().filter(|fault| fault.part == "channel");
            accounts.any(|fault| fault.name.as_ref() == Some(&name))
        };
        let mut any = false;
        for place in self.owners(&config, |adapter| !is_down(adapter)).await {
            let what = Outgoing::text(fit(&*place.adapter, &text));
            match tell(&*place.adapter, &place.chat, &what).await {
                Ok(_) => any = true,
                Err(error) => tracing::debug!(
                    channel = %place.adapter.channel(), %error, "an owner cannot be told of the gateway's health"
                ),
            }
        }
        if any {
            told.get().faults = states(&found);
        } else {
            told.get().left.give_back(NOTICES);
        }
    }
}

impl ToldFaults {
    /// What there is to tell, if it may be told now.
    fn news(&self, found: &[PartFault], now: Timestamp) -> Option<String> {
        let mut told = self.get();
        let found_states = states(found);
        let begun = found.iter().filter(|fault| {
            told.faults.get(&(fault.part.clone(), fault.name.clone())) != Some(&fault.state)
        });
        let mut text = String::new();
        for PartFault {
            part,
            name,
            state,
            why,
            advice,
            ..
        } in begun
        {
            let named = Named(part, name.as_deref());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{named} is {}: {why}", state.as_str());
            if let Some(advice) = advice {
                let _ = writeln!(text, "→ {advice}");
            }
        }
        let ended = told.faults.keys();
        for (part, name) in ended.filter(|named| !found_states.contains_key(*named)) {
            let _ = writeln!(text, "{} works again", Named(part, name.as_deref()));
        }
        let is_news = !text.is_empty() && told.left.take(NOTICES, now);
        is_news.then(|| format!("The gateway's health:\n{}", text.trim_end()))
    }

    fn get(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part as it is named in a text.
struct Named<'f>(&'f str, Option<&'f str>);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1 {
            Some(name) => write!(f, "{} {name}", self.0),
            None => f.write_str(self.0),
        }
    }
}

fn states(found: &[PartFault]) -> Faults {
    let states = found
        .iter()
        .map(|fault| ((fault.part.clone(), fault.name.clone()), fault.state));
    states.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(part: &str, state: FaultState) -> PartFault {
        PartFault {
            part: part.to_owned(),
            name: None,
            state,
            why: "why".to_owned(),
            since_ms: 0,
            advice: None,
        }
    }

    #[test]
    fn owners_are_told_of_each_change_and_of_few_in_an_hour() {
        let told = ToldFaults::default();
        let (down, at) = (FaultState::Down, Timestamp::from_millis);
        let say = |found: &[PartFault], now| {
            let text = told.news(found, at(now))?;
            told.get().faults = states(found);
            Some(text.replace("The gateway's health:\n", ""))
        };
        assert_eq!(say(&[], 0), None);
        let disk = [fault("disk", FaultState::Degraded)];
        assert_eq!(say(&disk, 1).unwrap(), "disk is degraded: why");
        assert_eq!(say(&disk, 2), None);
        let worse = [fault("disk", down), fault("clock", down)];
        let text = say(&worse, 3).unwrap();
        assert_eq!(text, "disk is down: why\nclock is down: why");
        let text = say(&worse[1..], 4).unwrap();
        assert_eq!(text, "disk works again");
        // No more for now, whatever happens, then once for all of it.
        let mut messages = 0;
        for round in 0..3_600 {
            let flapping = [fault("feed", down)];
            let found = if round % 2 == 0 { &flapping[..] } else { &[] };
            messages += usize::from(say(found, 5 + round * 1000).is_some());
        }
        assert_eq!(messages, 2, "and three before");
    }
}
