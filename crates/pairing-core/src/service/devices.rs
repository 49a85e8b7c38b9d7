//! Devices: connections, pending requests and paired devices.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::transact::{Listed, Transaction, list, list_at_once, transact};
use super::{ConnectError, DeviceError, ListError, Pairing};
use crate::device::{
    self, Asked, AuthenticatedDevice, Connected, Connecting, Credential, Device, DeviceId,
    DeviceLimits, DeviceRequest, Drawn, Known, MintedToken, RequestId, Role, Rotated, Scene,
    SecretToken, TokenHash,
};
use crate::dm::Decision;
use crate::store::{Change, Problem, Read, Record};
use crate::{
    Approver, AuditAction, AuditEvent, AuditSubject, Key, Range, ScopeSet, StoreError, Timestamp,
};

/// The devices of a [`Pairing`].
#[derive(Debug, Clone)]
pub struct Devices(pub(super) Pairing);

/// The result of a connection.
#[derive(Debug)]
pub enum Connection {
    /// The device is paired for everything that it asks for.
    Admitted {
        /// Proof that the device is paired.
        device: AuthenticatedDevice,
        /// A new device token, to be delivered with this answer. If `None`, the device keeps its present
        /// token.
        minted: Option<MintedToken>,
        /// The commands that it may be sent now: those that it declares and that have been approved.
        /// Later, use [`Devices::commands`].
        commands: BTreeSet<String>,
        /// The pending request for the rest of the commands that it declares. Notify the owners if it
        /// `is_new`, and keep it alive with [`Devices::hold`] while the device stays connected.
        asked: Option<Box<Asked>>,
    },
    /// The owner has to approve the device, and a request is pending.
    Asked(Box<Asked>),
}

/// Pending requests and paired devices, newest first.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeviceList {
    /// Requests that have not expired.
    pub pending: Vec<DeviceRequest>,
    /// Approved devices.
    pub paired: Vec<Device>,
    /// Stored data that could not be understood.
    pub problems: Vec<Problem>,
}

/// Last uses that have not been written to the store yet.
pub(super) type Uses = HashMap<(DeviceId, Role), Timestamp>;

/// Maximum number of uses written in one commit.
const FLUSH_AT_ONCE: usize = 50;

impl Pairing {
    /// Returns a handle to the devices.
    pub fn devices(&self) -> Devices {
        Devices(self.clone())
    }
}

impl Devices {
    /// Decides about a connection that has proven its key: admits it, with a token if one is due, or asks
    /// the owner. Runs for every connection. Makes one commit, or none if nothing changes; its cost does
    /// not grow with the number of paired devices.
    pub fn connect(
        &self,
        connecting: &Connecting,
        credential: Credential<'_>,
    ) -> Result<Connection, ConnectError> {
        let (pairing, limits) = (&self.0, self.limits());
        let drawn = Drawn {
            token: SecretToken::generate(pairing.entropy())?,
            request: RequestId::generate(pairing.entropy())?,
        };
        let connected = transact(pairing.store(), |tx| {
            let now = pairing.now();
            let known = read_known(tx, connecting.device(), credential)?;
            let bound = device::authenticate(connecting, credential, &known, limits, now)?;
            let scene = |waiting| Scene {
                connecting,
                credential,
                bound: bound.clone(),
                known: &known,
                waiting,
                drawn: &drawn,
                limits,
                now,
            };
            let decision = device::decide(&scene(&[]));
            if decision.outcome.is_new_request() {
                let is_refused = matches!(decision.outcome, Connected::Asked(_));
                if is_refused && !connecting.may_ask(credential) {
                    return Err(ConnectError::TooManyRequests);
                }
                return Ok(device::decide(&scene(&tx.device_requests()?)));
            }
            Ok::<_, ConnectError>(decision)
        })?;
        Ok(match connected {
            Connected::Admitted {
                minted,
                commands,
                asked,
                silently,
            } => {
                if let Some(by) = silently {
                    self.audit(AuditAction::Approved, &by, connecting.device(), |event| {
                        event.role = Some(connecting.role());
                        event.scopes = Some(connecting.scopes().clone());
                        event.commands = named(connecting.commands());
                    });
                }
                Connection::Admitted {
                    device: AuthenticatedDevice {
                        id: connecting.device(),
                        role: connecting.role(),
                        scopes: connecting.scopes().clone(),
                        token: session_token(credential, minted.as_ref()),
                    },
                    minted,
                    commands,
                    asked,
                }
            }
            Connected::Asked(asked) => Connection::Asked(asked),
        })
    }

