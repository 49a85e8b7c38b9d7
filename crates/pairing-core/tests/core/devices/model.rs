//! Random histories of two devices: a token that has ended never admits again, and a valid one always
//! admits its own device for its own role.

use proptest::prelude::*;

use super::*;

const ROLES: [(&str, &[&str]); 2] = [("node", &[]), ("operator", &["operator.read"])];

#[derive(Debug, Clone, Copy)]
enum Event {
    /// Connects with the gateway's secret; if the owner has to be asked, the owner approves.
    Pair,
    /// Connects with its token, if it has one.
    Return,
    Rotate,
    Revoke,
    Remove,
    Wait(u16),
}

/// The tokens that one device received for one role; only the last may be valid.
#[derive(Default)]
struct Tokens {
    live: Option<SecretToken>,
    ended: Vec<SecretToken>,
}

impl Tokens {
    fn given(&mut self, token: Option<SecretToken>) {
        if token.is_some() {
            self.end();
            self.live = token;
        }
    }

    fn end(&mut self) {
        self.ended.extend(self.live.take());
    }
}

fn events() -> impl Strategy<Value = Vec<(usize, usize, Event)>> {
    let event = prop_oneof![
        3 => Just(Event::Pair),
        3 => Just(Event::Return),
        1 => Just(Event::Rotate),
        1 => Just(Event::Revoke),
        1 => Just(Event::Remove),
        2 => (0..2000u16).prop_map(Event::Wait),
    ];
    proptest::collection::vec((0..2usize, 0..2usize, event), 1..40)
}

fn live(events: &[(usize, usize, Event)]) {
    let gateway = gateway();
    let phones = [phone(1), phone(2)];
    // Signed only once, since signatures are not randomised here.
    let asks = phones
        .each_ref()
        .map(|phone| ROLES.map(|(role, scopes)| phone.asks(&gateway, role, scopes)));
    let mut tokens: [[Tokens; 2]; 2] = Default::default();
    for &(who, what, event) in events {
        let (phone, asked) = (&phones[who], &asks[who][what]);
        let decided = role_of(ROLES[what].0);
        match event {
            Event::Pair => {
                if let Connection::Asked(asked) = gateway.connect(asked) {
                    gateway
                        .devices
                        .approve(&asked.request.id, &owner())
                        .unwrap();
                }
                let (_, minted) = admitted(gateway.connect(asked));
                tokens[who][what].given(minted);
            }
            Event::Return => {
                if let Some(token) = tokens[who][what].live.clone() {
                    let (_, minted) = admitted(gateway.with_token(asked, &token).unwrap());
                    tokens[who][what].given(minted);
                }
            }
            Event::Rotate => {
                if gateway
                    .devices
                    .rotate(phone.id(), decided, None, &owner())
                    .is_ok()
                {
                    tokens[who][what].end();
                }
            }
            Event::Revoke => {
                if gateway
                    .devices
                    .revoke(phone.id(), decided, &owner())
                    .is_ok()
                {
                    tokens[who][what].end();
                }
            }
            Event::Remove => {
                if gateway.devices.remove(phone.id(), &owner()).is_ok() {
                    tokens[who].iter_mut().for_each(Tokens::end);
                }
            }
            Event::Wait(millis) => gateway.clock.advance(Duration::from_millis(millis.into())),
        }
        check(&gateway, &asks, &tokens, event);
    }
}

fn check(gateway: &Gateway, asks: &[[Connecting; 2]; 2], tokens: &[[Tokens; 2]; 2], event: Event) {
    for (owner, of_owner) in tokens.iter().enumerate() {
        for (role_given, given) in of_owner.iter().enumerate() {
            for (who, connections) in asks.iter().enumerate() {
                for (what, asked) in connections.iter().enumerate() {
                    for token in &given.ended {
                        assert!(
                            is_refused(gateway.with_token(asked, token)),
                            "after {event:?}"
                        );
                    }
                    let elsewhere = (owner, role_given) != (who, what);
                    if let (Some(token), true) = (&given.live, elsewhere) {
                        assert!(
                            is_refused(gateway.with_token(asked, token)),
                            "after {event:?}"
                        );
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn t9_a_token_that_has_ended_never_admits_again(events in events()) {
        live(&events);
    }
}
