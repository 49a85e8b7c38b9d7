//! The file formats as pure functions, for the fuzz targets; not part of the public interface.

use pairing_core::device::{Device, DeviceRequest, Node, NodeRequest, PairingToken};
use pairing_core::store::{AllowEntry, BearerClient};
use pairing_core::{AccountId, ChannelRules, Key, Record, Timestamp};

use crate::docs::{
    AllowDoc, ClaimsDoc, CountersDoc, Document, Entry, GrantsDoc, Keyed, RequestsDoc,
};
use crate::error::FileError;
use crate::json;

/// Returns an export of these lines, valid as far as its digest is concerned.
pub fn exported(lines: &str) -> Option<String> {
    crate::export::sealed(lines, Timestamp::from_millis(0)).ok()
}

/// Reads an audit log from its text, in blocks of `block` bytes.
pub fn audit(text: &[u8], block: usize) -> crate::AuditPage {
    crate::audit::read::parsed(text, block)
}

/// The files that hold records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `<channel>-pairing.json`
    Requests,
    /// `<channel>-allowFrom.json`
    Allowed,
    /// `pairing-meta/<channel>.json`
    Grants,
    /// `pairing-meta/<channel>.counters.json`
    Counters,
    /// `pairing-meta/<channel>.claims.json`
    Claims,
    /// `devices/pending.json`
    DeviceRequests,
    /// `devices/paired.json`
    Devices,
    /// `devices/bootstrap.json`
    PairingTokens,
    /// `devices/bearer-clients.json`
    BearerClients,
    /// `nodes/pending.json`
    NodeRequests,
    /// `nodes/paired.json`
    Nodes,
}

/// Content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its records, in the order of the file.
    pub records: Vec<Record>,
    /// Number of elements that were skipped.
    pub passed_over: usize,
}

/// Reads a file.
pub fn read(format: Format, text: &str, rules: &ChannelRules) -> Result<Said, FileError> {
    match format {
        Format::Requests => said::<RequestsDoc>(text, rules, |doc| {
            let requests = doc.iter(None);
            requests
                .map(|r| Record::Request(r.request.clone()))
                .collect()
        }),
        Format::Allowed => said::<AllowDoc>(text, rules, |doc| {
            let entries = doc.from(0);
            let records = entries.map(|(_, entry, raw)| {
                Record::Allow(AllowEntry {
                    channel: rules.id().clone(),
                    account: AccountId::default(),
                    entry: entry.clone(),
                    written: json::text_of(raw),
                    grant: None,
                })
            });
            records.collect()
        }),
        Format::Grants => said::<GrantsDoc>(text, rules, |doc| {
            let grants = doc.iter();
            let records = grants.map(|(account, entry, grant)| {
                Record::Allow(AllowEntry {
                    channel: rules.id().clone(),
                    account: account.clone(),
                    entry: entry.clone(),
                    written: None,
                    grant: Some(grant),
                })
            });
            records.collect()
        }),
        Format::Counters => said::<CountersDoc>(text, rules, CountersDoc::records),
        Format::Claims => said::<ClaimsDoc>(text, rules, |doc| {
            let claims = doc.iter();
            claims
                .map(|(claim, _)| Record::from(claim.clone()))
                .collect()
        }),
        Format::DeviceRequests => keyed::<DeviceRequest>(text),
        Format::Devices => keyed::<Device>(text),
        Format::PairingTokens => keyed::<PairingToken>(text),
        Format::BearerClients => keyed::<BearerClient>(text),
        Format::NodeRequests => keyed::<NodeRequest>(text),
        Format::Nodes => keyed::<Node>(text),
    }
}