    /// Whether the approval and the token that admitted a connection are still valid. Call it after
    /// registering the session, so that a later revocation finds the session.
    pub fn still_holds(&self, device: &AuthenticatedDevice) -> Result<bool, ListError> {
        let key = Key::Device { device: device.id };
        Ok(holds(device, &self.0.store().read(&key)?))
    }

    /// Does the same as [`still_holds`](Self::still_holds), if the store can tell
    /// [at once](crate::PairingStore::read_at_once); otherwise returns `None`.
    pub fn still_holds_at_once(&self, device: &AuthenticatedDevice) -> Option<bool> {
        let key = Key::Device { device: device.id };
        let read = self.0.store().read_at_once(&key)?;
        Some(holds(device, &read))
    }

    /// Returns the commands approved for a node, to be checked together with its declared commands at
    /// each invocation; empty if it has never declared any. Returns `None` if the device is not a node,
    /// or no longer one. Reads one record.
    pub fn commands(&self, device: DeviceId) -> Result<Option<BTreeSet<String>>, ListError> {
        let read = self.0.store().read(&Key::Device { device })?;
        let stored = read.record.as_ref().and_then(|record| record.as_device());
        let node = stored.and_then(|stored| stored.standing(Role::Node));
        Ok(node.map(|node| node.commands.clone().unwrap_or_default()))
    }

    /// Keeps the request of a connected device from expiring. Call it at least twice per lifetime of a
    /// request; it writes at most once a minute. Returns `false` if no request is pending.
    pub fn hold(&self, device: &AuthenticatedDevice) -> Result<bool, DeviceError> {
        transact(self.0.store(), |tx| {
            let request = tx.device_request(device.id)?;
            let held = request.map(|request| device::hold(&request, self.limits(), self.0.now()));
            Ok(held.unwrap_or_else(|| Decision::unchanged(false)))
        })
    }

    /// Returns the requests and devices that this approver may see: all of them or, for a device without
    /// admin, its own.
    pub fn list(&self, viewer: &Approver) -> Result<DeviceList, ListError> {
        let pending = list(self.0.store(), &Range::DeviceRequests)?;
        let paired = list(self.0.store(), &Range::Devices)?;
        Ok(self.listed(viewer, pending, paired))
    }

    /// Does the same as [`list`](Self::list), if there are few and the store can tell
    /// [at once](crate::PairingStore::range_at_once); otherwise returns `None`.
    pub fn list_at_once(&self, viewer: &Approver) -> Option<DeviceList> {
        let pending = list_at_once(self.0.store(), &Range::DeviceRequests)?;
        let paired = list_at_once(self.0.store(), &Range::Devices)?;
        Some(self.listed(viewer, pending, paired))
    }

    /// Returns only the paired devices of [`list`](Self::list), for decisions that need nothing else:
    /// these work even if the pending requests cannot be read.
    pub fn paired(&self, viewer: &Approver) -> Result<DeviceList, ListError> {
        let paired = list(self.0.store(), &Range::Devices)?;
        Ok(self.listed(viewer, Listed::default(), paired))
    }

    fn listed(
        &self,
        viewer: &Approver,
        (pending, mut problems): Listed,
        (paired, more): Listed,
    ) -> DeviceList {
        let (limits, now) = (self.limits(), self.0.now());
        let pending = pending
            .iter()
            .filter_map(|record| record.as_device_request());
        let mut pending: Vec<_> = pending
            .filter(|request| !request.is_expired(limits, now))
            .filter(|request| viewer.may_decide_about(request.device))
            .cloned()
            .collect();
        pending.sort_by_key(|request| std::cmp::Reverse(request.asked_at));
        let paired = paired.iter().filter_map(|record| record.as_device());
        let mut paired: Vec<_> = paired
            .filter(|device| viewer.may_decide_about(device.id))
            .cloned()
            .collect();
        paired.sort_by_key(|device| std::cmp::Reverse(device.approved_at));
        problems.extend(more);
        DeviceList {
            pending,
            paired,
            problems,
        }
    }

