//! Every history of a few steps, in a small world: one device that wants in, one owner, and one approver who holds little.
//!
//! - Nobody is admitted, or given a token, beyond what was approved for them.
//! - A token that was ended never admits again, once that was acknowledged.
//! - No approver hands out what they do not hold.

use super::*;
use pairing_core::device::SetupProfile;

/// What can happen. Each history has any of these at any place.
const STEPS: [Step; 11] = [
    Step::Ask(0),
    Step::Ask(1),
    Step::AskWithCode,
    Step::Approve(By::Owner),
    Step::Approve(By::Keeper),
    Step::Reject,
    Step::Revoke,
    Step::Rotate,
    Step::Remove,
    Step::Return,
    Step::Wait,
];

/// Number of steps of the longest histories; shorter ones are their beginnings.
const LENGTH: u32 = 4;

const ASKS: [&[&str]; 2] = [&["operator.read"], &["operator.admin"]];

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Connects with the gateway's secret, for these scopes.
    Ask(usize),
    /// Connects with a setup code.
    AskWithCode,
    Approve(By),
    Reject,
    Revoke,
    Rotate,
    Remove,
    /// Connects with the newest token that it was given.
    Return,
    Wait,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Owner,
    Keeper,
}

/// The connections of the device, signed once for all histories.
struct Signed {
    phone: Phone,
    asks: [Connecting; 2],
    keeper: Connecting,
}

/// One history, and what it should have led to.
struct World<'a> {
    signed: &'a Signed,
    gateway: Gateway,
    code: SecretToken,
    keeper: Approver,
    /// The scopes that were approved; `None` where nothing is.
    approved: Option<ScopeSet>,
    live: Option<SecretToken>,
    ended: Vec<SecretToken>,
}

const KEEPER: &[&str] = &["operator.pairing", "operator.read"];

impl<'a> World<'a> {
    fn new(signed: &'a Signed) -> Self {
        let gateway = gateway();
        let (_, request) = asked(gateway.connect(&signed.keeper));
        gateway.devices.approve(&request.id, &owner()).unwrap();
        let (device, _) = admitted(gateway.connect(&signed.keeper));
        let issued = gateway
            .devices
            .issue_pairing_token(SetupProfile::Limited, None, &owner());
        Self {
            signed,
            code: issued.unwrap().0,
            gateway,
            keeper: Approver::device(&device),
            approved: None,
            live: None,
            ended: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        let devices = &self.gateway.devices;
        let id = self.signed.phone.id();
        match step {
            Step::Ask(which) => {
                let connection = self.gateway.connect(&self.signed.asks[which]);
                self.came(connection);
            }
            Step::AskWithCode => {
                let connection = self.gateway.with_code(&self.signed.asks[0], &self.code);
                if let Ok(connection) = connection {
                    self.came(connection);
                }
            }
            Step::Return => {
                if let Some(token) = self.live.clone() {
                    let connection = self.gateway.with_token(&self.signed.asks[0], &token);
                    self.came(connection.expect("a live token admits"));
                }
            }
            Step::Approve(by) => {
                let pending = self.gateway.pending();
                let Some(request) = pending.iter().find(|request| request.device == id) else {
                    return;
                };
                let approver = match by {
                    By::Owner => owner(),
                    By::Keeper => self.keeper.clone(),
                };
                let approved = devices.approve(&request.id, &approver);
                assert!(by == By::Keeper || approved.is_ok(), "an owner may");
                if approved.is_ok() {
                    let may = by == By::Owner || scopes(KEEPER).covers(&request.ask.scopes);
                    assert!(may, "{by:?} gave {:?}", request.ask);
                    let before = self.approved.take().unwrap_or_default();
                    self.approved = Some(before.union(&request.ask.scopes));
                }
            }
            Step::Reject => {
                for request in self.gateway.pending() {
                    devices.reject(&request.id, &owner()).unwrap();
                }
            }
            Step::Revoke => {
                if devices.revoke(id, Role::Operator, &owner()).is_ok() {
                    self.end();
                    self.approved = None;
                }
            }
            Step::Rotate => {
                if devices.rotate(id, Role::Operator, None, &owner()).is_ok() {
                    self.end();
                }
            }
            Step::Remove => {
                if devices.remove(id, &owner()).is_ok() {
                    self.end();
                    self.approved = None;
                }
            }
            Step::Wait => self.gateway.wait(301),
        }
    }

    fn end(&mut self) {
        self.ended.extend(self.live.take());
    }

    fn came(&mut self, connection: Connection) {
        if matches!(connection, Connection::Asked(_)) {
            return;
        }
        let (device, token) = admitted(connection);
        let approved = self
            .approved
            .as_ref()
            .expect("admitted without an approval");
        assert!(approved.covers(device.scopes()), "{:?}", device.scopes());
        if token.is_some() {
            self.end();
            self.live = token;
        }
    }

    /// What has to hold after every step.
    fn check(&self) {
        for token in &self.ended {
            let came = self.gateway.with_token(&self.signed.asks[0], token);
            assert!(is_refused(came), "an ended token admits");
        }
        let paired = self.gateway.paired(&self.signed.phone);
        let standing = paired
            .as_ref()
            .and_then(|device| device.standing(Role::Operator));
        let stored = standing.map(|role| &role.scopes);
        assert_eq!(stored, self.approved.as_ref());
    }
}

#[test]
fn every_history_of_a_few_steps_keeps_what_was_promised() {
    let gateway = gateway();
    let phone = phone(1);
    let signed = Signed {
        asks: ASKS.map(|scopes| phone.asks(&gateway, "operator", scopes)),
        keeper: super::phone(2).asks(&gateway, "operator", KEEPER),
        phone,
    };
    let mut admitted = 0_u32;
    for number in 0..STEPS.len().pow(LENGTH) {
        let steps = (0..LENGTH).map(|place| STEPS[number / STEPS.len().pow(place) % STEPS.len()]);
        let steps: Vec<_> = steps.collect();
        // Before the device has asked there is nothing that anything else could change.
        if !matches!(steps[0], Step::Ask(_) | Step::AskWithCode) {
            continue;
        }
        let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut world = World::new(&signed);
            for step in &steps {
                world.take(*step);
                world.check();
            }
            world.live.is_some() || !world.ended.is_empty()
        }));
        let had_token = walked.unwrap_or_else(|_| panic!("{steps:?}"));
        admitted += u32::from(had_token);
    }
    // Otherwise none of this would say anything.
    assert!(admitted > 100, "{admitted}");
}