/// Returns the text of a file after putting or deleting one record; `None` if that changes nothing.
/// Channel rules do not apply to files of devices and nodes.
pub fn edit(
    format: Format,
    text: &str,
    rules: &ChannelRules,
    put: Option<&Record>,
    delete: Option<&Key>,
) -> Result<Option<String>, FileError> {
    let malformed = |error| json::malformed(&error);
    match format {
        Format::Requests => {
            let put: Vec<_> = put.and_then(Record::as_request).into_iter().collect();
            let deleted: Vec<_> = match delete {
                Some(Key::Request {
                    account, sender, ..
                }) => vec![(account, sender)],
                _ => Vec::new(),
            };
            let doc = RequestsDoc::parse(text, rules)?;
            doc.edited(&deleted, &put).map_err(malformed)
        }
        Format::Allowed => {
            let added = put.and_then(Record::as_allow).map(|allow| &allow.entry);
            let added: Vec<_> = added.into_iter().collect();
            let deleted: Vec<_> = match delete {
                Some(Key::Allow { entry, .. }) => vec![entry],
                _ => Vec::new(),
            };
            Ok(AllowDoc::parse(text, rules)?.edited(&deleted, &added))
        }
        Format::Grants => {
            let put: Vec<_> = put.and_then(Record::as_allow).into_iter().collect();
            let stands = |account: &_, entry: &_| match delete {
                Some(Key::Allow {
                    account: of,
                    entry: gone,
                    ..
                }) => account != of || entry != gone,
                _ => true,
            };
            let doc = GrantsDoc::parse(text, rules)?;
            doc.edited(&put, stands).map_err(malformed)
        }
        Format::Counters => {
            let doc = CountersDoc::parse(text, rules)?;
            let (mut attempts, mut turned_away) = (Vec::new(), Vec::new());
            match (put, delete) {
                (Some(Record::Attempts(new)), _) => attempts.push((&new.approver, Some(new))),
                (Some(Record::TurnedAway(new)), _) => turned_away.push((&new.account, Some(new))),
                (_, Some(Key::Attempts { approver, .. })) => attempts.push((approver, None)),
                (_, Some(Key::TurnedAway { account, .. })) => turned_away.push((account, None)),
                _ => return Ok(None),
            }
            doc.edited(&attempts, &turned_away)
                .map(Some)
                .map_err(malformed)
        }
        Format::Claims => {
            let put = put
                .and_then(Record::as_claim)
                .map(|new| (new.hash, Some(new)));
            let deleted = match delete {
                Some(Key::Claim { hash, .. }) => Some((*hash, None)),
                _ => None,
            };
            let changed: Vec<_> = put.into_iter().chain(deleted).collect();
            let doc = ClaimsDoc::parse(text, rules)?;
            doc.edited(&changed).map_err(malformed)
        }
        Format::DeviceRequests => edit_keyed::<DeviceRequest>(text, put, delete),
        Format::Devices => edit_keyed::<Device>(text, put, delete),
        Format::PairingTokens => edit_keyed::<PairingToken>(text, put, delete),
        Format::BearerClients => edit_keyed::<BearerClient>(text, put, delete),
        Format::NodeRequests => edit_keyed::<NodeRequest>(text, put, delete),
        Format::Nodes => edit_keyed::<Node>(text, put, delete),
    }
}

fn keyed<E: Entry>(text: &str) -> Result<Said, FileError> {
    let doc = Keyed::<E>::parse(text, &())?;
    let records = doc.from(0).map(|(_, _, found)| (*found.record).clone());
    Ok(Said {
        records: records.collect(),
        passed_over: doc.problems("").len(),
    })
}

fn edit_keyed<E: Entry>(
    text: &str,
    put: Option<&Record>,
    delete: Option<&Key>,
) -> Result<Option<String>, FileError> {
    let doc = Keyed::<E>::parse(text, &())?;
    let put = put.and_then(E::of).map(|entry| (entry, None));
    let deleted = match delete {
        Some(Key::DeviceRequest { device } | Key::Device { device }) => Some(device.to_string()),
        Some(Key::PairingToken { hash } | Key::BearerClient { hash }) => Some(hash.to_string()),
        Some(Key::NodeRequest { node } | Key::Node { node }) => Some(node.as_str().to_owned()),
        _ => None,
    };
    let put: Vec<_> = put.into_iter().collect();
    let deleted: Vec<_> = deleted.into_iter().collect();
    Ok(doc.edited(&deleted, &put))
}

fn said<D: Document<Rules = ChannelRules>>(
    text: &str,
    rules: &ChannelRules,
    records: impl FnOnce(&D) -> Vec<Record>,
) -> Result<Said, FileError> {
    let doc = D::parse(text, rules)?;
    Ok(Said {
        records: records(&doc),
        passed_over: doc.problems("").len(),
    })
}