    /// Approves exactly the request with this id, in one commit.
    pub fn approve(&self, id: &RequestId, approver: &Approver) -> Result<Device, DeviceError> {
        self.approve_commands(id, &|_| true, approver)
    }

    /// Approves a request like [`approve`](Self::approve), but of the commands that a node declared only those
    /// that `keep` accepts. The node is admitted without the others, and asks for them again at its next connect
    /// unless it no longer declares them. What was approved before stays approved.
    pub fn approve_commands(
        &self,
        id: &RequestId,
        keep: &dyn Fn(&str) -> bool,
        approver: &Approver,
    ) -> Result<Device, DeviceError> {
        approver.may_pair()?;
        let device = transact(self.0.store(), |tx| {
            let now = self.0.now();
            let request = self.running(tx, id, approver, now)?;
            let before = tx.device(request.device)?;
            let token = match request.pairing_token {
                Some(hash) => tx.pairing_token(hash)?,
                None => None,
            };
            let (before, token) = (before.as_ref(), token.as_ref());
            let limits = self.limits();
            let decision = device::approve(&request, keep, before, token, approver, limits, now);
            Ok::<_, DeviceError>(decision?)
        })?;
        self.audit(AuditAction::Approved, approver, device.id, |event| {
            event.request = Some(id.clone());
            let operator = device.roles.get(&Role::Operator);
            event.scopes = operator.map(|operator| operator.scopes.clone());
            let node = device.roles.get(&Role::Node);
            event.commands = node.and_then(|node| named(node.commands.as_ref()?));
        });
        Ok(device)
    }

    /// Rejects a request, and ends the setup code that it came with.
    pub fn reject(
        &self,
        id: &RequestId,
        approver: &Approver,
    ) -> Result<DeviceRequest, DeviceError> {
        approver.may_pair()?;
        let request = transact(self.0.store(), |tx| {
            let request = self.running(tx, id, approver, self.0.now())?;
            let mut changes = device::reject(&request);
            changes.extend(end_surface(tx, &request)?);
            Ok::<_, DeviceError>(Decision {
                changes,
                outcome: request,
            })
        })?;
        self.audit(AuditAction::Rejected, approver, request.device, |event| {
            event.request = Some(id.clone());
        });
        Ok(request)
    }

    /// Removes a device, its requests and its setup code. A request that cannot be read does not prevent
    /// this.
    pub fn remove(&self, id: DeviceId, approver: &Approver) -> Result<Device, DeviceError> {
        let removed = self
            .change(id, approver, |tx, device, _| {
                let request = match tx.device_request(id) {
                    Err(StoreError::Unreadable { .. }) => None,
                    request => request?,
                };
                Ok(Some(Decision {
                    changes: device::remove(device, request.as_ref()),
                    outcome: device.clone(),
                }))
            })?
            .ok_or(DeviceError::UnknownDevice)?;
        self.audit(AuditAction::Removed, approver, id, |_| {});
        Ok(removed)
    }

    /// Gives a device a name of the owner's, which is kept apart from the device's own.
    pub fn rename(
        &self,
        id: DeviceId,
        name: &str,
        approver: &Approver,
    ) -> Result<Device, DeviceError> {
        let name = self::name(name)?;
        let renamed = self
            .change(id, approver, |_, device, _| {
                let mut renamed = device.clone();
                renamed.label = Some(name.to_owned());
                Ok(Some(Decision {
                    changes: vec![Change::Put(Record::from(renamed.clone()))],
                    outcome: renamed,
                }))
            })?
            .ok_or(DeviceError::UnknownDevice)?;
        self.audit(AuditAction::Renamed, approver, id, |_| {});
        Ok(renamed)
    }

    /// Ends the token of a role; the next one is made when the device reconnects. Only a device that
    /// rotates a role of its own, authenticated by its token, receives the new token here.
    pub fn rotate(
        &self,
        id: DeviceId,
        role: Role,
        scopes: Option<&ScopeSet>,
        approver: &Approver,
    ) -> Result<Rotated, DeviceError> {
        let token = SecretToken::generate(self.0.entropy())?;
        let own = approver.is_own_token(id, role).then_some(&token);
        let rotated = self
            .change(id, approver, |_, device, now| {
                Ok(device::rotate(device, role, scopes, approver, own, now))
            })?
            .ok_or(DeviceError::UnknownRole)?;
        self.audit(AuditAction::Rotated, approver, id, |event| {
            event.role = Some(role);
            event.scopes = Some(rotated.scopes.clone());
        });
        Ok(rotated)
    }

    /// Revokes a role of a device until the owner approves it again.
    pub fn revoke(
        &self,
        id: DeviceId,
        role: Role,
        approver: &Approver,
    ) -> Result<Timestamp, DeviceError> {
        let at = self
            .change(id, approver, |_, device, now| {
                Ok(device::revoke(device, role, approver, now))
            })?
            .ok_or(DeviceError::UnknownRole)?;
        self.audit(AuditAction::Revoked, approver, id, |event| {
            event.role = Some(role);
        });
        Ok(at)
    }

    /// Notes that a device is in use; [`flush_uses`](Self::flush_uses) writes it to the store.
    pub fn touch(&self, device: &AuthenticatedDevice) {
        let mut uses = self.0.uses();
        uses.insert((device.id, device.role), self.0.now());
    }

    /// Writes the uses noted since the last call. Call it once a minute and at shutdown; this way a
    /// connection rewrites nothing.
    pub fn flush_uses(&self) -> Result<(), DeviceError> {
        let uses: Vec<_> = self.0.uses().drain().collect();
        for uses in uses.chunks(FLUSH_AT_ONCE) {
            let flushed = transact(self.0.store(), |tx| {
                let mut devices: HashMap<DeviceId, Device> = HashMap::new();
                for ((id, role), at) in uses {
                    let device = match devices.remove(id) {
                        Some(device) => Some(device),
                        None => tx.device(*id)?,
                    };
                    let Some(mut device) = device else { continue };
                    let token = device
                        .roles
                        .get_mut(role)
                        .and_then(|role| role.token.as_mut());
                    if let Some(token) = token {
                        token.last_used_at = token.last_used_at.max(Some(*at));
                    }
                    devices.insert(*id, device);
                }
                let changes = devices.into_values().map(Record::from).map(Change::Put);
                Ok::<_, DeviceError>(Decision {
                    changes: changes.collect(),
                    outcome: (),
                })
            });
            if flushed.is_err() {
                // At most the uses in later chunks are lost; the next flush retries those of this chunk.
                let mut kept = self.0.uses();
                for (device, at) in uses {
                    kept.entry(*device).or_insert(*at);
                }
            }
            flushed?;
        }
        Ok(())
    }

    /// Sends a decision about a device to the audit sink.
    fn audit(
        &self,
        action: AuditAction,
        approver: &Approver,
        device: DeviceId,
        more: impl FnOnce(&mut AuditEvent),
    ) {
        let subject = AuditSubject::Device { device };
        let mut event = AuditEvent::new(self.0.now(), action, approver, subject);
        more(&mut event);
        self.0.audit(&event);
    }

    pub(super) fn limits(&self) -> &DeviceLimits {
        &self.0.limits().devices
    }

    /// Interval at which to call [`flush_uses`](Self::flush_uses).
    pub const FLUSH_EVERY: Duration = Duration::from_secs(60);

    /// Changes a device that this approver may decide about. Returns `None` if `decide` does, for an
    /// unknown device, and for a device that the approver may not decide about; the last two cannot be
    /// told apart.
    fn change<T>(
        &self,
        id: DeviceId,
        approver: &Approver,
        decide: impl Fn(
            &mut Transaction<'_>,
            &Device,
            Timestamp,
        ) -> Result<Option<Decision<T>>, DeviceError>,
    ) -> Result<Option<T>, DeviceError> {
        approver.may_pair()?;
        transact(self.0.store(), |tx| {
            let device = tx.device(id)?.filter(|_| approver.may_decide_about(id));
            let decided = match device {
                Some(device) => decide(tx, &device, self.0.now())?,
                None => None,
            };
            Ok::<_, DeviceError>(match decided {
                Some(Decision { changes, outcome }) => Decision {
                    changes,
                    outcome: Some(outcome),
                },
                None => Decision::unchanged(None),
            })
        })
    }

    /// Returns the pending request with this id, if the approver may decide about it.
    fn running(
        &self,
        tx: &mut Transaction<'_>,
        id: &RequestId,
        approver: &Approver,
        now: Timestamp,
    ) -> Result<DeviceRequest, DeviceError> {
        let limits = self.limits();
        // Few requests are pending. The decision depends only on the one with this id, which is read
        // again below.
        let (waiting, _) = list(self.0.store(), &Range::DeviceRequests)?;
        let device = waiting
            .iter()
            .filter_map(|record| record.as_device_request())
            .find(|request| request.id == *id)
            .map(|request| request.device)
            .ok_or(DeviceError::UnknownRequest)?;
        tx.device_request(device)?
            .filter(|request| request.id == *id && !request.is_expired(limits, now))
            .filter(|request| approver.may_decide_about(request.device))
            .ok_or(DeviceError::UnknownRequest)
    }
}

/// Returns the change that takes away what the device waited for, where the request that was decided asked for the
/// role of a node. A device that cannot be read does not prevent the decision.
fn end_surface(
    tx: &mut Transaction<'_>,
    request: &DeviceRequest,
) -> Result<Option<Change>, StoreError> {
    if !request.ask.roles.contains(&Role::Node) {
        return Ok(None);
    }
    let device = match tx.device(request.device) {
        Err(StoreError::Unreadable { .. }) => None,
        device => device?,
    };
    let device = device.filter(|device| device.surface.is_some());
    Ok(device.map(|mut device| {
        device.end_surface();
        Change::Put(Record::from(device))
    }))
}

/// Whether what admitted a connection is in the stored record.
fn holds(device: &AuthenticatedDevice, read: &Read) -> bool {
    let stored = read.record.as_ref().and_then(|record| record.as_device());
    stored.is_some_and(|stored| device.holds_in(stored))
}

/// Returns the commands for the audit event; `None` if there are none.
fn named(commands: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    (!commands.is_empty()).then(|| commands.clone())
}

/// Returns the token that a session authenticated by a device token depends on: the new token that
/// replaces it, or else the presented one.
fn session_token(credential: Credential<'_>, minted: Option<&MintedToken>) -> Option<TokenHash> {
    let Credential::DeviceToken(shown) = credential else {
        return None;
    };
    Some(TokenHash::of(minted.map_or(shown, |minted| &minted.token)))
}

/// Checks a name that an owner gives to a device or node.
pub(super) fn name(name: &str) -> Result<&str, DeviceError> {
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().count() <= 128;
    if fits && !name.contains(char::is_control) {
        Ok(name)
    } else {
        Err(DeviceError::Name)
    }
}

/// Reads the records that concern a connection: the device, its request, and the pairing token that it
/// presents or that a device authenticated by a device token may still have a claim on.
fn read_known(
    tx: &mut Transaction<'_>,
    id: DeviceId,
    credential: Credential<'_>,
) -> Result<Known, ConnectError> {
    let device = tx.device(id)?;
    let hash = match credential {
        Credential::PairingToken(token) => Some(TokenHash::of(token)),
        Credential::DeviceToken(_) => device.as_ref().and_then(|device| device.pairing_token),
        Credential::Shared => None,
    };
    Ok(Known {
        device,
        request: tx.device_request(id)?,
        pairing_token: match hash {
            Some(hash) => tx.pairing_token(hash)?,
            None => None,
        },
    })
}
